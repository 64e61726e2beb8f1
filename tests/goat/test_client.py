"""Talking to the service: retries, errors of one tree, and sentences for broken connections."""

from __future__ import annotations

import socket

import pytest

import goat
from goat.client import Client
from goat.transports.backoff import Backoff
from tests.goat.fake_service import FakeService, Reply, problem, times

FAST = Backoff(base_s=0.001, cap_s=0.002)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_no_service_is_one_clear_sentence() -> None:
    # Given an address where nothing listens
    url = f"http://127.0.0.1:{_free_port()}"

    # When it is asked, Then the sentence says what was tried, where, why not, and what to check
    with pytest.raises(goat.ServiceUnreachable) as caught, Client(url, backoff=FAST) as client:
        client.challenges()
    said = str(caught.value)
    assert "list the challenges" in said
    assert url in said
    assert "connection refused" in said
    assert "GOAT_URL" in said
    assert "\n" not in said


def test_an_unknown_machine_is_named_as_the_cause() -> None:
    with pytest.raises(goat.ServiceUnreachable, match=r"no machine of that name"):
        Client("http://no-such-host.invalid", backoff=FAST).challenges()


def test_a_dropped_connection_is_tried_again(client: Client, logged_in: FakeService) -> None:
    logged_in.faults.append(times(2, "drop", path="/v1/challenges"))
    assert [found.id for found in client.challenges()] == ["task1"]


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_restart_behind_a_proxy_is_waited_for(client: Client, logged_in: FakeService, status: int) -> None:
    logged_in.faults.append(times(2, Reply(status, b"<html>"), path="/v1/challenges"))
    assert client.challenges()


def test_a_service_that_stays_away_is_given_up_on(client: Client, logged_in: FakeService) -> None:
    logged_in.faults.append(times(99, Reply(503, b""), path="/v1/challenges"))
    with pytest.raises(goat.ServiceUnreachable, match="not ready"):
        client.challenges()
    assert logged_in.asked["GET /v1/challenges"] == Backoff().attempts


def test_a_short_retry_after_is_waited_for_a_long_one_is_an_answer(
    client: Client, logged_in: FakeService
) -> None:
    soon = problem(
        429, "limit_reached", "busy", headers={"Retry-After": "0"}, limit="requests", retry_after=0
    )
    logged_in.faults.append(times(1, soon, path="/v1/challenges"))
    assert client.challenges()
    later = problem(429, "limit_reached", "tomorrow", headers={"Retry-After": "86400"}, limit="per_day")
    logged_in.faults.append(times(1, later, path="/v1/challenges"))
    with pytest.raises(goat.LimitReached, match="tomorrow"):
        client.challenges()


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (403, "forbidden", goat.Forbidden),
        (403, "deadline_passed", goat.DeadlinePassed),
        (404, "not_found", goat.NotFound),
        (409, "conflict", goat.Conflict),
        (413, "too_large", goat.TooLarge),
        (422, "invalid", goat.Invalid),
        (400, "upload_incomplete", goat.UploadIncomplete),
        (507, "storage_full", goat.StorageFull),
        (418, "unheard_of", goat.RequestError),
    ],
)
def test_a_problem_reply_is_the_same_error_here(
    client: Client, logged_in: FakeService, status: int, code: str, error: type[goat.GoatError]
) -> None:
    logged_in.faults.append(
        times(2, problem(status, code, "Do this instead.", left=2), path="/v1/challenges")
    )
    with pytest.raises(error, match="Do this instead") as caught:
        client.challenges()
    assert caught.value.facts["left"] == 2


def test_a_rejection_keeps_all_its_problems(client: Client, logged_in: FakeService) -> None:
    problems = [{"code": "bad_archive", "message": "not a zip", "file": None}] * 2
    logged_in.faults.append(
        times(1, problem(422, "rejected", "no", problems=problems), path="/v1/challenges")
    )
    with pytest.raises(goat.Rejection) as caught:
        client.challenges()
    assert len(caught.value.problems) == 2


def test_some_other_website_is_recognised(client: Client, logged_in: FakeService) -> None:
    # Given an address where something else answers
    logged_in.faults.append(times(1, Reply(200, b"<html>hello"), path="/v1/challenges"))
    with pytest.raises(goat.ServiceUnreachable, match="GOAT_URL"):
        client.challenges()
    logged_in.faults.append(times(1, Reply(404, b"<html>nothing"), path="/v1/challenges"))
    with pytest.raises(goat.NotFound, match="GOAT_URL"):
        client.challenges()


def test_a_redirect_never_takes_the_token_along(client: Client, logged_in: FakeService) -> None:
    elsewhere = Reply(302, b"", {"Location": "http://evil.example/v1/challenges"})
    logged_in.faults.append(times(1, elsewhere, path="/v1/challenges"))
    with pytest.raises(goat.ServiceUnreachable, match=r"evil\.example"):
        client.challenges()


def test_a_fault_of_the_service_is_not_blamed_on_the_team(client: Client, logged_in: FakeService) -> None:
    logged_in.faults.append(times(1, Reply(500, b"oops"), path="/v1/challenges"))
    with pytest.raises(goat.RequestError, match="not your submission"):
        client.challenges()


def test_a_token_that_ran_out_is_renewed_with_the_password(service: FakeService) -> None:
    # Given a client with name and password whose token the service no longer takes
    expired = problem(401, "not_authenticated", "The token has expired.")
    with Client(team_id="team_awesome", password="my_password", backoff=FAST) as client:
        client.me()
        service.faults.append(times(1, expired, path="/auth/me"))

        # When it asks again, Then it logs in once more by itself
        assert client.me().team_name == "team_awesome"
    assert service.asked["POST /auth/login"] == 2


def test_a_saved_login_that_ran_out_says_what_to_do(client: Client, logged_in: FakeService) -> None:
    expired = problem(401, "not_authenticated", "The token has expired.")
    logged_in.faults.append(times(5, expired, path="/auth/me"))
    with pytest.raises(goat.NotAuthenticated, match="goat login"):
        client.me()


def test_a_wrong_password_is_told_once(service: FakeService) -> None:
    with (
        pytest.raises(goat.NotAuthenticated, match="Wrong name or password"),
        Client(team_id="team_awesome", password="wrong") as client,
    ):
        client.me()
    assert service.asked["POST /auth/login"] == 1


def test_a_board_is_there_without_a_login(service: FakeService) -> None:
    with Client() as client:
        assert client.leaderboard("task1").version == 4


def test_the_clock_of_this_machine_does_not_matter(service: FakeService) -> None:
    # Given a token that, by this machine's clock, expired long ago (the fake's always have)
    with Client(team_id="team_awesome", password="my_password") as client:
        assert client.me().name == "team_awesome"


def test_ids_cannot_change_the_path(client: Client) -> None:
    with pytest.raises(goat.NotFound, match=r"\.\./admin"):
        client.challenge("../admin")
    with pytest.raises(goat.Invalid):
        client.submission("..")
