"""A participant's machine: its own home, nobody logged in, and a service to talk to."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

import pytest

from goat.client import Client
from goat.identity import save_login
from goat.kinds import base
from goat.transports.backoff import Backoff
from tests.goat.fake_service import FakeService, running


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Configuration and cache of this test alone, and nothing in the environment."""
    for name in ("GOAT_URL", "GOAT_TOKEN", "GOAT_PASSWORD", "GOAT_DEBUG", "JUPYTERHUB_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(folder / name.lower()))
    monkeypatch.setenv("GOAT_CACHE", str(folder / "cache"))
    return folder


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeService]:
    """A running service whose challenge is of a third party's kind."""
    toy = importlib.metadata.EntryPoint("toy", "tests.goat.toy_kind:KIND", "goat.kinds")
    monkeypatch.setattr(base, "_entry_points", lambda: {"toy": toy})
    with running(FakeService()) as fake:
        monkeypatch.setenv("GOAT_URL", fake.url)
        yield fake


@pytest.fixture
def logged_in(service: FakeService) -> FakeService:
    """The service, with a saved login on this machine."""
    save_login(service.url, "good", "team_awesome")
    return service


@pytest.fixture
def client(logged_in: FakeService) -> Iterator[Client]:
    """A client that does not wait long between its tries."""
    with Client(backoff=Backoff(base_s=0.001, cap_s=0.002)) as found:
        yield found


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    """A valid submission."""
    folder = tmp_path / "answers"
    folder.mkdir()
    (folder / "a.txt").write_text("1")
    (folder / "b.txt").write_text("2")
    return folder
