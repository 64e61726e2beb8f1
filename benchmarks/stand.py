"""A service with the depth challenge, and a team that hands in models of three sizes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from onnx import ModelProto

from benchmarks.crowd import NO_LIMITS
from benchmarks.models import WIDTHS, depth_network
from goat.kinds.base import Device
from scoring_service.evaluation.equipment import Equipment
from scoring_service.evaluation.evaluate import Evaluator
from scoring_service.evaluation.runner import ForkServer
from scoring_service.evaluation.wire import Ended
from scoring_service.events.library.depth.data import build, build_small
from scoring_service.migrations import migrate
from scoring_service.models import Submission
from scoring_service.services import build_services
from scoring_service.settings import Settings
from scoring_service.submissions.repository import current_evaluation, timings
from scoring_service.teams.identity import Identity
from tests.scoring_service.world import World

PASSES, WARM_UP = 20, 3
DATA: dict[int, tuple[Callable[[Path], None], dict[str, int]]] = {
    96: (build_small, {"test": 64, "ranked": 48}),
    448: (build, {"test": 24, "ranked": 96}),
}
"""Side of a picture → what makes the pictures, and how many there are."""


class CountingServer(ForkServer):
    """Adds up the processor time of its children."""

    children_s = 0.0

    def finish(self) -> Ended:
        ended = super().finish()
        self.children_s += ended.cpu_s
        return ended


def counting_server(equipment: Equipment) -> CountingServer:
    """As a worker of that lane has it, running."""
    server = CountingServer(
        ("goat.kinds.onnx_inference", "benchmarks.models", *equipment.preload), equipment.environment
    )
    server.start()
    return server


def settings_of(side: int, device: Device) -> dict[str, Any]:
    """The challenge: the depth event's, with room for large files and slow machines."""
    return {
        "input": {"shape": [3, side, side], "dtype": "uint8"},
        "output": {"shape": [1, side, side]},
        "samples": DATA[side][1],
        "metric": "depth_rmse",
        "accuracy": "4/(4 + (10*depth_rmse)**2)",
        "formula": "accuracy * (50 - size_mb)/20",
        "domains": {"size_mb": {"from": 0, "to": 50}},
        "device": device,
        "warm_up": WARM_UP,
        "passes": PASSES,
    }


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one evaluation, in seconds."""

    wall: float
    processor: float
    stages: dict[str, float]
    model: float
    """What the calls that nobody can save take, by their own median: one per picture and the timed ones."""


class Stand:
    """A service with the challenge, and a team that hands in models."""

    def __init__(self, folder: Path, side: int, equipment: Equipment) -> None:
        assert equipment.device is not None
        DATA[side][0](folder / "scenes")
        environment = {"GOAT_HOME": str(folder / "home")}
        self.settings = replace(Settings.from_env(environment), free_space_floor=0)
        self.world = World(build_services(self.settings), folder)
        migrate(self.world.services.db)
        self.world.apply(
            kind="onnx_inference",
            data="./scenes",
            config=settings_of(side, equipment.device),
            max_bytes=100_000_000,
            limits=NO_LIMITS,
        )
        self.side, self.equipment = side, equipment
        self.team: Identity = self.world.team()
        self._models = {name: depth_network(width, side) for name, width in WIDTHS.items()}
        self._number = 0

    def model(self, name: str) -> ModelProto:
        """The model under a number of its own: the same bytes twice would be one submission."""
        self._number += 1
        self._models[name].doc_string = f"number {self._number}"
        return self._models[name]

    def submit(self, name: str) -> str:
        return self.world.submit(self.team, self.model(name).SerializeToString()).id

    def evaluate(self, name: str, evaluator: Evaluator, server: CountingServer) -> Cost:
        submission = self.submit(name)
        children, own, started = server.children_s, time.process_time(), time.perf_counter()
        evaluator.run(submission)
        wall = time.perf_counter() - started
        processor = time.process_time() - own + server.children_s - children
        with self.world.services.db.read() as session:
            found = current_evaluation(session, submission)
            if found is None or session.get_one(Submission, submission).state != "EVALUATED":
                raise AssertionError(f"the {name} model was not scored")
            call = statistics.median(found.samples["latency_s"])
            calls = DATA[self.side][1]["ranked"] + WARM_UP + PASSES
            return Cost(wall, processor, timings(session, found.id), calls * call)
