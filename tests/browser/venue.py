"""The whole hackathon as an organiser starts it, and people with browsers who come to its hub."""

from __future__ import annotations

import io
import os
import signal
import tempfile
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from goat.client import Client
from goat.readers import read_pt, write_pt
from hub_config.keeper import MARK
from scoring_service.settings import Settings
from scoring_service.supervise.control import Supervisord
from tests.browser.notebook import BOOK, READY, Notebook, book
from tests.hub.site import ADMIN, PASSWORDS, TEAM_A, TEAM_B, Site, start, wait_for_hub
from tests.hub.visitor import Visitor
from tests.scoring_service.supervise.processes import wait_for

ROOT = Path(__file__).parents[2]
RIVALS = ("the_pixels", "noise-busters", "blur_patrol", "dead.reckoning", "tile_smiths", "grain")
# JupyterLab hands its insides to the page, for waiting on the kernel. A team may configure its server so.
EXPOSE = "c = get_config()\nc.LabApp.expose_app_in_browser = True\n"


@dataclass
class Venue:
    """A running ``goat-server up`` with its hub, two teams that come by browser and some rivals."""

    site: Site
    rivals: dict[str, str] = field(default_factory=dict)

    @property
    def hub(self) -> str:
        return self.site.hub

    def home_of(self, team: str) -> Path:
        """The team's folder, as its server sees it."""
        return self.site.up.home / "hub/teams" / team.lower()

    @cached_property
    def _inputs(self) -> list[tuple[str, Any, Any]]:
        """Name, damaged tile and a quickly repaired one (a median of neighbours) of each answer."""
        found = []
        with tempfile.TemporaryDirectory() as folder, self.client(TEAM_A) as client:
            archive = Path(folder) / "eval.zip"
            parts = {part.name: part for part in client.challenge("task1").data}
            client.download("task1", parts[archive.name], archive)
            with zipfile.ZipFile(archive) as file:
                file.extractall(folder)
            for path in sorted(Path(folder).rglob("*.pt")):
                image = read_pt(path)
                found.append((path.name, image, _median(image)))
        return found

    def client(self, team: str) -> Client:
        return Client(
            self.site.service, team_id=team, password=PASSWORDS.get(team) or self.rivals.get(team, "")
        )

    def answers(self, repair: float) -> bytes:
        """Answers as a zip; ``repair`` from 0 (as damaged) to 1 says how good they are."""
        mixed = {name: (1 - repair) * bad + repair * good for name, bad, good in self._inputs}
        return _zipped(mixed, zipfile.ZIP_STORED)

    def coarse_answers(self, levels: int) -> bytes:
        """Answers of so few grey levels that they are small when packed."""
        coarse = {name: np.round(good * levels) / levels for name, _, good in self._inputs}
        return _zipped(coarse, zipfile.ZIP_DEFLATED)

    def put(self, team: str, name: str, content: bytes) -> None:
        """Lay a file into a team's folder, as its own."""
        home = self.home_of(team)
        (home / name).write_bytes(content)
        os.chown(home / name, home.stat().st_uid, home.stat().st_gid)

    def submit(self, team: str, repair: float) -> str:
        """A submission of this team from elsewhere, not waited for; its id."""
        with tempfile.TemporaryDirectory() as folder, self.client(team) as client:
            path = Path(folder) / "answers.zip"
            path.write_bytes(self.answers(repair))
            return client.submit("task1", path, mode="ranked", filename=path.name).id

    def rival(self, number: int) -> str:
        """A team that never opens a browser."""
        name = RIVALS[number]
        if name not in self.rivals:
            self.rivals[name] = f"the password of {name}"
            reply = self.site.admin(
                "POST", "/admin/teams", json={"name": name, "password": self.rivals[name]}
            )
            assert reply.status_code == 201, reply.text
        return name

    # --- what happens to it ---------------------------------------------------------------------

    def kill(self, name: str) -> None:
        """End a program as a crash would; the supervisor brings it back."""
        before = self.site.up.running(name)
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: self.site.up.pid_of(name) != before, f"the end of {name}")

    def until_back(self, name: str) -> None:
        """Wait until a program that was killed runs again, and answers."""
        self.site.up.running(name)
        if name == "api":
            wait_for(lambda: _answers(f"{self.site.service}/"), "the service")
        if name in ("hub", "proxy"):
            wait_for_hub(self.site)

    def kill_kernel(self, team: str) -> None:
        """End the team's kernels as the system does when memory runs out."""
        for process in psutil.process_iter(["environ", "cmdline"]):
            theirs = (process.info["environ"] or {}).get(MARK) == str(self.home_of(team))
            if theirs and "ipykernel_launcher" in (process.info["cmdline"] or ()):
                process.kill()

    def uploads(self, team: str) -> list[Path]:
        """What the panel has put into the team's folder."""
        folder = self.home_of(team) / "uploads"
        return [path for path in folder.iterdir() if not path.name.startswith(".")] if folder.exists() else []

    def switch(self, name: str, *, on: bool) -> None:
        """Stop or start one program, as an organiser who repairs something would."""
        settings = Settings.from_env({"GOAT_HOME": str(self.site.up.home)})
        with Supervisord(settings)._rpc() as supervisor:
            (supervisor.startProcess if on else supervisor.stopProcess)(f"goat:{name}")

    def ban(self, team: str, *, on: bool) -> None:
        self.site.admin("PUT", f"/admin/teams/{team}/banned", json={"banned": on})

    def organiser(self) -> Visitor:
        return self.site.visitor(ADMIN)


def open_venue(folder: Path) -> Venue:
    site = start(folder, GOAT_HUB_NOTEBOOKS=str(ROOT / "notebooks"))
    venue = Venue(site)
    for team in (TEAM_A, TEAM_B):
        place = venue.home_of(team) / ".jupyter"
        place.mkdir(parents=True)
        (place / "jupyter_lab_config.py").write_text(EXPOSE)
    return venue


def _zipped(images: dict[str, Any], how: int) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", how) as file, tempfile.TemporaryDirectory() as folder:
        for name, image in images.items():
            write_pt(Path(folder) / name, image.astype(np.float32))
            file.write(Path(folder) / name, name)
    return target.getvalue()


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _median(image: Any) -> Any:
    """(channels, height, width): each value by the median of its 5 × 5 neighbours that were not lost."""
    padded = np.pad(image, ((0, 0), (2, 2), (2, 2)), mode="edge")
    height, width = image.shape[1:]
    around = np.stack([padded[:, y : y + height, x : x + width] for y in range(5) for x in range(5)])
    measured = (around > 0).sum(axis=0, keepdims=True)
    around[around == 0] = np.inf
    around.sort(axis=0)
    middle = np.take_along_axis(around, np.maximum(measured - 1, 0) // 2, axis=0)[0]
    return np.where(np.isfinite(middle), middle, 0.5)


class Person(Notebook):
    """A member of a team at the hub, with a browser of their own."""

    def __init__(self, venue: Venue, page: Any, team: str) -> None:
        super().__init__(page, f"{venue.hub}/user/{team.lower()}")
        self.venue = venue
        self.team = team

    @classmethod
    def arrive(cls, venue: Venue, browser: Any, team: str) -> Person:
        """Open the hub's address, fill in the form, wait for the server's first notebook."""
        context = browser.new_context(viewport={"width": 1280, "height": 1000})
        person = cls(venue, context.new_page(), team)
        person.page.goto(venue.hub)
        person.log_in(PASSWORDS[team])
        person.page.wait_for_function(READY, timeout=120_000)
        return person

    def log_in(self, password: str) -> None:
        """Fill in the login page that is on the screen."""
        self.page.get_by_label("Username").fill(self.team)
        self.page.get_by_label("Password").fill(password)
        self.page.locator("#login_submit").click()

    def open(self, *cells: str) -> None:
        """A notebook of these cells, its kernel fresh and ready."""
        self._enter()
        self.page.evaluate(
            "async content => { const app = window.jupyterapp.serviceManager;"
            " for (const s of app.sessions.running()) await app.sessions.shutdown(s.id);"
            f" await app.contents.save('{BOOK}', {{ type: 'notebook', format: 'json', content }}) }}",
            book(*cells),
        )
        self.show()

    def _enter(self) -> None:
        """Go (back) to JupyterLab, wherever the page is: a test before may have left it at the hub."""
        if self.page.evaluate("() => !window.jupyterapp?.serviceManager"):
            self.page.goto(f"{self.url}/lab?reset")
            if self.page.get_by_label("Password").count():
                self.log_in(PASSWORDS[self.team])
            self.page.wait_for_function("() => window.jupyterapp?.serviceManager", timeout=120_000)

    def slow(self, *, latency_ms: float, bytes_per_s: float) -> None:
        """Make this browser's network slow, websockets included; 0 and -1 make it fast again."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("Network.enable")
        session.send(
            "Network.emulateNetworkConditions",
            {
                "offline": False,
                "latency": latency_ms,
                "downloadThroughput": bytes_per_s,
                "uploadThroughput": bytes_per_s,
            },
        )

    def get(self, path: str) -> int:
        """The status that a request of this browser to the own server gets, 0 for none."""
        cookies = {cookie["name"]: cookie["value"] for cookie in self.page.context.cookies(f"{self.url}/")}
        try:
            return httpx.get(f"{self.url}{path}", cookies=cookies, timeout=5, trust_env=False).status_code
        except httpx.HTTPError:
            return 0

    # --- the panel ------------------------------------------------------------------------------

    def ranked(self, path: str) -> None:
        """Choose "Ranked" and name the answers in the panel."""
        self.page.get_by_role("button", name="Ranked").click()
        field = self.page.get_by_placeholder("folder or file with your answers")
        field.fill(path)
        field.press("Tab")

    def press(self, name: str) -> None:
        """Press one of the panel's buttons."""
        self.page.locator(".goat-panel").get_by_role("button", name=name).click()

    def choose_file(self, path: Path) -> None:
        """Give a file of this machine to the panel's upload button."""
        self.page.locator(".goat-upload input[type=file]").first.set_input_files(str(path))
