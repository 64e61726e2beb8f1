"""A worker finds out that its device does not work before a participant's model does."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest

from scoring_service.evaluation import canary
from scoring_service.evaluation.equipment import RuntimeMissing, equip
from scoring_service.evaluation.runner import ChildRunner, ForkServer


@pytest.fixture(scope="module")
def models_server() -> Iterator[ForkServer]:
    """The fork server of a worker of the lane ``cpu``."""
    equipment = equip("cpu", "", 0.9)
    server = ForkServer([*equipment.preload, canary.__name__], equipment.environment)
    server.start()
    yield server
    server.close()


def test_a_machine_that_runs_models_is_found_to(models_server: ForkServer) -> None:
    canary.require_device(ChildRunner(models_server), "cpu")


def test_the_server_of_models_can_be_forked_although_it_ran_one(models_server: ForkServer) -> None:
    # A fork takes one thread along and the locks that the others hold.
    assert psutil.Process(models_server.pid).num_threads() == 1


def test_a_gpu_that_does_not_work_is_said_and_never_replaced_by_the_cpu(models_server: ForkServer) -> None:
    # The runtime of the CPU stands for a GPU whose libraries are missing: both fall back silently
    with pytest.raises(RuntimeMissing, match="does not run on the GPU of this machine"):
        canary.require_device(ChildRunner(models_server), "gpu")


def test_a_device_that_computes_nonsense_is_said(
    models_server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = ChildRunner(models_server)
    monkeypatch.setattr(runner, "call", lambda *args, limits: [2.0, 5.0])
    with pytest.raises(RuntimeMissing, match="computes nonsense"):
        canary.require_device(runner, "cpu")
