"""JupyterLab, the whole hub, and a browser on this machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goat.client import Client
from hub_config.plan import SINGLEUSER
from scoring_service.services import Services
from tests.browser.chromium import artefacts, chromium
from tests.browser.hackathon import Hackathon, hackathon
from tests.browser.notebook import BOOK, Notebook, book
from tests.browser.venue import Person, Venue, open_venue
from tests.hub.site import TEAM_A, TEAM_B
from tests.scoring_service.conftest import (  # noqa: F401  # fixtures
    cheap_password_hashes,
    sqlite_services,
    sqlite_template,
    sqlite_url,
)
from tests.scoring_service.world import PASSWORD


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Closed with the folder's last test: until then this thread has an event loop, which trips others."""
    with chromium() as found:
        yield found


# --- the whole thing --------------------------------------------------------------------------


@pytest.fixture(scope="package")
def venue() -> Iterator[Venue]:
    with tempfile.TemporaryDirectory(prefix="goat-venue-") as folder:
        began = time.monotonic()
        found = open_venue(Path(folder).resolve())
        print(f"venue open after {time.monotonic() - began:.1f} s")
        try:
            yield found
        finally:
            found.site.close()


@pytest.fixture(scope="package")
def ada(venue: Venue, browser: Any) -> Iterator[Person]:
    """Somebody of the first team, logged in, the server's notebook on the screen."""
    yield from _arrive(venue, browser, TEAM_A)


@pytest.fixture(scope="package")
def bob(venue: Venue, browser: Any) -> Iterator[Person]:
    """Somebody of the other team."""
    yield from _arrive(venue, browser, TEAM_B)


def _arrive(venue: Venue, browser: Any, team: str) -> Iterator[Person]:
    began = time.monotonic()
    person = Person.arrive(venue, browser, team)
    print(f"{team}: from the login page to a notebook in {time.monotonic() - began:.1f} s")
    yield person
    person.page.context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    """Keep what was on the screens when a test failed."""
    report = yield
    if report.when == "call" and report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Notebook):
                value.page.screenshot(path=str(artefacts() / f"failed-{item.name}-{name}.png"))
    return report


# --- a plain JupyterLab -----------------------------------------------------------------------


class Lab(Notebook):
    """A running JupyterLab in ``folder``, without a hub."""

    def __init__(self, page: Any, url: str, folder: Path) -> None:
        super().__init__(page, url)
        self.folder = folder

    def open(self, *cells: str) -> None:
        """A notebook of these cells, its kernel ready."""
        (self.folder / BOOK).write_text(json.dumps(book(*cells)))
        self.show()


@pytest.fixture
def site(sqlite_services: Services, tmp_path: Path) -> Iterator[Hackathon]:  # noqa: F811  # a fixture
    folder = tmp_path / "world"
    folder.mkdir()
    with hackathon(sqlite_services, folder) as found:
        yield found


@pytest.fixture
def lab(site: Hackathon, tmp_path: Path, browser: Any) -> Iterator[Lab]:
    """JupyterLab for the team ``team_awesome``, without a hub."""
    folder = tmp_path / "lab"
    folder.mkdir()
    site.team("team_awesome")
    with Client(site.url, team_id="team_awesome", password=PASSWORD) as client:
        token = client.login("team_awesome", PASSWORD).access_token
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "GOAT_URL": site.url,
        "GOAT_TOKEN": token,
        "HOME": str(tmp_path / "home"),
        "GOAT_CACHE": str(tmp_path / "cache"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "JUPYTER_CONFIG_PATH": str(SINGLEUSER / "alone"),  # one person, as in a team's server
    }
    options = (
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.open_browser=False",
        "--IdentityProvider.token=",
        "--LabApp.expose_app_in_browser=True",
        "--allow-root",
        f"--ServerApp.root_dir={folder}",
        "--LabApp.extension_manager=readonly",
    )
    with (tmp_path / "lab.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options], env=environment, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{url}/api/status")
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        yield Lab(page, url, folder)
        page.close()
    finally:
        server.terminate()
        server.wait(timeout=60)


def wait_for(address: str) -> None:
    until = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            assert time.monotonic() < until, f"{address} did not answer"
            time.sleep(0.2)
