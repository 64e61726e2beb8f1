"""Whose token is this? What the hub says, and for how long it is believed."""

from __future__ import annotations

import httpx
import pytest

from goat.errors import HubSilent, NotAuthenticated
from scoring_service.hub_link import KNOWN_S, HubLink

USER = {
    "kind": "user",
    "name": "team_a",
    "scopes": ["access:services!service=goat", "read:users:name!user=team_a"],
}


class FakeHub:
    """Answers as the hub's API does, and can be silent."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, object]] = {"good": USER}
        self.status = 0
        self.asked = 0
        self.now = 1000.0
        self.link = HubLink(
            "http://hub/hub/api",
            "the service's secret",
            transport=httpx.MockTransport(self.answer),
            monotonic=lambda: self.now,
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.status < 0:
            raise httpx.ConnectError("refused")
        if self.status:
            return httpx.Response(self.status)
        user = self.users.get(request.headers["Authorization"].removeprefix("token "))
        return httpx.Response(200, json=user) if user else httpx.Response(403)


def test_an_answer_is_believed_for_thirty_seconds_and_no_longer() -> None:
    hub = FakeHub()
    assert hub.link.user("good").name == "team_a"
    # When the token is revoked
    hub.users.clear()
    hub.now += KNOWN_S - 1
    assert hub.link.user("good").name == "team_a"
    # Then half a minute later it is worth nothing
    hub.now += 2
    with pytest.raises(NotAuthenticated):
        hub.link.user("good")
    assert KNOWN_S <= 30


@pytest.mark.parametrize(
    "model",
    [
        USER | {"scopes": []},
        USER | {"scopes": ["access:services!service=other"]},
        {"kind": "service", "name": "culler", "scopes": ["access:services"]},
    ],
    ids=["no scope", "another service's scope", "a service"],
)
def test_a_token_that_is_not_meant_for_us_is_refused(model: dict[str, object]) -> None:
    hub = FakeHub()
    hub.users["good"] = model
    with pytest.raises(NotAuthenticated, match="not meant"):
        hub.link.user("good")


@pytest.mark.parametrize("token", ["", "x" * 300, "a b", "a\r\nX: y", "é"])
def test_what_is_no_token_never_reaches_the_hub(token: str) -> None:
    hub = FakeHub()
    with pytest.raises(NotAuthenticated):
        hub.link.user(token)
    assert hub.asked == 0


@pytest.mark.parametrize("status", [-1, 500, 503])
def test_a_silent_hub_is_no_refusal(status: int) -> None:
    # Given somebody who was known a moment ago, and a hub that restarts
    hub = FakeHub()
    hub.link.user("good")
    hub.status = status
    assert hub.link.user("good").name == "team_a"
    # When the memory has run out, then "try again" and not "who are you"
    hub.now += KNOWN_S + 1
    with pytest.raises(HubSilent, match="Try again"):
        hub.link.user("good")


def test_the_shared_secret_is_compared_whole() -> None:
    link = FakeHub().link
    assert link.is_hub("the service's secret")
    assert not link.is_hub("the service's")
    assert not link.is_hub("")
