"""The ports `Doorbell` and `Changes` on the queue server.

Both are allowed to lose what they are told, and must never hold up who tells them: a dead queue
server costs an accepting request nothing but a refused connection, a hanging one a fraction of a
second, once. The outbox and the sweeper repeat rings; listeners look by themselves every second.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import redis

from scoring_service.workers.broker import BellBroker, connect

log = logging.getLogger(__name__)

CHANNEL = "goat:changes"
PATIENCE_S = 0.5
QUIET_S = 1.0
"""After a failure nothing is tried for this long, so that many callers do not all wait."""

_TROUBLE = (redis.RedisError, OSError)


class _Quiet:
    """Remembers a failure for `QUIET_S` and logs the first of a series."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._until = 0.0
        self._failing = False

    def __bool__(self) -> bool:
        return time.monotonic() < self._until

    def failed(self, error: Exception) -> None:
        self._until = time.monotonic() + QUIET_S
        if not self._failing:
            log.warning("%s: no answer from the queue server (%s); this will be repeated", self._what, error)
        self._failing = True

    def worked(self) -> None:
        if self._failing:
            log.info("%s: the queue server answers again", self._what)
        self._failing = False


class DramatiqDoorbell:
    """Implements `scoring_service.ports.Doorbell`. Safe to share between threads."""

    def __init__(self, redis_url: str) -> None:
        self._broker = BellBroker(redis_url, patience_s=PATIENCE_S)
        self._quiet = _Quiet("doorbell")

    def ring(self, lane: str, submission_ids: Sequence[str], *, first: bool = False) -> None:
        """Announce submissions waiting in a lane, before all others if ``first``; never raises."""
        if self._quiet:
            return
        try:
            self._broker.announce(lane, list(submission_ids), first=first)
        except _TROUBLE as error:
            self._quiet.failed(error)
        else:
            self._quiet.worked()

    def pending(self, lane: str) -> int | None:
        """How many announcements no worker has taken yet; None if the queue server does not answer."""
        try:
            return self._broker.waiting(lane)
        except _TROUBLE as error:
            self._quiet.failed(error)
            return None

    def close(self) -> None:
        """Close the connections."""
        self._broker.client.close()


class RedisChanges:
    """Implements `scoring_service.ports.Changes`. Safe to share between threads."""

    def __init__(self, redis_url: str) -> None:
        self._url = redis_url
        self._client = connect(redis_url, patience_s=PATIENCE_S)
        self._quiet = _Quiet("changes")

    def announce(self) -> None:
        """Nudge all listeners; never raises."""
        if self._quiet:
            return
        try:
            self._client.publish(CHANNEL, b"")
        except _TROUBLE as error:
            self._quiet.failed(error)
        else:
            self._quiet.worked()

    def listen(self, stop: threading.Event, *, every_s: float = 1.0) -> Iterator[bool]:
        """Yield True for every nudge and False when none came for ``every_s`` seconds, until ``stop``.

        Reconnects by itself; while the queue server is away it yields False at the same pace.
        """
        while not stop.is_set():
            client = connect(self._url, patience_s=every_s + PATIENCE_S)
            try:
                with client.pubsub(ignore_subscribe_messages=True) as pubsub:
                    pubsub.subscribe(CHANNEL)
                    yield True  # what happened before we listened
                    while not stop.is_set():
                        yield pubsub.get_message(timeout=every_s) is not None
            except _TROUBLE:
                yield False
                stop.wait(every_s)
            finally:
                client.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def listen_in_background(
    changes: RedisChanges, nudge: Callable[[], None], stop: threading.Event
) -> threading.Thread:
    """Call ``nudge`` from a daemon thread at every change, until ``stop``."""

    def run() -> None:
        for changed in changes.listen(stop):
            if changed:
                nudge()

    thread = threading.Thread(target=run, name="changes", daemon=True)
    thread.start()
    return thread
