"""Guessing passwords is slowed down; logging in is not."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from goat.errors import LimitReached, NotAuthenticated
from scoring_service.doors.http import logins
from scoring_service.doors.http.logins import PER_ADDRESS, PER_NAME, PER_PAIR, WINDOW_S, LoginBrake
from tests.scoring_service.doors.http.conftest import Site


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def wrong(brake: LoginBrake, name: str, address: str) -> None:
    with contextlib.suppress(NotAuthenticated), brake.attempt(name, address):
        raise NotAuthenticated("wrong")


def test_wrong_passwords_are_refused_after_a_while_and_taken_again_later() -> None:
    # Given somebody who guesses
    moment = Time()
    brake = LoginBrake(monotonic=moment)
    for _ in range(PER_PAIR):
        wrong(brake, "team", "10.0.0.1")
    # When the next guess comes
    with pytest.raises(LimitReached) as caught:
        wrong(brake, "TEAM", "10.0.0.1")
    # Then it is told when to come back, and then it may
    moment.now += caught.value.facts["retry_after"] + 1
    wrong(brake, "team", "10.0.0.1")


def test_the_team_itself_still_logs_in_from_elsewhere() -> None:
    brake = LoginBrake(monotonic=Time())
    for _ in range(PER_PAIR):
        wrong(brake, "team", "10.0.0.1")
    with brake.attempt("team", "10.0.0.2"):
        pass


@pytest.mark.parametrize(("allowed", "many_names"), [(PER_NAME, False), (PER_ADDRESS, True)])
def test_one_name_and_one_address_have_limits_of_their_own(allowed: int, many_names: bool) -> None:
    brake = LoginBrake(monotonic=Time())
    for number in range(allowed):
        wrong(brake, f"team{number if many_names else ''}", "a" if many_names else str(number))
    with pytest.raises(LimitReached):
        wrong(brake, "team-x" if many_names else "team", "a" if many_names else "b")


def test_right_passwords_never_use_up_anything() -> None:
    brake = LoginBrake(monotonic=Time())
    for _ in range(PER_ADDRESS + 1):
        with brake.attempt("team", "venue"):
            pass


def test_memory_is_bounded_under_attack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "REMEMBERED", 100)
    moment = Time()
    brake = LoginBrake(monotonic=moment)
    for number in range(1000):
        moment.now += WINDOW_S / 500
        wrong(brake, f"n{number}", f"a{number}")
    assert len(brake._wrong) <= 103


def test_over_http_it_is_a_429_that_says_when_to_come_back(site: Site) -> None:
    site.team()
    replies = [
        site.http.post("/auth/login", json={"name": "team_awesome", "password": "wrong"})
        for _ in range(PER_PAIR + 1)
    ]
    assert {reply.status_code for reply in replies[:-1]} == {401}
    assert replies[-1].status_code == 429
    assert 0 < int(replies[-1].headers["retry-after"]) <= WINDOW_S
    assert replies[-1].json()["limit"] == "logins"


def test_a_flood_of_logins_waits_in_line_and_others_are_answered(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a line for two, with two in it whose hashes take their time
    monkeypatch.setattr(logins, "IN_LINE", 2)
    site.team()
    over = threading.Event()
    service = type(site.world.services.teams)
    monkeypatch.setattr(service, "authenticate", lambda *_: over.wait(20) and None)
    body = {"name": "team_awesome", "password": "wrong-password"}
    brake = site.app.state.door.logins
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(site.http.post, "/auth/login", json=body) for _ in range(2)]
        until = time.monotonic() + 10
        while brake._in_line < 2 and time.monotonic() < until:
            time.sleep(0.01)
        # When a third comes, it is told to come again, and a board is there at once
        reply = site.http.post("/auth/login", json=body)
        assert (reply.status_code, reply.headers["retry-after"]) == (429, "10")
        assert site.http.get("/v1/challenges").status_code == 200
        over.set()
        for entry in waiting:
            entry.result()
    assert brake._in_line == 0
