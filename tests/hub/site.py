"""The real thing, as an organiser starts it: ``goat-server up`` with a hub, on its own ports and users."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from scoring_service.settings import Settings
from scoring_service.supervise.checks import is_free
from scoring_service.supervise.control import Supervisord
from tests.hub.visitor import Visitor
from tests.scoring_service.supervise.processes import Up, free_port, wait_for

COMMAND = [sys.executable, "-m", "scoring_service", "up"]
MEMORY = 1_500_000_000  # of each team: more than it needs, and less than the machine has
ADMIN, TEAM_A, TEAM_B = "admin", "team_awesome", "Team-B"
PASSWORDS = {ADMIN: "an organiser's word", TEAM_A: "team_a's own word", TEAM_B: "team_b's own word"}
PERSON = "a person's own word"
"""The password of every member."""


def free_ports(count: int) -> int:
    """The first of some neighbouring ports that are free."""
    while True:
        first = free_port()
        if first + count < 65536 and all(is_free("127.0.0.1", first + n) for n in range(count)):
            return first


@dataclass
class Site:
    """A running service with its hub, an organiser and two teams."""

    up: Up
    hub_port: int
    starters: Path
    uid_base: int
    visitors: list[Visitor] = field(default_factory=list)

    @property
    def hub(self) -> str:
        return f"http://127.0.0.1:{self.hub_port}"

    @property
    def service(self) -> str:
        return f"http://127.0.0.1:{self.up.port}"

    def visitor(self, name: str) -> Visitor:
        """Somebody who is logged in."""
        found = self.stranger()
        reply = found.log_in(name, PASSWORDS[name])
        assert reply.status_code == 200, reply.text
        found.name = name.lower()
        return found

    def stranger(self) -> Visitor:
        """Somebody who is not logged in."""
        self.visitors.append(Visitor(self.hub))
        return self.visitors[-1]

    def close(self) -> None:
        for visitor in self.visitors:
            visitor.http.close()
        self.up.end()
        self.up.clean_up()

    def admin(self, method: str, path: str, **options: object) -> httpx.Response:
        """A call of the service's API as the organiser."""
        body = {"name": ADMIN, "password": PASSWORDS[ADMIN]}
        token = httpx.post(f"{self.service}/auth/login", json=body, timeout=30).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.request(method, f"{self.service}{path}", headers=headers, timeout=30, **options)  # type: ignore[arg-type]

    def add_member(self, team: str, name: str) -> None:
        body = {"name": name, "password": PERSON}
        reply = self.admin("POST", f"/admin/teams/{team}/members", json=body)
        assert reply.status_code == 201, reply.text

    def member(self, name: str, password: str = PERSON) -> Visitor:
        """Somebody who is logged in with an account of their own, at the login page and no further."""
        found = self.stranger()
        found.http.follow_redirects = False
        reply = found.log_in(name, password)
        assert reply.status_code == 302, reply.text
        found.http.follow_redirects = True
        found.name = name.lower()
        return found

    def processes_of_teams(self) -> list[int]:
        """Living processes that run as a team's user."""
        numbers = range(self.uid_base, self.uid_base + 100)
        return [p.pid for p in psutil.process_iter(["uids"]) if p.info["uids"].real in numbers]


def start(folder: Path, *, user: int = 0, **environ: str) -> Site:
    """Start everything, as another user if one is named, and make the second team."""
    starters = folder / "starters"
    (starters / "more").mkdir(parents=True)
    (starters / "01_first.ipynb").write_text(
        '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    )
    (starters / "more" / "notes.md").write_text("starter")
    for path in (folder, starters, starters / "more"):
        path.chmod(0o755)
    hub_port = free_ports(3)
    uid_base = 100_000 + hub_port * 100  # two runs of these tests at once share nobody
    settings = {
        "GOAT_HUB_PORT": str(hub_port),
        "GOAT_HUB_UID_BASE": str(uid_base),
        "GOAT_HUB_NOTEBOOKS": str(starters),
        "GOAT_ADMIN_PASSWORD": PASSWORDS[ADMIN],
        "GOAT_DEMO_PASSWORD": PASSWORDS[TEAM_A],
        "WORKER_COUNT": "1",
        "GOAT_HUB_MEMORY": str(MEMORY),
        **environ,
    }
    become: list[str] = []
    if user:
        os.chown(folder, user, user)
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        settings |= {"HOME": str(folder)}
    up = Up(folder / "home", command=[*become, *COMMAND], **settings)
    site = Site(up, hub_port, starters, uid_base)
    try:
        up.wait_until_ready(200)  # hub and proxy start too, beside whatever other tests run
        reply = site.admin("POST", "/admin/teams", json={"name": TEAM_B, "password": PASSWORDS[TEAM_B]})
        assert reply.status_code == 201, reply.text
    except BaseException:
        site.close()
        raise
    return site


def switch(site: Site, name: str, *, on: bool) -> None:
    """Stop or start one program, as an organiser who repairs something would."""
    settings = Settings.from_env({"GOAT_HOME": str(site.up.home)})
    with Supervisord(settings)._rpc() as supervisor:
        (supervisor.startProcess if on else supervisor.stopProcess)(f"goat:{name}")


def wait_for_hub(site: Site) -> None:
    def healthy() -> bool:
        try:
            return httpx.get(f"{site.hub}/hub/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    wait_for(healthy, "the hub to answer")
    time.sleep(0.1)
