"""supervisord as an object: start it, see what its programs do, stop it with all of them."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from hub_config.plan import Plan
from scoring_service.settings import Settings, runtime_folder
from scoring_service.supervise import config

DAEMON = "scoring_service.supervise.daemon"
OPEN_FILES = 8192  # every open board is a connection
LONGEST_WAIT_S = 10.0
"""supervisord waits one second longer after each failed start; beyond this we start afresh."""

_RPC_TROUBLE = (OSError, HTTPException, xmlrpc.client.Error)


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One supervised process, as supervisord sees it."""

    name: str
    group: str
    state: str
    """STARTING, RUNNING, BACKOFF (waits before the next try), STOPPING, EXITED, FATAL, STOPPED."""
    pid: int
    exit_status: int
    started: int
    """Seconds since the epoch, for display only."""


class Supervisord:
    """The supervisor of one GOAT_HOME."""

    def __init__(self, settings: Settings, hub: Plan | None = None) -> None:
        self._settings = settings
        self._hub = hub
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting_since: dict[str, float] = {}

    def write_config(self) -> None:
        """Write what supervisord and the queue server read, readable by our user only."""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        limit = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
        folder = runtime_folder(self._settings.home)
        (folder / "supervisor.conf").write_text(config.supervisor_config(self._settings, limit, self._hub))
        if self._settings.embedded_queue:
            config.queue_config_path(self._settings).write_text(config.queue_config(self._settings))

    def start(self) -> None:
        """Start supervisord, and through it every program; returns at once."""
        path = runtime_folder(self._settings.home) / "supervisor.conf"
        # TERM, should we be killed: it then stops everything in order by itself.
        command = config.launch(sys.executable, "-m", DAEMON, "-c", str(path), options=("--signal", "TERM"))
        with (config.log_folder(self._settings) / "supervisor.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A session of its own: Ctrl-C reaches only us, and we stop it in order.
                start_new_session=True,
                env={**os.environ, "GOAT_HOME": str(self._settings.home)},
            )

    @property
    def exit_status(self) -> int | None:
        """None while it runs; negative is the number of the signal that ended it."""
        return self._process.poll() if self._process else None

    def states(self) -> list[ProcessState]:
        """All processes; empty while supervisord does not answer (yet)."""
        try:
            with self._rpc() as supervisor:
                found = supervisor.getAllProcessInfo()
        except _RPC_TROUBLE:
            return []
        return [
            ProcessState(
                name=info["name"],
                group=info["group"],
                state=info["statename"],
                pid=info["pid"],
                exit_status=info["exitstatus"],
                started=info["start"],
            )
            for info in found
        ]

    def shorten_waits(self, states: list[ProcessState]) -> None:
        """Start again what has been waiting for long, so that a repaired fault heals within seconds."""
        now = time.monotonic()
        waiting = {state.name: state for state in states if state.state in ("BACKOFF", "FATAL")}
        self._waiting_since = {name: self._waiting_since.get(name, now) for name in waiting}
        for name, since in self._waiting_since.items():
            if now - since > LONGEST_WAIT_S:
                full_name = f"{waiting[name].group}:{name}"
                with contextlib.suppress(*_RPC_TROUBLE), self._rpc() as supervisor:
                    supervisor.stopProcess(full_name)
                with contextlib.suppress(*_RPC_TROUBLE), self._rpc() as supervisor:
                    supervisor.startProcess(full_name, False)
                self._waiting_since[name] = now

    def stop(self, patience_s: float) -> bool:
        """Stop everything in order; after ``patience_s`` by force. True if force was not needed."""
        if self._process is None:
            return True
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(patience_s)
            return True
        except subprocess.TimeoutExpired:
            # On Linux every program dies with it (see `child`).
            self._process.kill()
            self._process.wait()
            return False

    def stop_leftover(self) -> bool:
        """Stop a supervisor that a crashed predecessor left behind. True if there was one."""
        if not config.control_socket(self._settings).exists():
            return False
        try:
            with self._rpc() as supervisor:
                pid = int(supervisor.getPID())
                supervisor.shutdown()
        except _RPC_TROUBLE:
            return False
        deadline = time.monotonic() + config.STOP_SERVICES_S + config.STOP_QUEUE_S + 2
        while time.monotonic() < deadline:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return True
            time.sleep(0.1)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return True

    @contextlib.contextmanager
    def _rpc(self) -> Iterator[Any]:
        """supervisord's own interface, for a call or two."""
        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(None, None, f"unix://{config.control_socket(self._settings)}")
        try:
            yield xmlrpc.client.ServerProxy("http://localhost", transport=transport).supervisor
        finally:
            if transport.connection is not None:
                transport.close()
