"""Running a coroutine right away instead of in a task of its own.

Sending to a socket that has room never waits, so for a thousand listeners a thousand task switches
would be spent on nothing. Python 3.12 calls this an eager task; 3.11 is supported as well.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Generator
from typing import Any


def start(coroutine: Coroutine[Any, Any, None]) -> Awaitable[None] | None:
    """Run a coroutine until it has to wait; None if it came to its end, otherwise its rest, to be awaited.

    Raises what the coroutine raises.
    """
    try:
        pending = coroutine.send(None)
    except StopIteration:
        return None
    return _Rest(coroutine, pending)


class _Rest:
    """What is left of a coroutine that has begun: waits for what it waits for, then goes on with it."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], pending: Any) -> None:
        self._coroutine = coroutine
        self._pending = pending

    def __await__(self) -> Generator[Any, Any, None]:
        try:
            yield self._pending
        except BaseException as error:  # a cancellation belongs to the coroutine
            self._coroutine.throw(error)
            raise
        yield from self._coroutine.__await__()
