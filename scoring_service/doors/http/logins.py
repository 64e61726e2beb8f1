"""Checking passwords at the door: not too often, and never at the expense of other requests.

Wrong attempts are counted per name and address, before any hashing.

One address may be a whole venue and one name may be attacked from many addresses, so the pair has a
small allowance and each alone a large one. Attempts in progress count; a right password is free.

A hash takes a tenth of a second and 64 MiB. Checks run in two threads of their own and the others wait
in line: a flood of logins must not take the threads that answer everybody else.
"""

from __future__ import annotations

import asyncio
import functools
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from goat.errors import LimitReached, NotAuthenticated

T = TypeVar("T")

WINDOW_S = 300.0
PER_PAIR = 10
PER_NAME = 100
PER_ADDRESS = 200
REMEMBERED = 50_000
THREADS = 2
IN_LINE = 300
"""All teams of an event may log in within the same minute."""


class LoginBrake:
    """Sliding windows of wrong attempts, and the line in front of the hashing."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._wrong: dict[tuple[str, ...], deque[float]] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="login")
        self._in_line = 0

    async def check(self, name: str, address: str, function: Callable[..., T], *args: object) -> T:
        """Call ``function``, which checks a password, as an `attempt` in a thread of its own kind.

        Raises what it raises, and `goat.errors.LimitReached` also when too many wait already.
        """
        if self._in_line >= IN_LINE:
            raise LimitReached(
                "Too many logins at this moment; try again in a few seconds.", limit="logins", retry_after=10
            )
        self._in_line += 1
        try:
            with self.attempt(name, address):
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._threads, functools.partial(function, *args))
        finally:
            self._in_line -= 1

    def close(self) -> None:
        """Stop the threads; called when the server ends."""
        self._threads.shutdown(wait=False, cancel_futures=True)

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
