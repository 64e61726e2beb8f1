"""Health: what it says is what was tried a moment ago."""

from __future__ import annotations

import threading

import pytest

from scoring_service.doors.http import health
from scoring_service.doors.http.app import create_app
from tests.scoring_service.doors.http.conftest import TestClient
from tests.scoring_service.world import World


def fail() -> None:
    raise ConnectionError("secret address")


def test_all_well(sqlite_world: World) -> None:
    with TestClient(create_app(sqlite_world.services, queue_check=lambda: None)) as client:
        reply = client.get("/")
    assert reply.status_code == 200
    assert reply.json().items() >= {"status": "healthy", "database": "ok", "queue": "ok"}.items()
    assert reply.json()["timestamp"].endswith("Z")


def test_without_its_queue_server_it_is_degraded_and_still_accepts(sqlite_world: World) -> None:
    with TestClient(create_app(sqlite_world.services, queue_check=fail)) as client:
        reply = client.get("/")
    assert (reply.status_code, reply.json()["status"], reply.json()["queue"]) == (
        200,
        "degraded",
        "unreachable",
    )
    assert "secret" not in reply.text


def test_without_its_database_it_is_unhealthy(sqlite_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(sqlite_world.services)
    monkeypatch.setattr(type(sqlite_world.services.db), "ping", lambda _db: fail())
    app.state.door.health._checks = {"database": fail}
    with TestClient(app) as client:
        reply = client.get("/")
    assert (reply.status_code, reply.json()["status"]) == (503, "unhealthy")


def test_a_check_that_hangs_counts_as_failed(sqlite_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE_S", 0.05)
    over = threading.Event()
    with TestClient(create_app(sqlite_world.services, queue_check=lambda: over.wait(10) and None)) as client:
        assert client.get("/").json()["queue"] == "unreachable"
        over.set()


def test_many_who_ask_cost_one_look(sqlite_world: World) -> None:
    looks = []
    with TestClient(create_app(sqlite_world.services, queue_check=lambda: looks.append(1))) as client:
        for _ in range(20):
            client.get("/")
    assert 1 <= len(looks) <= 5
