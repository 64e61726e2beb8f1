"""A small world behind the HTTP door: in process, and on a real server where the network matters."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.testclient import TestClient

from scoring_service.doors.http.app import create_app
from scoring_service.doors.http.hub import Rhythm
from scoring_service.doors.http.uploads import Pace
from tests.scoring_service.world import PASSWORD, World

BRISK = Rhythm(poll_s=0.05, coalesce_s=0.02, heartbeat_s=0.2, recheck_s=0.4)
"""The hub's rhythm, quick enough for tests."""


@dataclass
class Site:
    """The world, seen through its HTTP door."""

    world: World
    app: FastAPI
    http: TestClient

    def login(self, name: str, password: str = PASSWORD) -> dict[str, str]:
        """Headers of somebody who logged in."""
        reply = self.http.post("/auth/login", json={"name": name, "password": password})
        assert reply.status_code == 200, reply.text
        return {"Authorization": f"Bearer {reply.json()['access_token']}"}

    def team(self, name: str = "team_awesome") -> dict[str, str]:
        self.world.team(name)
        return self.login(name)

    def organiser(self) -> dict[str, str]:
        self.world.organiser("admin")
        return self.login("admin")

    def forget(self) -> None:
        """What a change made by another process does to this one."""
        self.app.state.door.boards.forget()
        self.app.state.door.authenticator.forget()


@pytest.fixture
def site(sqlite_world: World) -> Iterator[Site]:
    """The door on SQLite, in process."""
    app = create_app(sqlite_world.services, rhythm=BRISK)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Site(sqlite_world, app, client)


@pytest.fixture
def both_site(world: World) -> Iterator[Site]:
    """The door on SQLite and on PostgreSQL, in process."""
    app = create_app(world.services, rhythm=BRISK)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Site(world, app, client)


Serve = Callable[..., "Live"]


@dataclass
class Live:
    """The world on a real server and port."""

    world: World
    app: FastAPI
    server: uvicorn.Server
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def login(self, name: str) -> dict[str, str]:
        reply = httpx.post(f"{self.url}/auth/login", json={"name": name, "password": PASSWORD}, timeout=30)
        assert reply.status_code == 200, reply.text
        return {"Authorization": f"Bearer {reply.json()['access_token']}"}

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)


@contextlib.contextmanager
def running(app: FastAPI) -> Iterator[tuple[uvicorn.Server, int]]:
    """A real server in a thread, on a free port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, http="httptools", loop="uvloop", log_level="error", timeout_graceful_shutdown=1, access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    assert server.started, "the server did not start"
    yield server, listener.getsockname()[1]
    server.should_exit = True
    thread.join(timeout=20)
    listener.close()
    assert not thread.is_alive(), "the server did not stop"


@pytest.fixture
def live(sqlite_world: World) -> Iterator[Live]:
    """The door on SQLite, on a real server with little patience."""
    pace = Pace(idle_s=0.5, grace_s=0.5, least_bytes_per_s=2000, per_team=2)
    app = create_app(sqlite_world.services, rhythm=BRISK, pace=pace)
    with running(app) as (server, port):
        yield Live(sqlite_world, app, server, port)
