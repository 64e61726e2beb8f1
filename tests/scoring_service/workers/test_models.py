"""Models through a real worker process of the lane ``cpu``: honest ones get their numbers, each bad one
its verdict and a sentence, and the worker goes on with the next as if nothing had happened."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import psutil
import pytest
from onnx import ModelProto

from goat import records
from goat.errors import TooLarge
from scoring_service.models import Evaluation, Submission
from scoring_service.submissions.repository import current_evaluation
from scoring_service.teams.identity import Identity
from tests.goat import onnx_models as models
from tests.goat.kinds.onnx_challenges import SETTINGS, make_challenge
from tests.scoring_service.conftest import settings_for
from tests.scoring_service.workers.conftest import (
    PATIENCE_S,
    Crew,
    Restarter,
    crew_on,
    running_queue,
    wait_until,
)

MAX_BYTES = 100_000_000
TIME_LIMIT_S = 10.0
FINAL = ("EVALUATED", "REJECTED", "FAILED", "CANCELLED")


@dataclass
class Lab:
    """A challenge for models, and one worker that is started again whenever it ends."""

    crew: Crew
    team: Identity
    worker: Restarter

    def submit(self, model: ModelProto | bytes, **options: Any) -> str:
        content = model if isinstance(model, bytes) else model.SerializeToString()
        return self.crew.world.submit(self.team, content, options=options).id

    def wait(self, submission: str, *states: str) -> records.Submission:
        wait_until(lambda: self.get(submission).state in (states or FINAL), f"one of {states or FINAL}")
        return self.get(submission)

    def get(self, submission: str) -> records.Submission:
        return self.crew.get(self.team, submission)

    def row(self, submission: str) -> Submission:
        with self.crew.services.db.read() as session:
            return session.get_one(Submission, submission)

    def evaluation(self, submission: str) -> Evaluation:
        with self.crew.services.db.read() as session:
            found = current_evaluation(session, submission)
            assert found is not None
            return found

    def child(self) -> psutil.Process:
        """The process that runs the model now."""

        def children() -> list[psutil.Process]:
            return [
                child for server in psutil.Process(self.worker.pid).children() for child in server.children()
            ]

        wait_until(children, "the model's process")
        return children()[0]


@pytest.fixture(scope="module")
def shared(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Crew, Restarter]]:
    """A challenge for models with one worker process, for all tests of this file: it takes seconds to start,
    and has to live through all of them."""
    root = tmp_path_factory.mktemp("models")
    (root / "home").mkdir(mode=0o700)
    (root / "event").mkdir()
    shutil.copy(sqlite_template, root / "home" / "goat.sqlite3")
    settings = settings_for(root / "home", f"sqlite:///{root / 'home' / 'goat.sqlite3'}")
    make_challenge(root / "event" / "scenes")
    with running_queue() as queue, crew_on(settings, root / "event", queue) as crew:
        crew.world.apply(
            kind="onnx_inference",
            config=SETTINGS | {"time_limit_s": TIME_LIMIT_S, "memory_mb": 1000},
            data="./scenes",
            max_bytes=MAX_BYTES,
            limits={"at_once": None, "per_hour": None, "rejections_per_hour": None},
        )
        crew.sweep()
        worker = Restarter(crew, root / "site", "cpu")
        wait_until(lambda: crew.alive("cpu"), "the worker")
        yield crew, worker
        assert worker.end() == 0
        assert list((root / "home" / "scratch").iterdir()) == []


@pytest.fixture
def lab(shared: tuple[Crew, Restarter]) -> Lab:
    """The challenge with a team that has submitted nothing yet."""
    crew, worker = shared
    return Lab(crew, crew.world.team(f"team_{token_hex(4)}"), worker)


BAD: dict[str, tuple[Callable[[], ModelProto | bytes], str]] = {
    "not ONNX": (lambda: b"PK\x03\x04 a zip", "bad_protobuf"),
    "cut off": (lambda: models.good().SerializeToString()[:-9], "bad_protobuf"),
    "two inputs": (models.two_inputs, "signature_mismatch"),
    "two outputs": (models.two_outputs, "signature_mismatch"),
    "another dtype": (models.half, "wrong_dtype"),
    "another output than promised": (models.lying_output, "signature_mismatch"),
    "dynamic shapes": (
        lambda: models.with_signature([models.value("x", ("n", 3, "h", "w"))], [models.value("y", ("n",))]),
        "dynamic_shape",
    ),
    "opset too new": (lambda: models.good(opset=99), "opset_too_new"),
    "external weights": (lambda: models.external_initializer("weights.bin"), "external_data_forbidden"),
    "a memory bomb": (models.constant_of_shape, "memory_limit"),
    # It grows until one of the two limits is met; which one depends on how busy the machine is.
    "a bomb that goes off while loading": (models.doubling, "memory_limit|time_limit"),
    "an endless loop": (models.endless, "time_limit"),
    "NaN": (models.not_a_number, "non_finite"),
    "random answers": (models.random_answers, "non_deterministic"),
    "an operator without code for its type": (models.unsupported, "not_supported"),
    "an operator that takes no such type": (models.badly_typed, "load_failed"),
}


def test_a_model_is_scored_and_everything_that_was_measured_is_kept(lab: Lab) -> None:
    submission = lab.submit(models.good(), batch_size=4)
    done = lab.wait(submission)
    assert (done.state, done.error) == ("EVALUATED", None)
    # Its answers are the truth, it is tiny and fast: nearly the best score that the formula gives
    assert done.metrics["accuracy"] == pytest.approx(1.0)
    assert 0 < done.metrics["latency_ms"] < 1000 * TIME_LIMIT_S
    assert done.metrics["size_mb"] == pytest.approx(done.size / 1e6)
    found = lab.evaluation(submission)
    assert len(found.samples["latency_s"]) >= 20
    assert found.machine["provider"] == "CPUExecutionProvider"
    assert (found.machine["threads"], found.machine["batch_size"]) == (1, 4)
    assert found.machine["cores"] == os.cpu_count()
    assert lab.row(submission).lane == "cpu"
    board = lab.crew.services.leaderboard.board("task1", None)
    (row,) = (row for row in board.rows if row.submission_id == submission)
    assert row.metrics == {name: done.metrics[name] for name in ("accuracy", "latency_ms", "size_mb")}


def test_every_bad_model_gets_its_verdict_and_the_worker_takes_the_next(lab: Lab) -> None:
    # Given a worker, and in its queue an honest model after every bad one
    starts, pid = lab.worker.starts, lab.worker.pid
    pairs = []
    for number, (model, _) in enumerate(BAD.values()):
        pairs.append((lab.submit(model()), lab.submit(models.scaled(1.0 + number / 100))))
    # When it has worked them off
    for (name, (_, verdict)), (bad, honest) in zip(BAD.items(), pairs, strict=True):
        refused, scored = lab.wait(bad), lab.wait(honest)
        # Then the bad one has a verdict with a sentence
        assert (name, refused.state) == (name, "REJECTED")
        assert refused.error_code in verdict.split("|"), (name, refused.error)
        assert refused.error
        assert refused.error[0] != "{"
        assert refused.attempt == 1
        # And the honest one after it was scored, by the same worker, as the next
        assert (name, scored.state, scored.attempt) == (name, "EVALUATED", 1)
        assert refused.finished_at is not None
        assert scored.started_at is not None
        assert refused.finished_at <= scored.started_at
        print(f"{name}: next after {(scored.started_at - refused.finished_at).total_seconds():.3f} s")
    assert (lab.worker.starts, lab.worker.pid) == (starts, pid)
    workers = {lab.row(submission).worker for pair in pairs for submission in pair}
    assert len(workers) == 1


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_a_model_that_crashes_its_process_is_told_so(lab: Lab, number: signal.Signals) -> None:
    # Given a model whose process dies as in a fault of the runtime
    pid, submission = lab.worker.pid, lab.submit(models.endless())
    lab.wait(submission, "RUNNING")
    lab.child().send_signal(number)
    # Then that is its verdict, and the worker takes the next
    done = lab.wait(submission)
    assert (done.state, done.error_code) == ("REJECTED", "model_crashed")
    assert lab.wait(lab.submit(models.good())).state == "EVALUATED"
    assert lab.worker.pid == pid


def test_a_running_model_is_cancelled_and_the_next_one_starts(lab: Lab) -> None:
    submission, after = lab.submit(models.endless()), lab.submit(models.good())
    lab.wait(submission, "RUNNING")
    child = lab.child()
    lab.crew.services.submissions.cancel(lab.team, submission)
    assert lab.wait(after).state == "EVALUATED"
    assert lab.get(submission).state == "CANCELLED"
    _, alive = psutil.wait_procs([child], timeout=PATIENCE_S)
    assert alive == []


def test_a_killed_workers_model_is_run_again_by_the_next_and_scored_once(lab: Lab) -> None:
    # Given a worker in the middle of a model that takes a while
    submission = lab.submit(models.slow(4000))
    lab.wait(submission, "RUNNING")
    starts, child = lab.worker.starts, lab.child()
    # When it is killed
    os.kill(lab.worker.pid, signal.SIGKILL)
    # Then another one does it, and of the first neither its child nor its folder of answers stays
    done = lab.wait(submission)
    assert (done.state, done.attempt, done.run_no) == ("EVALUATED", 2, 1)
    _, alive = psutil.wait_procs([child], timeout=PATIENCE_S)
    assert alive == []
    assert lab.worker.starts == starts + 1
    folders = list((lab.crew.services.settings.home / "scratch").iterdir())
    assert len(folders) == 1
    assert list(folders[0].iterdir()) == []


def test_one_byte_too_many_is_refused_before_anything_is_stored(lab: Lab) -> None:
    service = lab.crew.services.acceptance
    with pytest.raises(TooLarge, match=r"at most 100\.0 MB"):
        service.open_upload(lab.team, "task1", "ranked", MAX_BYTES + 1)
    assert service.open_upload(lab.team, "task1", "ranked", MAX_BYTES).max_bytes == MAX_BYTES


def test_the_same_model_with_another_batch_size_is_measured_on_its_own(lab: Lab) -> None:
    first, second = (lab.submit(models.good(), batch_size=size) for size in (1, 8))
    assert first != second
    assert lab.submit(models.good(), batch_size=8) == second
    found = [lab.evaluation(lab.wait(submission).id) for submission in (first, second)]
    assert [one.machine["batch_size"] for one in found] == [1, 8]


def test_a_fixed_batch_that_the_option_contradicts_is_a_verdict(lab: Lab) -> None:
    done = lab.wait(lab.submit(models.good(batch=2), batch_size=8))
    assert (done.state, done.error_code) == ("REJECTED", "signature_mismatch")
