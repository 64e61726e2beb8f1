"""The hub of the event stream: looks once, encodes once, hands the same bytes to everybody.

One task waits for a nudge (or a second), loads each watched board once, turns the change into one
event and gives it to the listeners. One who has not read for a long while is dropped; it comes back
with Last-Event-ID and gets what it missed, or a snapshot.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from goat.errors import GoatError, LimitReached
from goat.records import Board, Submission
from scoring_service.doors.http.board_cache import audience_of
from scoring_service.doors.http.delta import BoardEvent, delta, event_text, snapshot
from scoring_service.doors.http.listener import Listener
from scoring_service.teams.identity import Identity

logger = logging.getLogger(__name__)
HEARTBEAT = b": still here\n\n"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Times in seconds and bounds of the hub."""

    poll_s: float = 1.0
    coalesce_s: float = 0.1
    """Least time between two events of one board."""
    heartbeat_s: float = 15.0
    recheck_s: float = 20.0
    """How soon a ban or an ended login closes a stream."""
    inbox: int = 64
    history: int = 256
    """Steps per board that can be replayed to somebody who comes back."""
    per_team: int = 50
    per_address: int = 500
    """For listeners who are not logged in: a venue shares one address."""
    in_total: int = 5000


class Source(Protocol):
    """Where the hub looks; all of it blocks and is called in a thread."""

    def board(self, challenge: str, identity: Identity | None) -> Board: ...

    def challenges(self) -> str:
        """Something that is another text whenever what is said of any challenge has changed."""
        ...

    def submissions(self, teams: Iterable[str]) -> Mapping[str, Sequence[Submission]]:
        """Team id → its submissions that changed since the last call."""
        ...

    def still(self, authorization: str) -> Identity:
        """Who that is now; raises when the login has ended."""
        ...


@dataclass(eq=False)
class Channel:
    """One board as one audience sees it."""

    name: str
    current: Board | None = None
    history: deque[BoardEvent] = field(default_factory=deque)
    listeners: set[Listener] = field(default_factory=set)

    def since(self, version: int | None) -> list[BoardEvent]:
        """What brings somebody who has ``version`` (None: nothing) up to the current state."""
        assert self.current is not None, "a channel is loaded before anybody listens"
        if version == self.current.version:
            return []
        steps = list(self.history)
        for start, step in enumerate(steps):
            if step.since is not None and step.since == version:
                return steps[start:]
        return [snapshot(self.name, self.current)]


Key = tuple[str, tuple[str, str | None] | None]


class Hub:
    """All open streams of this process. Belongs to one event loop."""

    def __init__(
        self, source: Source, rhythm: Rhythm | None = None, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.rhythm = rhythm or Rhythm()
        self._source = source
        self._monotonic = monotonic
        self._channels: dict[Key, Channel] = {}
        self._listeners: set[Listener] = set()
        self._parties: dict[tuple[str, str], int] = {}
        self._nudged = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._loads = asyncio.Lock()
        self._challenges: str | None = None

    def nudge(self) -> None:
        """Something changed: look now. To be called in the hub's event loop."""
        self._nudged.set()

    def close(self) -> None:
        """End all streams and stop looking."""
        for listener in self._listeners:
            listener.close()
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()

    async def join(self, listener: Listener) -> list[BoardEvent]:
        """Let somebody in; returns the events that bring it up to date from the versions it has.

        Raises `LimitReached` above the number of streams, and what the service raises for a board
        that this caller may not see.
        """
        self._take_place(listener)
        try:
            if self._challenges is None:
                self._challenges = await asyncio.to_thread(self._source.challenges)
            first: list[BoardEvent] = []
            for name in listener.boards:
                channel = await self._channel(name, listener.identity)
                first += channel.since(listener.versions.get(name))
                channel.listeners.add(listener)
        except BaseException:
            self.leave(listener)
            raise
        self._start()
        return first

    def leave(self, listener: Listener) -> None:
        """Forget a listener; harmless if it is gone already."""
        if listener not in self._listeners:
            return
        self._listeners.discard(listener)
        left = self._parties[listener.party] - 1
        if left:
            self._parties[listener.party] = left
        else:
            del self._parties[listener.party]
        for key, channel in list(self._channels.items()):
            channel.listeners.discard(listener)
            if not channel.listeners and key[0] in listener.boards:
                del self._channels[key]

    @property
    def open_streams(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    def _take_place(self, listener: Listener) -> None:
        rhythm, party = self.rhythm, listener.party
        used = self._parties.get(party, 0)
        allowed = rhythm.per_team if party[0] == "team" else rhythm.per_address
        if used >= allowed or len(self._listeners) >= rhythm.in_total:
            raise LimitReached(
                f"There are {used} event streams open for you, of {allowed} allowed; close one first.",
                limit="streams_at_once",
                allowed=allowed,
                left=0,
                retry_after=30,
            )
        self._parties[party] = used + 1
        self._listeners.add(listener)

    async def _channel(self, name: str, identity: Identity | None) -> Channel:
        key = (name, audience_of(identity))
        # One at a time: a thousand listeners that come at once load their board once.
        async with self._loads:
            channel = self._channels.get(key)
            if channel is None:
                board = await asyncio.to_thread(self._source.board, name, identity)
                channel = Channel(name, board, deque(maxlen=self.rhythm.history))
                self._channels[key] = channel
            return channel

    def _start(self) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._look()), asyncio.create_task(self._keep())]

    async def _look(self) -> None:
        """Look for changes whenever nudged, and every `Rhythm.poll_s` in any case."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.rhythm.poll_s):
                    await self._nudged.wait()
            self._nudged.clear()
            try:
                await self.refresh()
            except Exception:
                # The database may be away for a moment; the streams stay open and see the next state.
                logger.exception("the event stream could not look for changes")
            await asyncio.sleep(self.rhythm.coalesce_s)

    async def refresh(self) -> None:
        """Look once: publish what changed on boards, about challenges and for teams."""
        await self._tell_of_challenges()
        for channel in list(self._channels.values()):
            listener = next(iter(channel.listeners), None)
            if listener is None:
                continue
            try:
                board = await asyncio.to_thread(self._source.board, channel.name, listener.identity)
            except GoatError:
                # Gone, or closed to this audience: what one of them may not see, none of them may.
                for listener in channel.listeners:
                    listener.close()
                continue
            self._publish(channel, board)
        teams = {listener.team_id for listener in self._listeners if listener.team_id is not None}
        changed = await asyncio.to_thread(self._source.submissions, teams) if teams else {}
        for team_id, submissions in changed.items():
            # Looked up after the wait: somebody who came meanwhile may have asked before the change.
            theirs = [listener for listener in self._listeners if listener.team_id == team_id]
            for submission in submissions:
                self._send(theirs, event_text("submission", submission))

    async def _tell_of_challenges(self) -> None:
        """Whoever listens asks for the challenges again; what changed is not said here."""
        found = await asyncio.to_thread(self._source.challenges)
        if self._challenges is not None and found != self._challenges:
            self._send(self._listeners, event_text("challenges", {"changed": True}))
        self._challenges = found

    def _publish(self, channel: Channel, board: Board) -> None:
        old = channel.current
        assert old is not None, "a channel is loaded before anybody listens"
        if board.version == old.version and board.frozen == old.frozen:
            return
        event = delta(channel.name, old, board)
        channel.current = board
        channel.history.append(event)
        self._send(channel.listeners, event)

    def _send(self, listeners: Iterable[Listener], event: BoardEvent | bytes) -> None:
        for listener in list(listeners):
            listener.give(event, self.rhythm.inbox)

    async def _keep(self) -> None:
        """Heartbeats, and the check whether those who listen still may."""
        checked = self._monotonic()
        while True:
            await asyncio.sleep(min(self.rhythm.heartbeat_s, self.rhythm.recheck_s))
            self._send(self._listeners, HEARTBEAT)
            if self._monotonic() - checked >= self.rhythm.recheck_s - 0.5 * self.rhythm.heartbeat_s:
                checked = self._monotonic()
                try:
                    await self._recheck(list(self._listeners))
                except Exception:
                    logger.exception("the event stream could not check its listeners")

    async def _recheck(self, listeners: Sequence[Listener]) -> None:
        """Close the streams of those whose login has ended, whose team is banned, or who moved."""
        by_login: dict[str, list[Listener]] = {}
        for listener in listeners:
            if listener.authorization is not None:
                by_login.setdefault(listener.authorization, []).append(listener)
        for authorization, group in by_login.items():
            try:
                identity = await asyncio.to_thread(self._source.still, authorization)
            except GoatError:
                identity = None
            for listener in group:
                before = listener.identity
                # A ban ends the stream once: whoever comes back is told, and may look at what all may see.
                banned = identity is not None and before is not None and identity.banned != before.banned
                if identity is None or banned or identity.team_id != listener.team_id:
                    listener.close()
                else:
                    listener.identity = identity
