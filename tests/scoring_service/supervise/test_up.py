"""What holds for everything under the supervisor, shown with light stand-ins for the programs."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.scoring_service.supervise.processes import STAND_INS, Up, processes_of, wait_for


@pytest.fixture
def home() -> Iterator[Path]:
    # pytest's own folders are too deep for a socket's path
    with tempfile.TemporaryDirectory(prefix="goat-up-") as folder:
        yield Path(folder).resolve() / "home"


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., Up]]:
    running: list[Up] = []

    def begin(*, ready: bool = True, **environ: str) -> Up:
        up = Up(home, command=STAND_INS, **environ)
        running.append(up)
        if ready:
            up.wait_until_ready()
        return up

    yield begin
    for up in running:
        up.clean_up()


@pytest.mark.parametrize(
    ("number", "programs"),
    [(signal.SIGTERM, "api worker stubborn"), (signal.SIGINT, "api worker")],
    ids=["SIGTERM although one program ignores it", "Ctrl-C"],
)
def test_a_signal_stops_everything_within_ten_seconds(start, home, number, programs):
    # Given everything running
    up = start(STAND_INS=programs)
    assert len(processes_of(home)) >= 4

    # When it is told to stop
    seconds = up.end(number)

    # Then all is gone in time, and the exit is a clean one
    assert seconds < 10
    assert processes_of(home) == []
    assert up.process.returncode == 0
    assert "stopped" in up.output


@pytest.mark.parametrize("name", ["queue", "api", "worker"])
def test_a_killed_program_is_started_again(start, name):
    up = start()
    before = up.running(name)

    os.kill(before, signal.SIGKILL)

    wait_for(lambda: up.pid_of(name) not in (0, before), f"a new {name}")
    wait_for(lambda: f"{name} died" in up.output, "a line that says so")


def test_a_program_that_fails_at_once_is_tried_until_it_stays(start, home):
    # Given a program that cannot run yet
    up = start(STAND_INS="api flaky")
    wait_for(lambda: "flaky does not stay up" in up.output, "a line that says so")
    assert "something is missing" in up.output

    # When the fault is repaired
    (home / "repaired").touch()

    # Then it comes up by itself
    wait_for(lambda: "flaky runs again" in up.output, "flaky to stay")


def test_killing_the_supervisor_leaves_no_orphan_and_it_comes_back(start, home):
    up = start()
    worker = up.running("worker")
    supervisor = int((home / "run" / "supervisor.pid").read_text())

    os.kill(supervisor, signal.SIGKILL)

    wait_for(lambda: up.pid_of("worker") not in (0, worker), "a new worker")
    assert worker not in [process.pid for process in processes_of(home)]
    assert up.end() < 10
    assert processes_of(home) == []


def test_killing_goat_server_up_itself_leaves_nothing_and_the_next_start_says_so(start, home):
    # Given a run that is killed
    up = start()
    up.end(signal.SIGKILL)
    wait_for(lambda: processes_of(home) == [], "everything to be gone", seconds=15)

    # When the next one starts
    again = start()

    # Then it takes over and says so
    assert f"the last run (process {up.process.pid}) ended without cleaning up" in again.output
    assert again.end() < 10


def test_a_second_start_on_the_same_home_says_who_is_there(start):
    up = start()

    second = start(ready=False)

    assert second.process.wait(30) == 1
    assert (
        f"already running in {up.home} (process {up.process.pid}, http://127.0.0.1:{up.port})"
        in second.output
    )
    assert "GOAT_HOME=" in second.output
    assert up.process.poll() is None


def test_a_port_in_use_is_named_with_one_that_is_free(start):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        up = start(ready=False, GOAT_API_PORT=str(port))

        assert up.process.wait(30) == 1
    assert f"Port {port} on 127.0.0.1 is in use" in up.output
    assert "GOAT_API_PORT=" in up.output


def test_everything_it_makes_is_for_its_own_user_only(start, home):
    start()
    for path in [home, *home.rglob("*")]:
        mode = stat.S_IMODE(path.lstat().st_mode)
        assert mode & 0o077 == 0, f"{path} has mode {mode:o}"
    assert stat.S_ISSOCK((home / "run" / "queue.sock").stat().st_mode)


def test_the_queue_server_has_no_port_and_keeps_its_content(start, home):
    import redis

    # Given something in the queue
    up = start()
    client = redis.Redis(unix_socket_path=str(home / "run" / "queue.sock"))
    client.set("a", "b")
    assert client.config_get("port") == {"port": "0"}
    client.close()

    # When everything is stopped and started again
    up.end()
    start()

    # Then it is still there
    client = redis.Redis(unix_socket_path=str(home / "run" / "queue.sock"))
    assert client.get("a") == b"b"
    client.close()


def test_warnings_reach_the_terminal_and_cannot_steer_it(start, home):
    up = start()
    wait_for(lambda: "api | " in up.output, "the warning")
    assert "a warning with ?[31mcolour" in up.output
    assert "nothing special" not in up.output
    assert "nothing special" in (home / "log" / "api.log").read_text()


def test_a_home_too_deep_for_a_socket_still_works(tmp_path):
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    up = Up(deep, command=STAND_INS)
    try:
        up.wait_until_ready()
        assert not (deep / "run" / "queue.sock").exists()
        assert up.end() < 10
    finally:
        up.clean_up()


def test_a_home_that_cannot_be_written_is_refused_in_one_sentence(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    result = subprocess.run(
        STAND_INS, env={**os.environ, "GOAT_HOME": str(blocked / "home")}, capture_output=True, text=True
    )
    assert result.returncode == 1
    assert "cannot be used" in result.stderr
    assert "Traceback" not in result.stderr
