"""Login tokens: signed, short of secrets, checked strictly.

A token says which account (``sub``), for whom (``aud``), until when (``exp``) and at which version of
the account's tokens (``ver``); who that is today is looked up in the database (`guard`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from goat.errors import NotAuthenticated
from goat.records import Token

ALGORITHM = "HS256"
AUDIENCE = "goat"
MINIMUM_KEY_BYTES = 32
MAX_TOKEN_BYTES = 4096


class WeakKey(ValueError):
    """The signing key is too short to start with."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token that was found genuine says."""

    account_id: str
    token_version: int
    expires_at: datetime


class Tokens:
    """Signs and verifies. ``now`` is the service's clock: a jump of the host's clock ends no login."""

    def __init__(self, key: str, *, lifetime: timedelta, now: Callable[[], datetime]) -> None:
        if len(key.encode()) < MINIMUM_KEY_BYTES:
            raise WeakKey(
                f"SECRET_KEY has {len(key.encode())} bytes and needs at least {MINIMUM_KEY_BYTES}; "
                "unset it to have a good one made"
            )
        self._key = key
        self._lifetime = lifetime
        self._now = now

    def issue(self, account_id: str, token_version: int) -> Token:
        """A fresh token for an account that has proved who it is."""
        now = self._now().replace(microsecond=0)
        expires = now + self._lifetime
        claims = {"sub": account_id, "aud": AUDIENCE, "ver": token_version, "iat": now, "exp": expires}
        return Token(access_token=jwt.encode(claims, self._key, algorithm=ALGORITHM), expires_at=expires)

    def verify(self, token: str) -> Claims:
        """The claims of a genuine, unexpired token. Raises `goat.errors.NotAuthenticated`."""
        if len(token) > MAX_TOKEN_BYTES:
            raise NotAuthenticated("This is not a token of this service. Log in again.")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                # exp is compared below, with the service's clock instead of this process's.
                options={"require": ["exp", "iat", "aud", "sub"], "verify_exp": False, "verify_iat": False},
            )
            expires = datetime.fromtimestamp(int(claims["exp"]), UTC)
            found = Claims(str(claims["sub"]), int(claims["ver"]), expires)
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, OverflowError, OSError):
            # Never the library's own words: they may quote the token.
            raise NotAuthenticated("This is not a token of this service. Log in again.") from None
        if found.expires_at <= self._now():
            raise NotAuthenticated("Your login has expired. Log in again.")
        return found
