"""The baseline model as a participant makes it: a sample split in, a valid file out."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from goat.baselines.onnx_inference import baseline
from goat.errors import Invalid, MissingPackage
from goat.kinds.base import get_kind, parse_config
from goat.readers import read_pt, write_pt
from goat.scoring.outputs import METRICS

HEIGHT, WIDTH = 40, 56
CONFIG = {
    "input": {"shape": [3, HEIGHT, WIDTH], "dtype": "uint8"},
    "output": {"shape": [1, HEIGHT, WIDTH]},
    "samples": {"test": 12, "ranked": 2},
    "metric": "depth_rmse",
    "formula": "1 - depth_rmse",
}


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """Pictures whose brightness falls off with the distance of a slope and of a ball before it."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0 : 1 : HEIGHT * 1j, 0 : 1 : WIDTH * 1j]
    for place in ("inputs", "truth"):
        (tmp_path / "sample" / place).mkdir(parents=True)
    for number in range(12):
        depth = 8 - 5 * y
        ball = np.hypot(x - rng.uniform(0.2, 0.8), y - rng.uniform(0.2, 0.8)) < 0.2
        depth[ball] = 2.5
        colour = rng.uniform(0.5, 1, (3, 1, 1)) * 400 / depth + rng.normal(0, 3, (3, HEIGHT, WIDTH))
        name = f"sample_{number:04d}.pt"
        write_pt(tmp_path / "sample/inputs" / name, colour.clip(0, 255).astype(np.uint8))
        write_pt(tmp_path / "sample/truth" / name, depth[None].astype(np.float32))
    return tmp_path / "sample"


def error(model: Path, sample: Path) -> float:
    session = onnxruntime.InferenceSession(model.read_bytes(), providers=["CPUExecutionProvider"])
    metric, values = METRICS["depth_rmse"].function, []
    for file in sorted((sample / "inputs").iterdir()):
        (answer,) = session.run(None, {"input": read_pt(file)[None].astype(np.float32) / 255})
        values.append(metric(answer[0], read_pt(sample / "truth" / file.name)))
    return float(np.mean(values))


def test_it_writes_a_valid_model_that_has_learnt_something(sample: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    model = tmp_path / "models" / "model.onnx"

    count = baseline(sample / "inputs", model, progress=lambda *step: seen.append(step))

    assert (count, seen[-1], len(seen)) == (12, (12, 12), 12)
    kind = get_kind("onnx_inference")
    assert kind.check(model, parse_config(kind, CONFIG), "ranked") == []
    assert model.stat().st_size < 400_000
    # The slope alone is worth 0.13; who does not see the balls stays there
    assert error(model, sample) < 0.1


def test_the_same_pictures_give_the_same_model_for_any_batch(sample: Path, tmp_path: Path) -> None:
    for name in ("one", "other"):
        baseline(sample / "inputs", tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()

    session = onnxruntime.InferenceSession(tmp_path / "one", providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).random((3, 3, HEIGHT, WIDTH), np.float32)
    (together,) = session.run(None, {"input": images})
    alone = np.concatenate([session.run(None, {"input": image[None]})[0] for image in images])
    assert together.shape == (3, 1, HEIGHT, WIDTH)
    assert np.abs(together - alone).max() < 1e-4


def test_pictures_without_truth_are_named(sample: Path, tmp_path: Path) -> None:
    (sample / "truth" / "sample_0003.pt").unlink()
    with pytest.raises(Invalid, match="give sample/inputs"):
        baseline(sample / "inputs", tmp_path / "model.onnx")


def test_a_challenge_that_asks_for_something_else_is_told(sample: Path, tmp_path: Path) -> None:
    write_pt(sample / "truth" / "sample_0001.pt", np.array(3))
    with pytest.raises(Invalid, match=r"sample_0001\.pt: this baseline learns one map"):
        baseline(sample / "inputs", tmp_path / "model.onnx")


def test_without_the_runtime_it_says_what_to_install(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnx" else found(name))
    with pytest.raises(MissingPackage, match=r'pip install "mls-goat\[cpu\]"'):
        baseline(sample / "inputs", tmp_path / "model.onnx")


def test_it_needs_no_pytorch() -> None:
    script = "import sys, goat.baselines.onnx_inference; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
