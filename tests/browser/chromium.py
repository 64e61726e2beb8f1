"""A real Chromium, and where its pictures are kept. Without a browser the tests fail: they are no option."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    # Whatever a page wants from elsewhere it does not get: what works here works without the internet.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
NAMES = ("chromium", "chromium-browser", "google-chrome")


def artefacts() -> Path:
    """The folder of pictures for people: ``GOAT_ARTEFACTS``, or build/screenshots of the project."""
    folder = Path(os.environ.get("GOAT_ARTEFACTS") or Path(__file__).parents[2] / "build" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A started browser, for playwright's synchronous calls."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("GOAT_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    assert path, "these tests need a browser: apt-get install chromium (or set GOAT_CHROMIUM)"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()
