"""PSNR: how close the arithmetic and the whole evaluation come to reading memory once.

    python -m benchmarks.psnr [--images 96] [--rounds 11]

The limit is the time to read both operands once, with the fastest reader found on this machine.
Every contender's result is verified before anything is timed. Both operands are larger than the
caches together; page cache and truth hot, as in a running worker. Everything runs on one thread and
is timed by that thread's CPU time: it waits for nothing, and neighbours on the machine do not count.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import torch
from skimage.metrics import peak_signal_noise_ratio as skimage_psnr
from torchmetrics.functional.image import peak_signal_noise_ratio as torchmetrics_psnr

from benchmarks.common import Report, interleave
from goat.kinds.base import InlineRunner, get_kind, parse_config
from goat.readers.pt_writer import write_pt, write_stacked_pt
from goat.scoring.psnr import mean_psnr
from goat.scoring.squared_error import fastest, numpy_squared_error, squared_error

SHAPE = (3, 512, 512)
CAP = 100.0


@dataclass
class Case:
    """One dtype: truth and reconstructions in memory, and the same on disk in every form."""

    dtype: str
    peak: float
    truth: np.ndarray
    images: np.ndarray
    root: Path

    def part(self, name: str) -> Path:
        return self.root / name

    @property
    def names(self) -> list[str]:
        return [f"sample_{index:04d}.pt" for index in range(len(self.images))]


def make_case(root: Path, dtype: str, count: int) -> Case:
    """Seeded noise on a smooth picture, about 30 dB."""
    rng = np.random.default_rng(7)
    peak = 255.0 if dtype == "uint8" else 1.0
    truth = rng.random((count, *SHAPE), dtype=np.float32) * peak
    noise = rng.standard_normal((count, *SHAPE), dtype=np.float32) * (peak * 0.03)
    case = Case(dtype, peak, truth.astype(dtype), np.clip(truth + noise, 0, peak).astype(dtype), root)
    for folder in ("sample/truth", "folder"):
        (root / folder).mkdir(parents=True)
    for index, name in enumerate(case.names):
        write_pt(root / "sample" / "truth" / name, case.truth[index])
        torch.save(torch.from_numpy(case.images[index].copy()), root / "folder" / name)
    write_stacked_pt(root / "stacked.pt", iter(case.images), count, dtype=dtype, shape=SHAPE)
    return case


def limit_reader(case: Case) -> Callable[[], object]:
    """Reads both operands once, by the reader that is fastest here."""

    def read_all(reduce: Callable[[Any], object]) -> Callable[[], object]:
        def run() -> None:
            for one, other in zip(case.images, case.truth, strict=True):
                reduce(one)
                reduce(other)

        return run

    readers = {
        "xor": read_all(lambda a: np.bitwise_xor.reduce(a.reshape(-1).view(np.uint64))),
        "add": read_all(lambda a: np.add.reduce(a.reshape(-1).view(np.uint64))),
        "max": read_all(lambda a: a.reshape(-1).view(np.int32).max()),
        "inf": read_all(lambda a: cv2.norm(a.reshape(-1), cv2.NORM_INF)),
    }
    seconds = interleave(readers, rounds=5, warmup=1, clock=time.thread_time)
    return readers[min(seconds, key=lambda name: min(seconds[name]))]


def arithmetic(case: Case, report: Report, rounds: int) -> None:
    """Both operands in memory."""
    tensors = [
        (torch.from_numpy(one), torch.from_numpy(other).clone())
        for one, other in zip(case.images, case.truth, strict=True)
    ]
    count = case.images[0].size

    def ours(error: Callable[[Any, Any], float]) -> Callable[[], float]:
        return lambda: mean_psnr(
            [error(a.reshape(-1), b.reshape(-1)) for a, b in zip(case.images, case.truth, strict=True)],
            count,
            data_range=case.peak,
            cap=CAP,
        )

    def torch_mse() -> float:
        values = [torch.nn.functional.mse_loss(a.float(), b.float()) for a, b in tensors]
        return float(np.mean([10 * np.log10(case.peak**2 / float(value)) for value in values]))

    def torchmetrics_() -> float:
        values = [torchmetrics_psnr(a.float(), b.float(), data_range=case.peak) for a, b in tensors]
        return float(np.mean([float(value) for value in values]))

    def skimage_() -> float:
        pairs = zip(case.images, case.truth, strict=True)
        return float(np.mean([skimage_psnr(b, a, data_range=case.peak) for a, b in pairs]))

    contenders: dict[str, Callable[[], object]] = {
        "ours": ours(squared_error),
        "ours, numpy only": ours(numpy_squared_error),
        "torch mse": torch_mse,
        "torchmetrics": torchmetrics_,
        "skimage": skimage_,
    }
    verify(contenders, reference(case), exact=("ours", "ours, numpy only"))
    seconds = interleave({**contenders, "limit": limit_reader(case)}, rounds=rounds, clock=time.thread_time)
    for name in contenders:
        bound = 1.5 if name == "ours" else None
        report.ratio(f"arithmetic {case.dtype}: {name} / limit", seconds, name, "limit", at_most=bound)


def end_to_end(case: Case, report: Report, rounds: int) -> None:
    """From files to the score, through the kind itself."""
    kind = get_kind("image_reconstruction")
    count = len(case.images)
    config = parse_config(
        kind,
        {
            "shape": SHAPE,
            "dtype": case.dtype,
            "data_range": case.peak,
            "psnr_cap": CAP,
            "samples": {"test": count, "ranked": count},
        },
    )
    folder, stacked, archive = case.root / "folder", case.root / "stacked.pt", case.root / "packed.zip"
    with kind.pack(folder, config, "test") as upload:
        upload.path.rename(archive)
        upload.path.touch()

    def ours(artifact: Path) -> Callable[[], float]:
        return lambda: (
            kind.evaluate(artifact, config, "test", case, InlineRunner()).scores["sample"]["score"].value
        )

    def plain() -> float:
        values = []
        for name in case.names:
            image = torch.load(folder / name).numpy()
            truth = torch.load(case.root / "sample" / "truth" / name).numpy()
            values.append(skimage_psnr(truth, image, data_range=case.peak))
        return float(np.mean(values))

    def torch_load() -> float:
        images = (torch.load(folder / name).numpy() for name in case.names)
        errors = [squared_error(image, truth) for image, truth in zip(images, case.truth, strict=True)]
        return mean_psnr(errors, case.images[0].size, data_range=case.peak, cap=CAP)

    contenders: dict[str, Callable[[], object]] = {
        "folder": ours(folder),
        "stored zip": ours(archive),
        "stacked": ours(stacked),
        "torch.load, our arithmetic": torch_load,
        "plain flow": plain,
    }
    verify(contenders, reference(case), exact=("folder", "stored zip", "stacked"))
    seconds = interleave({**contenders, "limit": limit_reader(case)}, rounds=rounds, clock=time.thread_time)
    bounds = {"folder": 2.0 if case.dtype == "uint8" else 1.4, "stacked": 1.25}
    for name in contenders:
        what = f"end to end {case.dtype}: {name} / limit"
        report.ratio(what, seconds, name, "limit", at_most=bounds.get(name))
    faster = 40.0 if case.dtype == "uint8" else 4.0
    for name in ("folder", "stacked"):
        what = f"end to end {case.dtype}: plain flow / {name}"
        report.ratio(what, seconds, "plain flow", name, at_least=faster)


def reference(case: Case) -> float:
    """Mean PSNR in float64, straight from the definition."""
    pairs = zip(case.images, case.truth, strict=True)
    errors = [np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2) for a, b in pairs]
    return float(np.mean([10 * np.log10(case.peak**2 / error) for error in errors]))


def verify(contenders: dict[str, Callable[[], object]], expected: float, *, exact: tuple[str, ...]) -> None:
    """Everyone computes the same number, ours within 1e-6 dB, before anyone is timed."""
    for name, run in contenders.items():
        value = float(run())  # type: ignore[arg-type]
        tolerance = 1e-6 if name in exact else 1e-2
        if abs(value - expected) > tolerance:
            raise AssertionError(f"{name}: {value} dB instead of {expected}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    report = Report("psnr", facts={"images": options.images, "shape": SHAPE, "loop": fastest().__name__})
    for dtype in ("uint8", "float32"):
        with tempfile.TemporaryDirectory(prefix="goat-bench-") as folder:
            case = make_case(Path(folder), dtype, options.images)
            arithmetic(case, report, options.rounds)
            end_to_end(case, report, options.rounds)
    raise SystemExit(0 if report.finish() else 1)


if __name__ == "__main__":
    main()
