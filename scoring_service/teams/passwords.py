"""Password hashes: argon2id, and a bound on how many are computed at once."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from goat.errors import Invalid, LimitReached

MINIMUM_LENGTH = 8
MAXIMUM_LENGTH = 256
CONCURRENT_HASHES = 2
"""Each hash holds 64 MiB; a flood of logins must not hold them all."""
WAIT_S = 5.0

_hasher = PasswordHasher()
_slots = threading.BoundedSemaphore(CONCURRENT_HASHES)


def new_password() -> str:
    """A password that nobody has to invent: 12 characters that can be typed."""
    return secrets.token_urlsafe(9)


@contextmanager
def _slot() -> Iterator[None]:
    if not _slots.acquire(timeout=WAIT_S):
        raise LimitReached(
            "Too many logins at this moment; try again in a few seconds.", limit="logins", retry_after=5
        )
    try:
        yield
    finally:
        _slots.release()


def hash_password(password: str) -> str:
    """Hash a password. Raises `goat.errors.Invalid` if it is too short or too long."""
    if not MINIMUM_LENGTH <= len(password) <= MAXIMUM_LENGTH:
        raise Invalid(f"A password has {MINIMUM_LENGTH} to {MAXIMUM_LENGTH} characters.", field="password")
    with _slot():
        return _hasher.hash(password)


def verify_password(password: str, known: str | None) -> bool:
    """True if the password fits. Takes as long for an unknown account (``known`` is None)."""
    if len(password) > MAXIMUM_LENGTH:
        return False
    with _slot():
        try:
            return _hasher.verify(known or _nobody(), password) and known is not None
        except (VerificationError, InvalidHashError):
            return False


@cache
def _nobody() -> str:
    """What an unknown account's password is compared with; hashed when it is first needed."""
    return _hasher.hash("nobody has this password")
