"""Personal logins: people who share their team's server, and nothing of anybody else's."""

from __future__ import annotations

import time

import httpx
import pytest
import websocket

from tests.hub.site import ADMIN, PASSWORDS, PERSON, TEAM_A, TEAM_B, Site
from tests.hub.visitor import NAVIGATION, Kernel, Visitor
from tests.scoring_service.supervise.processes import wait_for

pytestmark = pytest.mark.timeout(300)
OUT_WITHIN_S = 30.0
"""How soon who was removed has lost everything: promised in docs/hub.md."""


def test_a_member_lands_in_the_teams_server_from_every_page_of_the_hub(personal: Site) -> None:
    # Given two members, and a server of the team that is not running
    ada, grace = personal.member("ada"), personal.member("grace")
    ada.api("DELETE", f"/users/{TEAM_A}/server")
    wait_for(lambda: TEAM_A not in running(personal), "the end of the team's server")
    # When one opens the hub, then the team's server starts and ada is in it, without a question
    reply = ada.enter("/hub/")
    assert reply.url.path.startswith(f"/user/{TEAM_A}/lab"), reply.url
    # And so it is on every page that would lead to a server of ada's own
    for page in ("/hub/spawn", "/hub/spawn/ada", "/hub/login", "/hub/user-redirect/lab"):
        assert ada.enter(page).url.path.startswith(f"/user/{TEAM_A}/"), page
    # And a colleague comes into the same server, as does the team's own login
    assert grace.enter("/hub/spawn").url.path.startswith(f"/user/{TEAM_A}/")
    team = personal.member(TEAM_A, PASSWORDS[TEAM_A])
    assert team.enter("/hub/spawn").url.path.startswith(f"/user/{TEAM_A}/")
    assert not {"ada", "grace"} & set(running(personal))


def test_a_member_stops_and_starts_the_teams_server_on_the_hubs_home_page(personal: Site) -> None:
    # Given a team at work, whose member opens "Hub Control Panel"
    ada = personal.member("ada")
    ada.enter()
    page = ada.http.get("/hub/home", headers=NAVIGATION)
    assert page.url.path == "/hub/home"
    # Then its buttons are the team's, and the page says what stopping does to the others
    assert 'id="stop"' in page.text
    assert f'jhdata.user = "{TEAM_A}"' in page.text
    assert "ends everybody" in page.text
    # When ada presses the one to stop, then the server stops
    assert ada.api("DELETE", f"/users/{TEAM_A}/server").status_code in (202, 204)
    wait_for(lambda: TEAM_A not in running(personal), "the end of the team's server")
    page = ada.http.get("/hub/home", headers=NAVIGATION)
    assert 'id="stop"' not in page.text
    # And the other button starts it again
    assert f'href="/hub/spawn/{TEAM_A}"' in page.text
    assert ada.enter(f"/hub/spawn/{TEAM_A}").url.path.startswith(f"/user/{TEAM_A}/")
    # While the team's own login and the organiser have the pages that they had
    team = personal.member(TEAM_A, PASSWORDS[TEAM_A])
    assert "Stop My Server" in team.http.get("/hub/home", headers=NAVIGATION).text
    organisers = personal.visitor(ADMIN).http.get("/hub/home", headers=NAVIGATION).text
    assert 'href="/hub/spawn/admin"' in organisers
    assert organisers.count('href="/services/goat/"') == 2  # in the menu, and as a button


def running(site: Site) -> list[str]:
    """The users whose server runs, as the organiser sees them."""
    users = site.visitor(ADMIN).api("GET", "/users").json()
    return [user["name"] for user in users if user["servers"]]


def test_a_cell_in_the_shared_server_submits_as_the_team(personal: Site) -> None:
    kernel = at_work(personal.member("ada"), TEAM_A)
    said = kernel.run("import goat; me = goat.whoami(); print(me.name, me.team_name)")
    assert said.strip() == f"{TEAM_A} {TEAM_A}"
    kernel.close()


def at_work(visitor: Visitor, team: str) -> Kernel:
    """A kernel in the team's server, opened with a token of the person's own."""
    visitor.enter()
    visitor.work_in(team)
    return visitor.kernel()


def test_a_member_gets_neither_a_server_of_its_own_nor_another_teams(personal: Site) -> None:
    # Given a team at work, and a member of another one
    personal.member("ada").enter()
    bob = personal.member("Bob")
    # Then bob gets no other server by the hub's API, neither a running one nor one that stands
    for name in ("bob", "ada", TEAM_A):
        assert bob.api("POST", f"/users/{name}/server").status_code in (403, 404), name
        assert bob.api("POST", f"/users/{name}/servers/second").status_code in (400, 403, 404), name
    assert bob.api("DELETE", f"/users/{TEAM_A}/server").status_code in (403, 404)
    for path in (f"/users/{TEAM_A}", f"/users/{TEAM_A}/tokens", f"/groups/{TEAM_A}"):
        assert bob.api("GET", path).status_code in (403, 404), path
    # Nor by a page
    for page in (f"/hub/spawn/{TEAM_A}", f"/user/{TEAM_A}/lab", f"/hub/user/{TEAM_A}/lab", "/user/bob/lab"):
        reply = bob.http.get(page, headers=NAVIGATION)
        assert reply.status_code in (403, 404), (page, reply.status_code, reply.url)
    # Nor with a token of its own
    bob.work_in(TEAM_A)
    assert bob.server("GET", "/api/contents").status_code == 403
    # Nor if an organiser starts one by mistake
    reply = personal.visitor(ADMIN).api("POST", "/users/bob/server")
    assert reply.status_code == 403
    assert "bob works in the server of team-b" in reply.text
    assert "bob" not in running(personal)


def test_a_removed_member_is_out_of_the_server_within_thirty_seconds(personal: Site) -> None:
    # Given two people in one server: pages, a kernel each, a token each
    personal.add_member(TEAM_A, "eve")
    eve, ada = personal.member("eve"), personal.member("ada")
    of_eve, of_ada = at_work(eve, TEAM_A), at_work(ada, TEAM_A)
    of_ada.run("answer = 42")
    # When one is removed
    removed = time.monotonic()
    assert personal.admin("DELETE", f"/admin/teams/{TEAM_A}/members/eve").status_code == 204
    # Then its token, its pages and the connection that was open all end
    for gone, what in (
        (lambda: eve.server("GET", "/api/kernels").status_code == 403, "the token's end"),
        (lambda: path_of(eve) == "/hub/login", "the end of the pages"),
        (lambda: is_closed(of_eve), "the end of the open connection"),
    ):
        wait_for(gone, what, removed + OUT_WITHIN_S - time.monotonic())
    print(f"out after {time.monotonic() - removed:.1f} s")
    # And the hub's login page says why
    assert "eve is in no team" in personal.stranger().log_in("eve", PERSON).text
    # While the others work on
    assert of_ada.run("print(answer)").strip() == "42"
    assert path_of(ada).startswith(f"/user/{TEAM_A}/")
    of_eve.close()
    of_ada.close()


def path_of(visitor: Visitor) -> str:
    """Where somebody ends who opens the team's server again."""
    return visitor.http.get(f"/user/{TEAM_A}/lab", headers=NAVIGATION).url.path


def is_closed(kernel: Kernel) -> bool:
    try:
        kernel.run("1")
    except (websocket.WebSocketConnectionClosedException, OSError, ValueError):  # an empty message: the end
        return True
    return False


def test_a_new_password_ends_the_sessions_at_the_hub_but_not_the_teams_server(personal: Site) -> None:
    # Given a team's login in a browser, and its server at work
    team = personal.member(TEAM_B, PASSWORDS[TEAM_B])
    kernel = at_work(team, TEAM_B.lower())
    # When the team gets a new password
    body = {"name": TEAM_B, "password": PASSWORDS[TEAM_B]}
    token = httpx.post(f"{personal.service}/auth/login", json=body, timeout=30).json()["access_token"]
    reply = httpx.post(
        f"{personal.service}/v1/auth/password",
        headers={"Authorization": f"Bearer {token}"},
        json={"old": PASSWORDS[TEAM_B], "new": "another word for team b"},
        timeout=30,
    )
    assert reply.status_code == 200, reply.text
    # Then browser and tokens of the old one are out
    at_home = lambda: team.http.get("/hub/home", headers=NAVIGATION).url.path  # noqa: E731
    wait_for(lambda: at_home() == "/hub/login", "the end of the old session", OUT_WITHIN_S)
    wait_for(lambda: team.server("GET", "/api/kernels").status_code == 403, "the token's end", OUT_WITHIN_S)
    # And the members are still in the server, whose notebooks still know their team
    bob = at_work(personal.member("Bob"), TEAM_B.lower())
    assert bob.run("import goat; print(goat.whoami().team_name)").strip() == TEAM_B
    # And the new password is good
    personal.member(TEAM_B, "another word for team b").enter()
    for open_one in (kernel, bob):
        open_one.close()


def test_where_logins_are_the_teams_a_person_is_told_so(site: Site) -> None:
    site.add_member(TEAM_A, "alan")
    reply = site.stranger().log_in("alan", PERSON)
    assert reply.status_code == 403
    assert f"a team logs in with its shared login: {TEAM_A}" in reply.text
    assert httpx.get(f"{site.hub}/hub/login", timeout=30).text.count("team's name and password") == 1
