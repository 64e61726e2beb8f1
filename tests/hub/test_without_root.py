"""The same walls where the organiser is not root: bubblewrap, with everything as one user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.site import TEAM_A, TEAM_B, Site, start
from tests.hub.test_memory import MANY
from tests.hub.test_probes import cell, facts_about, findings
from tests.hub.visitor import Visitor

ORGANISER = 54399
AS_ORGANISER = ["setpriv", f"--reuid={ORGANISER}", f"--regid={ORGANISER}", "--clear-groups"]

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(os.geteuid() != 0, reason="becoming an ordinary user needs root"),
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="apt-get install bubblewrap"),
]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A hub that an ordinary user has started."""
    trial = [*AS_ORGANISER, sys.executable, "-c", "import jupyterhub.singleuser, goat"]
    done = subprocess.run(trial, capture_output=True, text=True, cwd="/")
    if done.returncode != 0:
        pytest.skip(f"this checkout cannot be read by other users: {done.stderr.strip()[-200:]}")
    with tempfile.TemporaryDirectory(prefix="goat-plain-") as folder:
        found = start(Path(folder).resolve(), user=ORGANISER)
        try:
            yield found
        finally:
            found.close()


@pytest.fixture(scope="module")
def teams(site: Site) -> tuple[Visitor, Visitor]:
    visitors = site.visitor(TEAM_A), site.visitor(TEAM_B)
    for visitor in visitors:
        visitor.start_server()
    return visitors


def test_a_notebook_in_bubblewrap_finds_nothing_that_is_not_its_own(
    site: Site, teams: tuple[Visitor, Visitor]
) -> None:
    # Given two teams at work, whose servers run as the organiser's own user
    assert "isolation   bubblewrap" in site.up.output
    file = {"type": "file", "format": "text", "content": "secret"}
    assert teams[0].server("PUT", "/api/contents/idea.txt", json=file).status_code == 201
    kernel = teams[1].kernel()
    assert kernel.run("import os, goat; print(os.getuid(), goat.whoami().team_name)").split() == [
        str(ORGANISER), TEAM_B
    ]  # fmt: skip

    # When one tries everything, then it finds nothing
    assert findings(kernel.run(cell(facts_about(site)))) == []
    kernel.close()


def test_the_limit_of_memory_holds_in_bubblewrap_too(teams: tuple[Visitor, Visitor]) -> None:
    # Also for who throws away the mark by which the keeper knows a team's processes
    kernel = teams[1].kernel()
    said = kernel.run(MANY.replace("stdout=subprocess.PIPE", "stdout=subprocess.PIPE, env={}"))
    assert "Stopped for want of memory" in said
    assert "alive 5" not in said
    kernel.close()
