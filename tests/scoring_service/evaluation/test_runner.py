"""A child may do what it likes: its worker gets a verdict, in time, and lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from goat.errors import Problem, Rejection
from goat.kinds.base import Device, Limits
from scoring_service.evaluation.confine import CUDA_DATA_BYTES
from scoring_service.evaluation.runner import ChildRunner, EvaluatorFault, ForkServer, Stopped
from scoring_service.evaluation.wire import MAX_FILE_NAME, MAX_MESSAGE, MAX_PROBLEMS
from tests.scoring_service.evaluation import hostile

LIMITS = Limits(wall_s=30, cpu_s=20, memory_bytes=256 << 20)
SHORT = Limits(wall_s=0.5, cpu_s=20, memory_bytes=256 << 20)


@pytest.fixture
def runner(server: ForkServer) -> ChildRunner:
    return ChildRunner(server)


def verdict(runner: ChildRunner, function: object, *args: object, limits: Limits = LIMITS) -> str:
    with pytest.raises(Rejection) as caught:
        runner.call(function, *args, limits=limits)  # type: ignore[arg-type]
    return caught.value.verdict


def descendants(server: ForkServer) -> list[psutil.Process]:
    return psutil.Process(server.pid).children(recursive=True)


def test_plain_values_come_back(runner: ChildRunner) -> None:
    value = {"shape": [29, 96, 96], "files": ["a", "b"], "mean": 0.5, "nothing": None, "bytes": b"\x00\xff"}
    assert runner.call(hostile.echo, value, limits=LIMITS) == value


def test_a_result_comes_back_as_the_declared_type(runner: ChildRunner) -> None:
    found = runner.call(hostile.find, limits=LIMITS)
    assert found == hostile.Found((1, 2), {"a": Problem("code", "message", None)})
    assert isinstance(found, hostile.Found)


def test_a_result_of_another_type_than_declared_is_a_crash(runner: ChildRunner) -> None:
    assert verdict(runner, hostile.find_something_else) == "crashed"


def test_every_call_has_a_fresh_process_without_environment_or_open_files(
    runner: ChildRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "never to be seen")
    with open(__file__):
        found = runner.call(hostile.surroundings, limits=LIMITS)
    assert "SECRET_KEY" not in found["environment"]
    assert set(found["environment"]) <= {"LC_ALL", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
    assert found["folder"] == "/"
    assert set(found["descriptors"].values()) == {"/dev/null"}
    assert found["open"] == 4
    assert found["group"]


def test_the_fork_server_never_had_the_workers_environment(server: ForkServer) -> None:
    environment = psutil.Process(server.pid).environ()
    assert set(environment) <= {"LC_ALL", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}


def test_a_rejection_keeps_all_its_problems(runner: ChildRunner) -> None:
    with pytest.raises(Rejection) as caught:
        runner.call(hostile.complain, 300, limits=LIMITS)
    assert len(caught.value.problems) == 300
    assert caught.value.verdict == "wrong_shape"
    assert caught.value.problems[7].file == "sample_7.pt"
    assert "\x1b" not in caught.value.problems[0].message


def test_problems_of_a_hostile_child_are_cut_to_size(runner: ChildRunner) -> None:
    with pytest.raises(Rejection) as caught:
        runner.call(hostile.complain, 5 * MAX_PROBLEMS, limits=LIMITS)
    assert len(caught.value.problems) == MAX_PROBLEMS
    with pytest.raises(Rejection) as caught:
        runner.call(hostile.complain_strangely, limits=LIMITS)
    problem = caught.value.problems[0]
    assert problem.code == "rejected"
    assert len(problem.message) <= MAX_MESSAGE
    assert problem.file is not None
    assert len(problem.file) <= MAX_FILE_NAME
    assert "\u202e" not in problem.file


def test_a_child_that_sleeps_meets_the_wall_clock(runner: ChildRunner) -> None:
    assert verdict(runner, hostile.sleep, limits=SHORT) == "time_limit"


def test_a_child_that_computes_forever_meets_its_cpu_limit(runner: ChildRunner) -> None:
    assert verdict(runner, hostile.spin, limits=Limits(wall_s=60, cpu_s=1)) == "time_limit"


@pytest.mark.parametrize("bomb", [hostile.allocate, hostile.allocate_bit_by_bit])
def test_a_memory_bomb_meets_its_memory_limit(runner: ChildRunner, bomb: object) -> None:
    assert verdict(runner, bomb) == "memory_limit"


def test_a_child_starts_neither_process_nor_program_but_threads(runner: ChildRunner) -> None:
    assert runner.call(hostile.fork, limits=LIMITS) in ("PermissionError", "BlockingIOError")
    assert runner.call(hostile.execute, limits=LIMITS) == "PermissionError"
    assert runner.call(hostile.start_thread, limits=LIMITS) == [1]


@pytest.mark.parametrize(
    ("limits", "address_space", "threads"),
    [
        (LIMITS, True, False),
        (replace(LIMITS, threads=2), True, True),
        (replace(LIMITS, device="gpu"), False, True),
    ],
    ids=["one thread", "two threads", "GPU"],
)
def test_models_get_the_threads_and_the_address_space_they_need_and_still_no_process(
    runner: ChildRunner, limits: Limits, address_space: bool, threads: bool
) -> None:
    found = runner.call(hostile.bounds, limits=limits)
    assert (found["RLIMIT_AS"] != -1) == address_space
    assert (found["RLIMIT_NPROC"] != 0) == threads
    assert runner.call(hostile.fork, limits=limits) in ("PermissionError", "BlockingIOError")
    assert runner.call(hostile.start_thread, limits=limits) == [1]


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_private_memory_is_bounded_on_every_device(runner: ChildRunner, device: Device) -> None:
    room = replace(LIMITS, device=device)
    assert verdict(runner, hostile.allocate, CUDA_DATA_BYTES + (1 << 30), limits=room) == "memory_limit"


def test_a_fork_bomb_is_bounded_and_leaves_nothing(runner: ChildRunner, server: ForkServer) -> None:
    assert verdict(runner, hostile.fork_forever, limits=SHORT) == "time_limit"
    assert descendants(server) == []


def test_a_child_writes_no_file(runner: ChildRunner, tmp_path: Path) -> None:
    target = tmp_path / "file"
    with pytest.raises((Rejection, EvaluatorFault)):
        runner.call(hostile.write_file, str(target), limits=LIMITS)
    assert not target.exists() or target.stat().st_size == 0


@pytest.mark.parametrize(
    "end",
    [hostile.crash, hostile.leave, hostile.kill_itself, hostile.reply_garbage, hostile.nest_deeply],
    ids=lambda function: function.__name__,
)
def test_a_child_that_gives_no_proper_answer_crashed(runner: ChildRunner, end: object) -> None:
    assert verdict(runner, end) == "crashed"
    assert runner.call(hostile.echo, "next", limits=LIMITS) == "next"


def test_a_reply_is_never_executed(runner: ChildRunner, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    assert verdict(runner, hostile.reply_pickle, str(canary)) == "crashed"
    assert not canary.exists()


def test_a_reply_is_bounded(runner: ChildRunner) -> None:
    started = time.monotonic()
    assert verdict(runner, hostile.promise_too_much) == "crashed"
    assert time.monotonic() - started < LIMITS.wall_s
    with pytest.raises(EvaluatorFault, match="too long"):
        runner.call(hostile.reply_hugely, limits=LIMITS)


@pytest.mark.parametrize("bug", [hostile.fail, hostile.return_a_class])
def test_a_bug_of_ours_is_no_verdict(runner: ChildRunner, bug: object) -> None:
    with pytest.raises(EvaluatorFault):
        runner.call(bug, limits=LIMITS)  # type: ignore[arg-type]


def test_a_child_killed_from_outside_is_run_again(runner: ChildRunner, tmp_path: Path) -> None:
    assert runner.call(hostile.kill_itself_once, str(tmp_path / "mark"), limits=LIMITS) == "second time"


def test_a_running_call_is_abandoned_when_asked(server: ForkServer) -> None:
    stop = threading.Event()
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    with pytest.raises(Stopped):
        ChildRunner(server, stop).call(hostile.sleep, limits=LIMITS)
    assert descendants(server) == []


def test_a_killed_fork_server_is_started_again(server: ForkServer, runner: ChildRunner) -> None:
    # Given a job whose fork server is killed while it runs
    victim = server.pid
    assert victim is not None
    timer = threading.Timer(0.2, os.kill, (victim, signal.SIGKILL))
    timer.start()
    # When it is waited for, it meets its own limit, in a child of another server
    assert verdict(runner, hostile.sleep, limits=Limits(wall_s=1)) == "time_limit"
    assert server.pid != victim
    assert runner.call(hostile.echo, 1, limits=LIMITS) == 1


WORKER = """
from goat.kinds.base import Limits
from scoring_service.evaluation.runner import ChildRunner, ForkServer
from tests.scoring_service.evaluation import hostile
server = ForkServer()
server.start()
print("ready", flush=True)
ChildRunner(server).call(hostile.sleep, limits=Limits(wall_s=600))
"""


def test_fork_server_and_child_end_with_their_worker_even_when_it_is_killed() -> None:
    # Given a worker process that waits for a child
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", WORKER], cwd=root, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n"
        family = wait_for(lambda: psutil.Process(worker.pid).children(recursive=True), at_least=2)
        # When it is killed
        worker.kill()
    # Then nothing of it is left
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


def wait_for(find: Callable[[], list[psutil.Process]], *, at_least: int) -> list[psutil.Process]:
    deadline = time.monotonic() + 20
    while len(found := find()) < at_least:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found
