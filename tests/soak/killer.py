"""Kills processes of a running service at random, with no warning, and notes what for."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

import psutil

Match = Callable[[str], bool]

PROGRAMS: Mapping[str, Match] = {
    "api": lambda line: line.endswith("scoring_service serve"),
    "worker": lambda line: "scoring_service worker" in line,
    "child": lambda line: "scoring_service.evaluation.forkserver" in line,
    "sweeper": lambda line: line.endswith("scoring_service sweeper"),
    "queue": lambda line: "valkey-server" in line,
}
WEIGHTS: Mapping[str, int] = {"api": 2, "worker": 4, "child": 4, "sweeper": 1, "queue": 2, "database": 1}
PAUSE_S = (0.5, 4.0)


class Killer(threading.Thread):
    """Every few seconds, SIGKILL for one process of a kind drawn at random, each kind at least once.

    An API that has accepted nothing since its last death is spared: on a slow machine it would never
    come up, and a service that accepts nothing can lose nothing. ``database`` is the pid of a
    PostgreSQL server whose backends are victims too.
    """

    def __init__(
        self,
        root: int,
        stop: threading.Event,
        *,
        seed: int,
        answers: Callable[[], bool],
        database: int | None = None,
        killed: Callable[[str, int], None] = lambda kind, pid: None,
    ) -> None:
        super().__init__(name="killer", daemon=True)
        self._root, self._halt, self._answers = psutil.Process(root), stop, answers
        self._database = database
        self._random = random.Random(seed)
        self._killed = killed
        self.kills: Counter[str] = Counter()

    def run(self) -> None:
        while not self._halt.wait(self._random.uniform(*PAUSE_S)):
            victims = self._victims()
            if "api" in victims and not self._answers():
                del victims["api"]
            if not victims:
                continue
            kind = self._draw(victims)
            victim = self._random.choice(victims[kind])
            with contextlib.suppress(psutil.NoSuchProcess):
                self._killed(kind, victim.pid)
                victim.kill()
                self.kills[kind] += 1

    def _draw(self, victims: Mapping[str, object]) -> str:
        """A kind that was not killed yet, if there is one; else any, by weight."""
        fresh = sorted(victims.keys() - self.kills.keys())
        if fresh:
            return self._random.choice(fresh)
        kinds = sorted(victims)
        return self._random.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]

    def _victims(self) -> dict[str, list[psutil.Process]]:
        found: dict[str, list[psutil.Process]] = {}
        for process in self._family(self._root):
            with contextlib.suppress(psutil.NoSuchProcess):
                line = " ".join(process.cmdline())
                for kind, match in PROGRAMS.items():
                    if match(line):
                        found.setdefault(kind, []).append(process)
        if self._database is not None:
            backends = [
                process
                for process in self._family(psutil.Process(self._database))
                if any("goat_soak" in part for part in _line(process))
            ]
            if backends:
                found["database"] = backends
        return found

    @staticmethod
    def _family(process: psutil.Process) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            return process.children(recursive=True)
        return []


def _line(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []


class Reruns(threading.Thread):
    """Measures how long a job whose worker was killed waits for its next attempt."""

    def __init__(
        self, running_on: Callable[[int], list[tuple[str, int]]], moved_on: Callable[[str, int], bool]
    ) -> None:
        super().__init__(name="reruns", daemon=True)
        self._running_on, self._moved_on = running_on, moved_on
        self._watched: list[tuple[str, int, float]] = []
        self.seconds: list[float] = []

    def killed(self, kind: str, pid: int) -> None:
        """Called right before a process is killed."""
        if kind == "worker":
            now = time.monotonic()
            self._watched += [(submission, attempt, now) for submission, attempt in self._running_on(pid)]

    def run(self) -> None:
        while True:
            time.sleep(0.1)
            for watched in list(self._watched):
                submission, attempt, since = watched
                if self._moved_on(submission, attempt):
                    self._watched.remove(watched)
                    self.seconds.append(time.monotonic() - since)
