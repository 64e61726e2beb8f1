"""The whole soak: set up, let clients and killer loose, settle, count, stop."""

from __future__ import annotations

import contextlib
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from sqlalchemy import create_engine, text

from scoring_service.migrations import migrate
from scoring_service.services import build_services
from scoring_service.settings import Settings
from tests.scoring_service import scripted
from tests.scoring_service.supervise.processes import WHOLE, Up
from tests.soak.checker import Tables, counted, expected_board, faults, settled
from tests.soak.clients import Client, read_log
from tests.soak.killer import Killer, Reruns
from tests.soak.plan import EVENT, PASSWORD, PER_DAY, TEAMS, write_event

SETTLE_S = 180.0
"""For the backlog to be worked off after the last kill, on a busy machine."""


class Soak:
    """One service under fire. Prints what happened; `found` holds every broken promise.

    ``disk`` is a folder for the service's data, apart from what the clients and the checker write.
    """

    def __init__(
        self,
        seconds: float,
        *,
        database_url: str = "",
        database_pid: int | None = None,
        disk: Path | None = None,
        seed: int | None = None,
    ) -> None:
        self.seconds = seconds
        self.seed = random.SystemRandom().getrandbits(32) if seed is None else seed
        self._database_url, self._database_pid, self._disk = database_url, database_pid, disk
        self.found: list[str] = []
        self.accepted = 0
        self.kills: Counter[str] = Counter()
        self.reruns: list[float] = []

    def run(self) -> None:
        # A short path: sockets live below it.
        with tempfile.TemporaryDirectory(prefix="goat-soak-") as folder:
            base = Path(folder).resolve()
            with self._service(base) as up:
                self._fire(up, base)
                self._settle()
                self._count(up, base)
                self._stop(up)
        self._report()

    @contextlib.contextmanager
    def _service(self, base: Path) -> Iterator[Up]:
        home = (self._disk or base) / "home"
        site = scripted.install(base / "site")
        self._url = self._database_url or f"sqlite:///{home / 'goat.sqlite3'}"
        environ = {
            "PYTHONPATH": os.pathsep.join([str(site), str(scripted.ROOT)]),
            "DATABASE_URL": self._url,
            "GOAT_EVENT": EVENT,
            "GOAT_FREE_SPACE_FLOOR": "0",
            "GOAT_ADMIN_PASSWORD": PASSWORD,
        }
        settings = Settings.from_env({"GOAT_HOME": str(home), **environ})
        with scripted.installed(base / "site-here"):
            services = build_services(settings)
            migrate(services.db)
            services.events.apply(write_event(base))
            for team in TEAMS:
                services.teams.add(team, PASSWORD)
            services.db.dispose()
        self._environ = {**os.environ, "GOAT_HOME": str(home), **environ}
        up = Up(home, command=WHOLE, **environ)
        try:
            up.wait_until_ready()
            yield up
        finally:
            up.clean_up()

    def _fire(self, up: Up, base: Path) -> None:
        over, safe = threading.Event(), threading.Event()
        url = f"http://127.0.0.1:{up.port}"
        self._log = base / "acknowledged.jsonl"
        self._clients = [Client(url, team, self._log, over, self.seed + n) for n, team in enumerate(TEAMS)]
        engine = create_engine(self._url.replace("postgresql://", "postgresql+psycopg://"))

        def ask(query: str, **values: object) -> list[tuple[str, int]]:
            with contextlib.suppress(Exception), engine.connect() as connection:  # the database may be away
                return [(row[0], row[1]) for row in connection.execute(text(query), values)]
            return []

        reruns = Reruns(
            lambda pid: ask(
                "SELECT id, attempt FROM submissions WHERE state = 'RUNNING' AND worker LIKE :worker",
                worker=f"%-{pid}-%",
            ),
            lambda submission, attempt: any(
                found > attempt or state == "EVALUATED"
                for state, found in ask(
                    "SELECT state, attempt FROM submissions WHERE id = :id", id=submission
                )
            ),
        )
        at_last_kill = [0]

        def killed(kind: str, pid: int) -> None:
            reruns.killed(kind, pid)
            if kind == "api":
                at_last_kill[0] = self._accepted_so_far()

        killer = Killer(
            up.process.pid,
            safe,
            seed=self.seed,
            answers=lambda: self._accepted_so_far() > at_last_kill[0],
            database=self._database_pid,
            killed=killed,
        )
        for thread in (*self._clients, reruns, killer):
            thread.start()
        time.sleep(self.seconds)
        safe.set()
        killer.join()
        over.set()
        for client in self._clients:
            client.join(60)
            assert not client.is_alive()
        self.kills, self.reruns = killer.kills, reruns.seconds

    def _accepted_so_far(self) -> int:
        return sum(client.statuses.get("201", 0) for client in self._clients)

    def _settle(self) -> None:
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline:
            with contextlib.suppress(Exception):  # the database may just be coming back
                if settled(self._url):
                    return
            time.sleep(0.5)
        self.found.append(f"the backlog was not worked off within {SETTLE_S:.0f} s")

    def _count(self, up: Up, base: Path) -> None:
        tables, promised = Tables.read(self._url), read_log(self._log)
        keys = set().union(*(client.keys for client in self._clients))
        self.accepted = len({promise.id for promise in promised})
        self.states = Counter(row["state"] for row in tables.submissions)
        self.found += faults(tables, promised, keys, up.home / "store")
        self.found += [reply for client in self._clients for reply in client.unexpected]
        with httpx.Client(base_url=f"http://127.0.0.1:{up.port}", timeout=30) as http:
            _patiently(lambda: http.get("/").raise_for_status())
            for challenge in ("images", "scripts"):
                self._compare_board(http, tables, challenge)
                for team in TEAMS:
                    self._compare_quota(http, tables, team, challenge)
        fsck = subprocess.run(
            [sys.executable, "-m", "scoring_service", "fsck"],
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
        )
        if fsck.returncode != 0:
            self.found.append(f"fsck: {fsck.stdout}{fsck.stderr}")

    def _compare_board(self, http: httpx.Client, tables: Tables, challenge: str) -> None:
        reply = http.get(f"/v1/challenges/{challenge}/leaderboard").raise_for_status().json()
        shown = sorted(
            (row["rank"], row["team_name"], row["score"], row["submission_id"], row["entries"])
            for row in reply["rows"]
        )
        expected = sorted(expected_board(tables, challenge))
        if shown != expected:
            self.found.append(f"board of {challenge}: shown {shown}, expected {expected}")

    def _compare_quota(self, http: httpx.Client, tables: Tables, team: str, challenge: str) -> None:
        login = http.post("/auth/login", json={"name": team, "password": PASSWORD}).raise_for_status().json()
        reply = http.get(
            f"/v1/challenges/{challenge}/limits",
            headers={"Authorization": f"Bearer {login['access_token']}"},
        ).raise_for_status()
        left = next(limit["left"] for limit in reply.json() if limit["limit"] == "per_day")
        if PER_DAY - left != counted(tables, team, challenge):
            self.found.append(
                f"{team} on {challenge}: {PER_DAY - left} counted, {counted(tables, team, challenge)} rows"
            )

    def _stop(self, up: Up) -> None:
        seconds = up.end()
        print(f"\nstopped in {seconds:.1f} s")

    def _report(self) -> None:
        statuses: Counter[str] = Counter()
        for client in self._clients:
            statuses.update(client.statuses)
        kills = ", ".join(f"{kind} {count}" for kind, count in sorted(self.kills.items()))
        print(f"soak of {self.seconds:.0f} s, seed {self.seed}")
        print(f"  killed: {kills}; together {self.kills.total()}")
        print(f"  replies: {', '.join(f'{what} {count}' for what, count in sorted(statuses.items()))}")
        print(f"  acknowledged: {self.accepted} submissions; rows: {dict(self.states)}")
        if self.reruns:
            times = sorted(self.reruns)
            p95 = times[min(len(times) - 1, int(0.95 * len(times)))]
            print(
                f"  jobs whose worker was killed ran again after: median {statistics.median(times):.1f} s, "
                f"p95 {p95:.1f} s, max {times[-1]:.1f} s ({len(times)} jobs)"
            )
        for fault in self.found:
            print(f"  FAULT {fault}")
        print("  none lost, none twice" if not self.found else f"  {len(self.found)} FAULTS")


def _patiently(act: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            act()
            return
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
