"""Who may what, tried on every route there is: nothing of another team, nothing private before reveal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from scoring_service.doors.http.guard import AnyoneRoute, GuardedRoute, HubRoute, OrganiserRoute
from scoring_service.models import PrivateScore
from tests.scoring_service.doors.http.conftest import Site
from tests.scoring_service.world import PASSWORD, submission_zip

FOR_EVERYBODY = {
    "GET /",
    "POST /auth/login",
    "GET /v1/challenges",
    "GET /v1/challenges/{challenge}",
    "GET /v1/challenges/{challenge}/leaderboard",
    "GET /v1/challenges/{challenge}/leaderboard/history",
    "GET /v1/combined/leaderboard",
    "GET /v1/queue",
    "GET /v1/stream",
    "GET /submit/queue/status",
    "GET /leaderboard/{challenge}",
}
"""The routes that need no login, by decision; a new route needs one unless it is added here."""

ENDLESS = "/v1/stream"
BODIES: dict[str, object] = {
    "POST /auth/login": {"name": "team_a", "password": PASSWORD},
    "POST /v1/auth/password": {"old": "wrong-password", "new": "another-password"},
    "PUT /v1/submissions/{submission}/selected": {"selected": True},
    "POST /admin/teams": {"name": "team_new", "password": PASSWORD},
    "PUT /admin/teams/{team}/banned": {"banned": False},
    "POST /admin/teams/{team}/members": {"name": "grace", "password": PASSWORD},
    "PUT /admin/settings": {"challenge": "task1", "freeze": False},
    "POST /admin/manual-scores": {"team_name": "team_a", "name": "talk", "value": 3},
}


@dataclass(frozen=True)
class Entry:
    """One method of one route, at its full address."""

    route: APIRoute
    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def entries(app: FastAPI) -> list[Entry]:
    """Everything that the application answers, what deletes last."""
    found = [
        Entry(route, method, path)
        for path, route in _walk("", app.routes)
        for method in sorted(route.methods)
    ]
    assert {entry.path for entry in found} == set(app.openapi()["paths"]), "the enumeration is complete"
    return sorted(found, key=lambda entry: (entry.method == "DELETE", entry.method != "GET", entry.path))


def _walk(prefix: str, found: Iterable[object]) -> Iterator[tuple[str, APIRoute]]:
    for entry in found:
        if isinstance(entry, APIRoute) and entry.include_in_schema:
            yield prefix + entry.path_format, entry
        elif hasattr(entry, "original_router"):  # FastAPI keeps included routers as they are
            yield from _walk(prefix + entry.include_context.prefix, entry.original_router.routes)


@dataclass
class Stage:
    """Two teams with scored and waiting submissions, and what must stay hidden."""

    site: Site
    callers: dict[str, dict[str, str]]
    of_a: list[str]
    secrets: list[str]
    """Private values as they would be written in JSON."""
    private_to_a: list[str]
    """File names that only team A and organisers may see."""


@pytest.fixture
def stage(site: Site) -> Stage:
    world = site.world
    world.apply(
        event_fields={
            "combined": [
                {"challenge": "task1", "weight": 0.6, "from": 10, "to": 50},
                {"manual": "talk", "weight": 0.1, "from": 0, "to": 10},
            ]
        },
        limits={"at_once": None},
    )
    callers = {"anonymous": {}, "team_a": site.team("team_a"), "team_b": site.team("team_b")}
    world.services.members.add("team_a", "ada", PASSWORD)
    world.services.members.add("team_b", "bob", PASSWORD)
    callers |= {"member_a": site.login("ada"), "member_b": site.login("bob")}
    callers["organiser"] = site.organiser()
    ids = []
    for noise, seed in ((0.1, 1), (0.05, 2)):
        reply = site.http.post(
            "/v1/challenges/task1/submissions",
            headers=callers["team_a"] | {"X-Filename": f"only-for-a-{seed}.zip"},
            content=submission_zip(noise=noise, seed=seed),
        )
        ids.append(reply.json()["id"])
    site.http.post(
        "/v1/challenges/task1/submissions",
        headers=callers["team_b"],
        content=submission_zip(noise=0.2, seed=3),
    )
    world.work()
    # Private values that occur nowhere else, so that any sight of them is a leak.
    secrets = []
    with world.services.db.write() as session:
        for number, score in enumerate(session.query(PrivateScore).all()):
            score.value = score.low = score.high = 31.4150 + number / 1000 + 0.000271
            secrets.append(f"{score.value:.6f}"[:8])
    site.forget()
    return Stage(site, callers, ids, secrets, ["only-for-a-1", "only-for-a-2"])


def call(stage: Stage, entry: Entry, headers: dict[str, str]) -> httpx.Response:
    """Call a route about team A's things."""
    values = {"challenge": "task1", "submission": stage.of_a[0], "team": "team_a", "name": "eval.zip"}
    values["account"] = "ada"
    path = re.sub(r"{(\w+)}", lambda found: values[found[1]], entry.path)
    where, http = str(entry), stage.site.http
    if path == ENDLESS:
        path += "?challenges=none"  # a good one never ends; test_stream.py looks into those
    if path.endswith("/csv"):
        return http.post(path, headers=headers, content=b"team_csv,password-1")
    if where == "POST /submit/{challenge}":
        return http.post(f"{path}?wait=0", headers=headers, files={"file": ("b.zip", b"x" * 99)})
    if where == "POST /v1/challenges/{challenge}/submissions":
        return http.post(path, headers=headers, content=b"y" * 99)
    return http.request(entry.method, path, headers=headers, json=BODIES.get(where))


def test_every_route_says_who_may_use_it(site: Site) -> None:
    found = entries(site.app)
    assert not [str(entry) for entry in found if not isinstance(entry.route, GuardedRoute)]
    assert {str(entry) for entry in found if isinstance(entry.route, AnyoneRoute)} == FOR_EVERYBODY


def test_nobody_without_a_login_gets_beyond_the_open_routes(stage: Stage) -> None:
    for entry in entries(stage.site.app):
        reply = call(stage, entry, {})
        if str(entry) in FOR_EVERYBODY:
            assert reply.status_code in (200, 404), (str(entry), reply.text)
        else:
            assert reply.status_code == 401, (str(entry), reply.text)


@pytest.mark.parametrize("caller", ["team_a", "member_a"])
def test_a_team_never_gets_into_an_organisers_route(stage: Stage, caller: str) -> None:
    for entry in entries(stage.site.app):
        if isinstance(entry.route, OrganiserRoute):
            reply = call(stage, entry, stage.callers[caller])
            assert reply.status_code == 403, (str(entry), reply.text)


@pytest.mark.parametrize("caller", ["anonymous", "team_a", "member_a", "organiser"])
def test_nobody_but_the_hub_gets_into_the_hubs_routes(stage: Stage, caller: str) -> None:
    found = [entry for entry in entries(stage.site.app) if isinstance(entry.route, HubRoute)]
    assert [str(entry) for entry in found] == ["GET /auth/accounts/{account}"]
    for entry in found:
        for secret in ({}, {"X-Goat-Hub": ""}, {"X-Goat-Hub": "guess"}):
            reply = call(stage, entry, stage.callers[caller] | secret)
            assert reply.status_code == 401, (str(entry), reply.text)


def test_a_member_reaches_exactly_what_its_team_does(stage: Stage) -> None:
    for entry in entries(stage.site.app):
        if entry.method == "GET":
            replies = [call(stage, entry, stage.callers[caller]) for caller in ("team_a", "member_a")]
            assert replies[0].status_code == replies[1].status_code, str(entry)
            if str(entry) != "GET /auth/me":  # whose token it is
                texts = [re.sub(r'"\d{4}-\d\d-\d\dT[^"]*"', "", reply.text) for reply in replies]  # clocks
                assert texts[0] == texts[1], str(entry)


@pytest.mark.parametrize("caller", ["anonymous", "team_a", "member_a", "team_b"])
def test_private_values_reach_no_participant_before_the_reveal(stage: Stage, caller: str) -> None:
    assert len(stage.secrets) >= 3
    for entry in entries(stage.site.app):
        reply = call(stage, entry, stage.callers[caller])
        for secret in stage.secrets:
            assert secret not in reply.text, (str(entry), caller)
        assert '"private"' not in reply.text or reply.status_code >= 400, str(entry)
    for board in ("challenges/task1", "challenges/combined", "combined"):
        for split in ("private", "Private"):
            reply = stage.site.http.get(
                f"/v1/{board}/leaderboard?split={split}", headers=stage.callers[caller]
            )
            assert reply.status_code in (401, 403, 422), board


@pytest.mark.parametrize("caller", ["anonymous", "team_b", "member_b"])
def test_nothing_that_is_only_for_one_team_reaches_another(stage: Stage, caller: str) -> None:
    for entry in entries(stage.site.app):
        reply = call(stage, entry, stage.callers[caller])
        for private in stage.private_to_a:
            assert private not in reply.text, (str(entry), caller)
        if "{submission}" in entry.path and reply.status_code != 401:
            expected = 403 if isinstance(entry.route, OrganiserRoute) else 404
            assert reply.status_code == expected, (str(entry), reply.text)
    # And after all of that, team A's submissions are as they were.
    for submission_id in stage.of_a:
        record = stage.site.http.get(
            f"/v1/submissions/{submission_id}", headers=stage.callers["team_a"]
        ).json()
        assert (record["state"], record["selected"]) == ("EVALUATED", False)


def test_organisers_reach_every_route(stage: Stage) -> None:
    for entry in entries(stage.site.app):
        reply = call(stage, entry, stage.callers["organiser"])
        # Organisers are in no team, so what only a team can do is refused with that reason.
        allowed = {200, 201, 204, 304, 404, 409} | (
            {403} if not isinstance(entry.route, OrganiserRoute) else set()
        )
        if str(entry) == "POST /v1/auth/password" or isinstance(entry.route, HubRoute):
            allowed = {401}  # the body carries a wrong old password; the hub asks with a secret of its own
        assert reply.status_code in allowed, (str(entry), reply.status_code, reply.text)


def test_after_the_reveal_the_private_board_is_for_everybody(stage: Stage) -> None:
    # Given an organiser who sees the private board
    organiser = stage.callers["organiser"]
    private = "/v1/challenges/task1/leaderboard?split=private"
    rows = stage.site.http.get("/admin/leaderboard/private/task1", headers=organiser).json()["rows"]
    assert rows
    assert str(rows[0]["score"]).startswith("31.4")
    assert stage.site.http.get(private, headers=organiser).json()["rows"] == rows
    combined = "/v1/combined/leaderboard?split=private"
    final = stage.site.http.get(combined, headers=organiser).json()
    assert (final["split"], len(final["rows"])) == ("private", len(rows))
    # When it is revealed
    change = {"challenge": "task1", "reveal": True}
    assert stage.site.http.put("/admin/settings", headers=organiser, json=change).json()["revealed"]
    stage.site.forget()
    # Then teams and visitors see the same
    for caller in ("anonymous", "team_b"):
        assert stage.site.http.get(private, headers=stage.callers[caller]).json()["rows"] == rows
        assert stage.site.http.get(combined, headers=stage.callers[caller]).json()["rows"] == final["rows"]


def test_boards_for_teams_only_are_closed_to_visitors_on_every_path(stage: Stage) -> None:
    stage.site.world.apply(event_fields={"board_visibility": "teams"})
    stage.site.forget()
    for path in (
        "/v1/challenges/task1/leaderboard",
        "/v1/challenges/task1/leaderboard/history",
        "/leaderboard/task1",
        "/leaderboard/task1?k=3",
    ):
        assert stage.site.http.get(path).status_code == 401, path
        assert stage.site.http.get(path, headers=stage.callers["team_b"]).status_code == 200, path
    assert stage.site.http.get("/v1/stream?challenges=task1").status_code == 401


def test_a_forged_forwarding_header_changes_nothing(site: Site) -> None:
    site.team()
    for number in range(10):
        headers = {"X-Forwarded-For": f"10.0.0.{number}", "X-Real-IP": "10.9.9.9", "Forwarded": "for=1.2.3.4"}
        body = {"name": "team_awesome", "password": "wrong-password"}
        assert site.http.post("/auth/login", json=body, headers=headers).status_code == 401
    body = {"name": "team_awesome", "password": "wrong-password"}
    reply = site.http.post("/auth/login", json=body, headers={"X-Forwarded-For": "10.0.0.99"})
    assert reply.status_code == 429


def test_a_new_password_ends_older_logins_at_once(site: Site) -> None:
    # Given a team that is logged in twice
    here, there = site.team(), site.login("team_awesome")
    # When it changes its password on one machine
    reply = site.http.post(
        "/v1/auth/password", headers=here, json={"old": PASSWORD, "new": "a better password"}
    )
    fresh = {"Authorization": f"Bearer {reply.json()['access_token']}"}
    # Then only the reply's token is good
    assert site.http.get("/auth/me", headers=fresh).json()["team_name"] == "team_awesome"
    for old in (here, there):
        assert site.http.get("/auth/me", headers=old).status_code == 401


def test_a_banned_team_uploads_nothing_more(stage: Stage) -> None:
    stage.site.http.put(
        "/admin/teams/team_a/banned", headers=stage.callers["organiser"], json={"banned": True}
    )
    reply = stage.site.http.post(
        "/v1/challenges/task1/submissions", headers=stage.callers["team_a"], content=submission_zip(seed=9)
    )
    assert reply.status_code == 403
    assert "banned" in reply.json()["detail"]


def test_a_ban_made_elsewhere_is_in_force_within_five_seconds(site: Site) -> None:
    # Given a team that this process has just seen
    headers = site.team()
    site.http.get("/auth/me", headers=headers)
    # When another process bans it, and five seconds pass
    site.world.services.teams.ban("team_awesome", True)
    authenticator = site.app.state.door.authenticator
    before = authenticator._monotonic
    authenticator._monotonic = lambda: before() + 5.1
    # Then it is banned here as well
    reply = site.http.get("/v1/submissions", headers=headers)
    assert reply.status_code == 403


def test_a_member_removed_here_is_out_with_the_next_request(stage: Stage) -> None:
    # Given a member who was seen a moment ago
    member, organiser = stage.callers["member_a"], stage.callers["organiser"]
    http = stage.site.http
    assert http.get("/v1/submissions", headers=member).status_code == 200
    # When an organiser removes it, then nothing is open any more; the team itself goes on
    assert http.delete("/admin/teams/team_a/members/ada", headers=organiser).status_code == 204
    assert http.get("/v1/submissions", headers=member).status_code == 401
    reply = http.post("/v1/challenges/task1/submissions", headers=member, content=submission_zip(seed=9))
    assert reply.status_code == 401
    assert http.get("/v1/submissions", headers=stage.callers["team_a"]).status_code == 200
    # And after a new login it is in no team
    again = stage.site.login("ada")
    assert http.get("/auth/me", headers=again).json()["team_name"] is None
    assert http.get(f"/v1/submissions/{stage.of_a[0]}", headers=again).status_code in (403, 404)


def test_a_member_removed_elsewhere_is_out_within_five_seconds(stage: Stage) -> None:
    member = stage.callers["member_a"]
    stage.site.http.get("/auth/me", headers=member)
    stage.site.world.services.members.remove("team_a", "ada")
    authenticator = stage.site.app.state.door.authenticator
    before = authenticator._monotonic
    authenticator._monotonic = lambda: before() + 5.1
    assert stage.site.http.get("/v1/submissions", headers=member).status_code == 401


def test_a_generated_password_is_shown_once_and_to_the_organiser(stage: Stage) -> None:
    organiser, http = stage.callers["organiser"], stage.site.http
    made = http.post("/admin/teams/team_a/members", headers=organiser, json={"name": "grace"})
    assert made.status_code == 201, made.text
    password = made.json()["password"]
    assert http.get("/auth/me", headers=stage.site.login("grace", password)).json()["team_name"] == "team_a"
    listed = http.get("/admin/teams/team_a/members", headers=organiser)
    assert [m["name"] for m in listed.json()] == ["team_a", "ada", "grace"]
    assert password not in listed.text
