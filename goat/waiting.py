"""Waiting for a score: told by the event stream, and asking now and then in case it stays silent."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator

import msgspec

from goat.client import Client
from goat.errors import GoatError, ResultPending, ServiceUnreachable
from goat.records import FINAL_STATES, Submission

DEFAULT_TIMEOUT_S = 3600.0
_OUTAGE_S = 120.0
"""How long the service may be away while somebody waits (a restart takes seconds)."""
_FIRST_POLL_S = 0.1
_POLL_S = 2.0
_POLL_WITH_STREAM_S = 5.0


class Feed:
    """Own submissions from the event stream, read in a daemon thread so that Ctrl-C always works.

    A feed that cannot be opened, or that ends, is simply not ``live``: whoever waits polls instead.
    """

    def __init__(self, client: Client, challenge: str) -> None:
        self.live = False
        self.changes: queue.SimpleQueue[Submission] = queue.SimpleQueue()
        self._client = client
        self._challenge = challenge
        self._stopped = threading.Event()
        self._cut: Callable[[], None] = lambda: None
        threading.Thread(target=self._read, name="goat-feed", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._cut()

    def _opened(self, cut: Callable[[], None]) -> None:
        self._cut = cut
        self.live = True
        if self._stopped.is_set():
            cut()

    def _read(self) -> None:
        with contextlib.suppress(GoatError, msgspec.MsgspecError, RuntimeError):
            for event in self._client.events([self._challenge], on_open=self._opened):
                if self._stopped.is_set():
                    break
                if event.event == "submission":
                    self.changes.put(msgspec.json.decode(event.data, type=Submission))
        self.live = False


def changes(
    client: Client, submission: Submission, *, timeout: float | None = DEFAULT_TIMEOUT_S
) -> Iterator[Submission]:
    """The submission now and after every change, the last one final.

    Raises `goat.errors.ResultPending` after ``timeout`` seconds (None: never) and
    `goat.errors.ServiceUnreachable` when the service stays away; the submission goes on either way.
    """
    yield submission
    if submission.state in FINAL_STATES:
        return
    started = time.monotonic()
    feed = Feed(client, reference(submission))
    try:
        yield from _follow(client, feed, submission, started, timeout)
    finally:
        feed.stop()


def _follow(
    client: Client, feed: Feed, submission: Submission, started: float, timeout: float | None
) -> Iterator[Submission]:
    poll = _FIRST_POLL_S
    seen = submission
    last_word = time.monotonic()
    while seen.state not in FINAL_STATES:
        left = float("inf") if timeout is None else started + timeout - time.monotonic()
        if left <= 0:
            raise ResultPending(
                f"Submission {seen.id} is still {'queued' if seen.state == 'QUEUED' else 'being scored'} "
                f"after {timeout:g} s. It goes on: {how_to_see(seen.id)}",
                submission_id=seen.id,
            )
        heard = _heard(feed, seen.id, min(poll, left))
        poll = min(poll * 1.6, _POLL_WITH_STREAM_S if feed.live else _POLL_S)
        try:
            now = heard or client.submission(seen.id)
            last_word = time.monotonic()
        except ServiceUnreachable as error:
            if time.monotonic() - last_word > _OUTAGE_S:
                raise ServiceUnreachable(
                    f"{error.detail} The submission is safe: {how_to_see(seen.id)}", **error.facts
                ) from None
            continue
        if now != seen and _newer(now, seen):
            seen = now
            yield seen


def _heard(feed: Feed, submission_id: str, wait_s: float) -> Submission | None:
    """The next word about this submission within the time, if any."""
    end = time.monotonic() + wait_s
    while (left := end - time.monotonic()) > 0:
        try:
            change = feed.changes.get(timeout=left)
        except queue.Empty:
            return None
        if change.id == submission_id:
            return change
    return None


_ORDER = {"QUEUED": 0, "RUNNING": 1}


def _newer(now: Submission, seen: Submission) -> bool:
    """An event may arrive after a poll that already saw more; attempts and states only go forward."""
    return (now.attempt, _ORDER.get(now.state, 2)) >= (seen.attempt, _ORDER.get(seen.state, 2))


def reference(submission: Submission) -> str:
    """The id to ask for a submission's challenge by, whatever the default event is."""
    inside = submission.challenge
    return inside if ":" in inside else f"{submission.event}:{inside}"


def how_to_see(submission_id: str) -> str:
    """How to look at a submission that nobody waits for."""
    return f"`goat status {submission_id}` or goat.status({submission_id!r}) shows it."
