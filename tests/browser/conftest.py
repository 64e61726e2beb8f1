"""A JupyterLab and a browser on this machine. Without a browser the tests fail: they are no option."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from goat.client import Client
from hub_config.plan import SINGLEUSER
from scoring_service.services import Services
from tests.browser.hackathon import Hackathon, hackathon
from tests.scoring_service.conftest import (  # noqa: F401  # fixtures
    cheap_password_hashes,
    sqlite_services,
    sqlite_template,
    sqlite_url,
)
from tests.scoring_service.world import PASSWORD

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
SHOTS = Path(__file__).parents[2] / "build" / "screenshots"
READY = """() => {
  const context = window.jupyterapp?.shell?.currentWidget?.context?.sessionContext;
  const kernel = context?.session?.kernel;
  return context?.isReady && kernel?.connectionStatus === 'connected' && kernel?.status === 'idle';
}"""


@dataclass
class Lab:
    """A running JupyterLab and one page on it; ``requests`` has the address of everything it asked for."""

    url: str
    folder: Path
    page: Any
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, *cells: str) -> None:
        """A notebook of these cells, its kernel ready."""
        made = [
            {
                "cell_type": "code",
                "id": f"c{at}",
                "source": cell,
                "metadata": {},
                "outputs": [],
                "execution_count": None,
            }
            for at, cell in enumerate(cells)
        ]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        content = {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
        (self.folder / "book.ipynb").write_text(json.dumps(content))
        self.reload()

    def reload(self) -> None:
        self.page.goto(f"{self.url}/lab/tree/book.ipynb?reset")
        self.page.wait_for_function(READY, timeout=120_000)

    def restart_kernel(self) -> None:
        context = "window.jupyterapp.shell.currentWidget.context.sessionContext"
        self.page.evaluate(f"async () => {{ await {context}.session.kernel.restart() }}")
        self.page.wait_for_function(READY, timeout=120_000)

    def command(self, name: str, **arguments: Any) -> None:
        """Start a command of JupyterLab; its end is not waited for."""
        self.page.evaluate(
            f"() => {{ window.jupyterapp.commands.execute({name!r}, {json.dumps(arguments)}) }}"
        )

    def picture(self, name: str, selector: str) -> None:
        """Keep how a widget looks, for people: in build/screenshots."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        # JupyterLab asks whether it may show news; that is not part of our picture.
        self.page.add_style_tag(content=".Toastify { display: none }")
        self.page.locator(selector).first.screenshot(path=str(SHOTS / f"{name}.png"))

    def theme(self, name: str) -> None:
        """``Light`` or ``Dark``."""
        self.command("apputils:change-theme", theme=f"JupyterLab {name}")
        light = "true" if name == "Light" else "false"
        self.page.wait_for_selector(f"body[data-jp-theme-light='{light}']", state="attached", timeout=60_000)

    def external(self) -> list[str]:
        return [address for address in self.requests if not address.startswith((self.url, "blob:", "data:"))]


@pytest.fixture
def site(sqlite_services: Services, tmp_path: Path) -> Iterator[Hackathon]:  # noqa: F811  # a fixture
    folder = tmp_path / "world"
    folder.mkdir()
    with hackathon(sqlite_services, folder) as found:
        yield found


@pytest.fixture
def lab(site: Hackathon, tmp_path: Path) -> Iterator[Lab]:
    """JupyterLab for the team ``team_awesome``, without a hub."""
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome")
    browser_path = os.environ.get("GOAT_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    assert browser_path, "these tests need a browser: apt-get install chromium (or set GOAT_CHROMIUM)"
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
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=list(FLAGS))
            page = browser.new_page(viewport={"width": 1200, "height": 1000})
            found = Lab(url, folder, page)
            page.on("request", lambda request: found.requests.append(request.url))
            page.on("pageerror", lambda error: found.errors.append(str(error)))
            yield found
            browser.close()
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
