"""JupyterLab, the whole hub, and a browser on this machine."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scoring_service.services import Services
from tests.browser.chromium import artefacts, chromium
from tests.browser.hackathon import Hackathon, hackathon
from tests.browser.lab import Lab, running_lab
from tests.browser.notebook import Notebook
from tests.browser.venue import Person, Venue, open_venue
from tests.hub.site import TEAM_A, TEAM_B
from tests.scoring_service.conftest import (  # noqa: F401  # fixtures
    cheap_password_hashes,
    sqlite_services,
    sqlite_template,
    sqlite_url,
)


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


@pytest.fixture
def site(sqlite_services: Services, tmp_path: Path) -> Iterator[Hackathon]:  # noqa: F811  # a fixture
    folder = tmp_path / "world"
    folder.mkdir()
    with hackathon(sqlite_services, folder) as found:
        yield found


@pytest.fixture
def lab(site: Hackathon, tmp_path: Path, browser: Any) -> Iterator[Lab]:
    """JupyterLab for the team ``team_awesome``, without a hub."""
    site.team("team_awesome")
    with running_lab(site.url, "team_awesome", tmp_path, browser) as found:
        yield found
