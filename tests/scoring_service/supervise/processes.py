"""Start ``goat-server up`` (whole, or with light stand-ins for its programs) and see what it runs."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

PATIENCE_S = 60.0


def wait_for(condition: Callable[[], object], what: str, seconds: float = PATIENCE_S) -> None:
    """Return when the condition holds; fail with a sentence when it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for: {what}"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processes_of(home: Path) -> list[psutil.Process]:
    """Every living process that works for a GOAT_HOME: all of them carry it in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("GOAT_HOME") == str(home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


class Up:
    """A running ``goat-server up``, its output in a file."""

    def __init__(self, home: Path, *, command: list[str], port: int | None = None, **environ: str) -> None:
        self.home = home
        self.port = port or free_port()
        home.parent.mkdir(parents=True, exist_ok=True)
        self.output_file = home.parent / f"output-{time.monotonic_ns()}.txt"
        # The settings of whoever runs the tests must not reach the service under test.
        ours = ("GOAT_", "DATABASE_URL", "REDIS_", "WORKER_COUNT", "SECRET_KEY")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        env = {**clean, "GOAT_HOME": str(home), "GOAT_API_PORT": str(self.port), **environ}
        with self.output_file.open("w") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=env
            )

    @property
    def output(self) -> str:
        return self.output_file.read_text()

    def wait_until_ready(self, seconds: float = 110) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, self.output
            return "MLS-GOAT is running" in self.output

        wait_for(ready, "the welcome", seconds)

    def running(self, name: str) -> int:
        """Process id of one supervised program once it runs, never 0."""
        wait_for(lambda: self.pid_of(name), f"{name} to run")
        pid = self.pid_of(name)
        assert pid > 1  # a signal to process 0 would hit the tests themselves
        return pid

    def pid_of(self, name: str) -> int:
        """Process id of one supervised program; 0 while it does not run."""
        from scoring_service.settings import Settings
        from scoring_service.supervise.control import Supervisord

        states = Supervisord(Settings.from_env({"GOAT_HOME": str(self.home)})).states()
        return next((state.pid for state in states if state.name == name and state.state == "RUNNING"), 0)

    def holder(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.home / "up.lock").read_text() or "{}")
        return found

    def end(self, number: int = signal.SIGTERM) -> float:
        """Send a signal and wait; returns the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30)
        return time.monotonic() - began

    def clean_up(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for process in processes_of(self.home):
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue


STAND_INS = [sys.executable, str(Path(__file__).with_name("stand_ins.py"))]
WHOLE = [sys.executable, "-m", "scoring_service", "up", "--no-hub"]
