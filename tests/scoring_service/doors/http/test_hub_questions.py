"""What a hub beside the service may ask, and for how long a notebook's token is believed."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest
from fastapi.testclient import TestClient

from scoring_service.doors.http import app as application
from scoring_service.hub_link import KNOWN_S, HubLink
from tests.scoring_service.world import PASSWORD, World

SECRET = {"X-Goat-Hub": "shared secret of hub and service"}


class Beside:
    """The door with a hub beside it, whose tokens are the users' names; both clocks are the test's."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.asked = 0

        def link(url: str, token: str) -> HubLink:
            transport = httpx.MockTransport(self.answer)
            return HubLink(url, token, transport=transport, monotonic=lambda: self.now)

        monkeypatch.setattr(application, "HubLink", link)
        settings = replace(
            world.services.settings, hub_api_url="http://hub/hub/api", hub_api_token=SECRET["X-Goat-Hub"]
        )
        self.app = application.create_app(replace(world.services, settings=settings))
        self.app.state.door.authenticator._monotonic = lambda: self.now
        self.http = TestClient(self.app)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        name = request.headers["Authorization"].removeprefix("token ")
        scopes = ["access:services!service=goat"]
        return httpx.Response(200, json={"kind": "user", "name": name, "scopes": scopes})

    def get(self, path: str, token: str) -> httpx.Response:
        return self.http.get(path, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def beside(sqlite_world: World, monkeypatch: pytest.MonkeyPatch) -> Beside:
    sqlite_world.team("Team-B")
    sqlite_world.services.members.add("Team-B", "ada", PASSWORD)
    return Beside(sqlite_world, monkeypatch)


def test_the_hub_learns_who_somebody_is_now(beside: Beside, sqlite_world: World) -> None:
    sqlite_world.organiser("admin")
    found = beside.http.get("/auth/accounts/ADA", headers=SECRET).json()
    assert (found["name"], found["role"], found["team_name"]) == ("ada", "participant", "Team-B")
    admin = beside.http.get("/auth/accounts/admin", headers=SECRET).json()
    assert (admin["role"], admin["team_name"]) == ("organiser", None)
    assert beside.http.get("/auth/accounts/nobody", headers=SECRET).status_code == 404
    assert beside.http.get("/auth/accounts/ada").status_code == 401

    # A removal, or a new password, is a new login
    sqlite_world.services.teams.set_password("ada", "another password")
    changed = beside.http.get("/auth/accounts/ada", headers=SECRET).json()
    sqlite_world.services.members.remove("Team-B", "ada")
    removed = beside.http.get("/auth/accounts/ada", headers=SECRET).json()
    assert len({found["login"], changed["login"], removed["login"]}) == 3
    assert removed["team_name"] is None


def test_a_notebooks_token_is_known_for_thirty_seconds_but_its_rights_for_five(
    beside: Beside, sqlite_world: World
) -> None:
    # Given a token of the hub that was looked up
    assert beside.get("/v1/submissions", "ada").status_code == 200
    assert beside.asked == 1
    # When another process removes the person, then its rights end within five seconds, with the hub's
    # answer still in memory
    sqlite_world.services.members.remove("Team-B", "ada")
    beside.now += 5.1
    assert beside.get("/v1/submissions", "ada").status_code == 403
    assert beside.asked == 1
    # And the hub's answer itself is asked for anew after thirty
    beside.now += KNOWN_S
    beside.get("/v1/submissions", "ada")
    assert beside.asked == 2
    assert KNOWN_S <= 30


def test_a_removal_at_the_door_ends_a_notebooks_rights_with_the_next_request(
    beside: Beside, sqlite_world: World
) -> None:
    sqlite_world.organiser("admin")
    body = {"name": "admin", "password": PASSWORD}
    token = beside.http.post("/auth/login", json=body).json()["access_token"]
    assert beside.get("/v1/submissions", "ada").status_code == 200
    reply = beside.http.delete(
        "/admin/teams/Team-B/members/ada", headers={"Authorization": f"Bearer {token}"}
    )
    assert reply.status_code == 204
    assert beside.get("/v1/submissions", "ada").status_code == 403
