"""What is kept between runs: the challenges' records and their data, under the user's cache folder.

``GOAT_CACHE`` moves it elsewhere, e.g. to a larger disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from goat.client import Client
from goat.errors import GoatError, NotLoggedIn, ServiceUnreachable
from goat.records import Challenge


def cache_dir() -> Path:
    """``GOAT_CACHE``, or the user's cache folder of this operating system."""
    given = os.environ.get("GOAT_CACHE")
    if given:
        return Path(given).expanduser().absolute()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("goat", appauthor=False))


def _record(url: str, challenge: str) -> Path:
    # One file per server and challenge; the digest keeps any id a plain file name.
    key = hashlib.sha256(f"{url}\n{challenge}".encode()).hexdigest()[:24]
    return cache_dir() / "challenges" / f"{key}.json"


def known_challenge(client: Client, challenge: str) -> tuple[Challenge, bool]:
    """The challenge's record, and whether it comes from the service now (else: as it was last seen).

    Raises the client's errors when the service cannot be asked and the challenge was never seen here.
    """
    try:
        found = client.challenge(challenge)
    except (ServiceUnreachable, NotLoggedIn) as error:
        return _remembered(client.url, challenge, error), False
    # A cache that cannot be written (full or read-only home) must not stop anybody from submitting.
    with contextlib.suppress(OSError):
        write_atomically(_record(client.url, challenge), msgspec.json.encode(found))
    return found, True


def _remembered(url: str, challenge: str, error: GoatError) -> Challenge:
    try:
        return msgspec.json.decode(_record(url, challenge).read_bytes(), type=Challenge)
    except (OSError, msgspec.MsgspecError):
        raise error from None


def write_atomically(target: Path, content: bytes) -> None:
    """Write a file that readers see whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    temporary.write_bytes(content)
    os.replace(temporary, target)


@contextlib.contextmanager
def alone(path: Path, *, patience_s: float = 600.0) -> Iterator[None]:
    """Hold the lock file ``path``, so that two notebooks of a team do not fetch the same data at once.

    A lock whose owner died is stale after two minutes without a `keep_alive`; whoever waits longer
    than ``patience_s`` goes on without it: what is downloaded is verified anyway.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    give_up = time.monotonic() + patience_s
    while True:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            break
        except FileExistsError:
            if _stale(path) or time.monotonic() > give_up:
                path.unlink(missing_ok=True)
                continue
            time.sleep(0.2)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def keep_alive(path: Path) -> None:
    """Show that the holder of the lock file still works."""
    with contextlib.suppress(OSError):
        os.utime(path)


def _stale(path: Path) -> bool:
    try:
        # Both times come from the same file system's clock as far as it matters: minutes.
        return time.time() - path.stat().st_mtime > 120
    except OSError:
        return False
