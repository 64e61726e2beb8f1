"""One running hub for all tests of a process; it takes seconds to start."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.site import TEAM_A, TEAM_B, Site, start
from tests.hub.visitor import Kernel, Visitor


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="goat-hub-") as folder:
        found = start(Path(folder).resolve())
        try:
            yield found
        finally:
            found.close()


@pytest.fixture(scope="session")
def personal() -> Iterator[Site]:
    """The other kind of hub: people log in as themselves, and edit together."""
    with tempfile.TemporaryDirectory(prefix="goat-hub-") as folder:
        found = start(Path(folder).resolve(), GOAT_HUB_LOGINS="personal", GOAT_HUB_COLLABORATION="1")
        try:
            for team, name in ((TEAM_A, "ada"), (TEAM_A, "grace"), (TEAM_B, "Bob")):
                found.add_member(team, name)
            yield found
        finally:
            found.close()


@pytest.fixture(scope="session")
def team_a(site: Site) -> Visitor:
    visitor = site.visitor(TEAM_A)
    visitor.start_server()
    return visitor


@pytest.fixture(scope="session")
def team_b(site: Site) -> Visitor:
    visitor = site.visitor(TEAM_B)
    visitor.start_server()
    return visitor


@pytest.fixture
def kernel_a(team_a: Visitor) -> Iterator[Kernel]:
    yield from _kernel(team_a)


@pytest.fixture
def kernel_b(team_b: Visitor) -> Iterator[Kernel]:
    yield from _kernel(team_b)


def _kernel(visitor: Visitor) -> Iterator[Kernel]:
    kernel = visitor.kernel()
    yield kernel
    kernel.close()
    visitor.server("DELETE", f"/api/kernels/{kernel.id}")
