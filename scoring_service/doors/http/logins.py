"""Brakes on guessing passwords: wrong attempts are counted per name and address, before any hashing.

One address may be a whole venue and one name may be attacked from many addresses, so the pair has a
small allowance and each alone a large one. Attempts in progress count; a right password is free.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from goat.errors import LimitReached, NotAuthenticated

WINDOW_S = 300.0
PER_PAIR = 10
PER_NAME = 100
PER_ADDRESS = 200
REMEMBERED = 50_000


class LoginBrake:
    """Sliding windows of wrong attempts. Safe to use from several threads."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._wrong: dict[tuple[str, ...], deque[float]] = {}

    @contextmanager
    def attempt(self, name: str, address: str) -> Iterator[None]:
        """Around the check of a password. Raises `goat.errors.LimitReached` before it when there were
        too many wrong ones."""
        keys = {("pair", name.lower(), address): PER_PAIR, ("name", name.lower()): PER_NAME}
        keys[("address", address)] = PER_ADDRESS
        now = self._monotonic()
        with self._lock:
            for key, allowed in keys.items():
                self._require_room(key, allowed, now)
            for key in keys:
                self._wrong.setdefault(key, deque()).append(now)
        try:
            yield
        except NotAuthenticated:
            raise
        except BaseException:
            self._take_back(keys, now)
            raise
        else:
            self._take_back(keys, now)

    def _require_room(self, key: tuple[str, ...], allowed: int, now: float) -> None:
        times = self._wrong.get(key)
        if times is None:
            if len(self._wrong) >= REMEMBERED:
                self._sweep(now)
            return
        while times and now - times[0] > WINDOW_S:
            times.popleft()
        if len(times) >= allowed:
            wait = math.ceil(WINDOW_S - (now - times[0]))
            raise LimitReached(
                f"Too many wrong logins. Try again in {wait} s.",
                limit="logins",
                allowed=allowed,
                left=0,
                retry_after=wait,
            )

    def _take_back(self, keys: dict[tuple[str, ...], int], moment: float) -> None:
        with self._lock:
            for key in keys:
                times = self._wrong.get(key)
                if times is not None and moment in times:
                    times.remove(moment)
                    if not times:
                        del self._wrong[key]

    def _sweep(self, now: float) -> None:
        """Forget what is out of the window; everything, if an attack fills the memory all the same."""
        self._wrong = {
            key: times for key, times in self._wrong.items() if times and now - times[-1] <= WINDOW_S
        }
        if len(self._wrong) >= REMEMBERED:
            self._wrong.clear()
