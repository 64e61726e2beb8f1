"""Login tokens: only genuine, unexpired ones of this service pass."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from goat.errors import NotAuthenticated
from scoring_service.doors.http.tokens import Tokens, WeakKey
from tests.scoring_service.world import SetClock

KEY = "k" * 32


def tokens(clock: SetClock | None = None) -> Tokens:
    return Tokens(KEY, lifetime=timedelta(hours=1), now=(clock or SetClock(datetime.now(UTC))).now)


def claims(**changes: object) -> dict[str, object]:
    now = int(time.time())
    base: dict[str, object] = {"sub": "a", "ver": 1, "aud": "goat", "iat": now, "exp": now + 600}
    return {key: value for key, value in (base | changes).items() if value is not None}


def test_an_issued_token_says_who_and_at_which_version() -> None:
    found = tokens().verify(tokens().issue("account-1", 3).access_token)
    assert (found.account_id, found.token_version) == ("account-1", 3)


def test_a_short_key_refuses_to_start() -> None:
    with pytest.raises(WeakKey, match="at least 32"):
        Tokens("k" * 31, lifetime=timedelta(hours=1), now=SetClock().now)


def test_a_token_ends_by_the_services_clock() -> None:
    # Given a token for an hour
    clock = SetClock(datetime.now(UTC))
    token = tokens(clock).issue("a", 1).access_token
    # When an hour has passed on the service's clock, whatever this process's clock says
    clock.moment += timedelta(hours=1)
    # Then it is refused
    with pytest.raises(NotAuthenticated, match="expired"):
        tokens(clock).verify(token)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(claims(exp=None), id="no exp"),
        pytest.param(claims(iat=None), id="no iat"),
        pytest.param(claims(aud=None), id="no aud"),
        pytest.param(claims(sub=None), id="no sub"),
        pytest.param(claims(ver=None), id="no version"),
        pytest.param(claims(aud="hub"), id="for somebody else"),
        pytest.param(claims(exp="soon"), id="exp is no number"),
        pytest.param(claims(exp=10**30), id="exp beyond all calendars"),
        pytest.param(claims(ver="x"), id="version is no number"),
    ],
)
def test_a_token_with_faulty_claims_is_refused(payload: dict[str, object]) -> None:
    with pytest.raises(NotAuthenticated):
        tokens().verify(jwt.encode(payload, KEY, algorithm="HS256"))


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(jwt.encode(claims(), "x" * 32, algorithm="HS256"), id="other key"),
        pytest.param(jwt.encode(claims(), KEY * 2, algorithm="HS512"), id="other algorithm"),
        pytest.param(jwt.encode(claims(), None, algorithm="none"), id="unsigned"),
        pytest.param("a.b.c", id="no token"),
        pytest.param("", id="empty"),
        pytest.param("x" * 100_000, id="huge"),
        pytest.param("é.ü.ñ", id="not ASCII"),
    ],
)
def test_a_forged_token_is_refused_in_words_that_do_not_repeat_it(token: str) -> None:
    with pytest.raises(NotAuthenticated) as caught:
        tokens().verify(token)
    assert str(caught.value) == "This is not a token of this service. Log in again."
