"""A plain JupyterLab with a browser on it, without a hub."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from goat.client import Client
from hub_config.plan import SINGLEUSER
from tests.browser.notebook import BOOK, Notebook, book
from tests.scoring_service.world import PASSWORD


class Lab(Notebook):
    """A running JupyterLab in ``folder``."""

    def __init__(self, page: Any, url: str, folder: Path) -> None:
        super().__init__(page, url)
        self.folder = folder

    def open(self, *cells: str) -> None:
        """A notebook of these cells, its kernel ready."""
        (self.folder / BOOK).write_text(json.dumps(book(*cells)))
        self.show()


@contextlib.contextmanager
def running_lab(service: str, team: str, home: Path, browser: Any) -> Iterator[Lab]:
    """JupyterLab of this team of the service at ``service``, all its files below ``home``."""
    folder = home / "lab"
    folder.mkdir()
    with Client(service, team_id=team, password=PASSWORD) as client:
        token = client.login(team, PASSWORD).access_token
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "GOAT_URL": service,
        "GOAT_TOKEN": token,
        "HOME": str(home / "home"),
        "GOAT_CACHE": str(home / "cache"),
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
    with (home / "lab.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options], env=environment, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{url}/api/status")
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        yield Lab(page, url, folder)
        page.close()
    finally:
        server.terminate()
        server.wait(timeout=60)


def _wait_for(address: str) -> None:
    until = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            assert time.monotonic() < until, f"{address} did not answer"
            time.sleep(0.2)
