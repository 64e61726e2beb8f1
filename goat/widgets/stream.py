"""One event stream for all widgets of a notebook, read in a daemon thread.

A thread, not an asyncio task: widgets stay live while a cell is busy. Widgets register what they want
to hear and are told what stands in the way, in a sentence. They ask for all that they show once the
stream is open: what changes after the question is heard, so nothing falls between the two. A lost
connection is opened again and brings what was missed; a gap in the versions asks for the board anew.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from goat.client import Client
from goat.errors import Forbidden, GoatError, LocalError, NotAuthenticated, NotFound, ServiceUnreachable
from goat.live import merge
from goat.records import Board, Submission
from goat.text import plain
from goat.transports.backoff import Backoff
from goat.transports.sse import ServerEvent

COMBINED = "combined"
CONNECTING = "connecting …"
_PAUSES_S = (0.2, 0.5, 1.0, 2.0)
_STABLE_S = 5.0
"""A connection that lasted so long was a good one: the next pause is the shortest again."""

BoardHeard = Callable[[Board], None]
SubmissionHeard = Callable[[Submission], None]
ProblemHeard = Callable[[str], None]


def quick_client(url: str | None = None) -> Client:
    """A client that gives up soon, because whoever uses it tries again and says so."""
    return Client(url, backoff=Backoff(attempts=2, first_contact_attempts=2))


def ask_board(client: Client, board: str) -> Board:
    return client.combined() if board == COMBINED else client.leaderboard(board)


class _Hello(msgspec.Struct):
    """The first event of a connection."""

    server_time: datetime
    team_name: str | None = None


class Live:
    """What the service tells, for as long as this process lives (or until `close`)."""

    def __init__(self, connect: Callable[[], Client] = quick_client) -> None:
        self.team: str | None = None
        """The own team, as the service knows who is asking."""
        self.problem = CONNECTING
        self.client: Client | None = None
        """Speaks to the service while connected: for the thread that hears."""
        self._told: tuple[float, float] | None = None
        """The service's time in seconds since 1970 as it was last told, and when, by the monotonic clock."""
        self._connect = connect
        self._boards: dict[str, list[BoardHeard]] = {}
        self._known: dict[str, Board] = {}
        self._submissions: list[SubmissionHeard] = []
        self._problems: list[ProblemHeard] = []
        self._opened: list[Callable[[Client], None]] = []
        self._cut: Callable[[], None] = lambda: None
        self._changed = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._lock = threading.RLock()

    # --- what widgets say ---------------------------------------------------------------------

    def watch(self, board: str, heard: BoardHeard) -> None:
        """Have ``heard`` called with the board whenever it changes, and now if it is known."""
        with self._lock:
            fresh = board not in self._boards
            self._boards.setdefault(board, []).append(heard)
            known = self._known.get(board)
        if known is not None:
            heard(known)
        if fresh:
            self._again()
        self._start()

    def listen(self, heard: SubmissionHeard) -> None:
        """Have ``heard`` called with each own submission that changed."""
        self._submissions.append(heard)
        self._start()

    def tell_problems(self, heard: ProblemHeard) -> None:
        """Have ``heard`` called with what stands in the way, empty when nothing does; now as well."""
        self._problems.append(heard)
        heard(self.problem)

    def when_connected(self, begin: Callable[[Client], None]) -> None:
        """Have ``begin`` called with a client whenever what is shown must be asked for.

        That is after each opening of the stream, whenever challenges changed, and when a board that is
        watched is none any more. It may raise GoatError.
        """
        self._opened.append(begin)
        self._again()
        self._start()

    def forget(self, *heard: Callable[..., None]) -> None:
        """Stop telling."""
        with self._lock:
            for listeners in (self._submissions, self._problems, self._opened, *self._boards.values()):
                for one in heard:
                    with contextlib.suppress(ValueError):
                        listeners.remove(one)  # type: ignore[attr-defined]  # lists of different callables
            self._boards = {name: listeners for name, listeners in self._boards.items() if listeners}
            self._known = {name: board for name, board in self._known.items() if name in self._boards}

    def now(self) -> float:
        """The service's time in seconds since 1970; 0 as long as it is not known."""
        if self._told is None:
            return 0.0
        told, at = self._told
        return told + time.monotonic() - at

    def close(self) -> None:
        """End the stream and its thread."""
        self._stopped = True
        self._again()

    # --- the thread -----------------------------------------------------------------------------

    def _start(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._stopped = False
                self._thread = threading.Thread(target=self._run, name="goat-live", daemon=True)
                self._thread.start()

    def _again(self) -> None:
        """Open the stream anew (what is listened to has changed)."""
        self._changed.set()
        self._cut()

    def _run(self) -> None:
        failures = 0
        client: Client | None = None
        while not self._stopped:
            self._changed.clear()
            tried = time.monotonic()
            try:
                client = self.client = client or self._connect()
                self._read(client)
                said = "The connection to the service was lost; reconnecting …"
            except (NotAuthenticated, LocalError) as error:
                said = _sentence(client, error)
                if not isinstance(error, ServiceUnreachable) and client is not None:
                    client.close()  # somebody may log in anew: look for the login afresh
                    client = self.client = None
            except GoatError as error:
                said = plain(error)
            except (msgspec.MsgspecError, RuntimeError, KeyError, TypeError, ValueError) as error:
                self._known.clear()  # a word that was not understood: begin with whole boards again
                said = f"The event stream was not understood ({plain(error, 200)}); reading it anew …"
            if self._changed.is_set():
                continue  # it was us who cut it, or ended it
            failures = 0 if time.monotonic() - tried > _STABLE_S else failures + 1
            self._say(said)
            pause = _PAUSES_S[min(failures, len(_PAUSES_S) - 1)]
            self._changed.wait(pause * random.uniform(0.7, 1.3))  # not all notebooks in the same moment
        if client is not None:
            client.close()

    def _read(self, client: Client) -> None:
        with self._lock:
            names = list(self._boards)
            versions = {name: board.version for name, board in self._known.items()}
        last = ",".join(f"{name}={version}" for name, version in versions.items()) or None
        try:
            for event in client.events(names, last_id=last, on_open=self._on_open):
                self._hear(client, event)
                if self._stopped or self._changed.is_set():
                    return
        except (NotFound, Forbidden):
            self._begin(client)  # a board is gone, or closed to us: which are there?
            if list(self._boards) == names:
                raise
            self._again()

    def _begin(self, client: Client) -> None:
        for begin in list(self._opened):
            begin(client)

    def _on_open(self, cut: Callable[[], None]) -> None:
        self._cut = cut
        if self._stopped or self._changed.is_set():
            cut()

    def _hear(self, client: Client, event: ServerEvent) -> None:
        if event.event == "hello":
            hello = msgspec.json.decode(event.data, type=_Hello)
            self.team = hello.team_name
            self._told = hello.server_time.timestamp(), time.monotonic()
            self._begin(client)
            if not self._changed.is_set():  # else what is listened to has changed: at once again
                self._say("")
        elif event.event == "submission":
            submission = msgspec.json.decode(event.data, type=Submission)
            for heard in list(self._submissions):
                heard(submission)
        elif event.event == "board":
            self._board(client, msgspec.json.decode(event.data))
        elif event.event == "challenges":
            self._begin(client)  # whoever shows challenges looks at them anew

    def _board(self, client: Client, change: dict[str, Any]) -> None:
        name = self._name_of(change)
        if name is None:
            return
        known = self._known.get(name)
        if "snapshot" in change:
            board = msgspec.convert(change["snapshot"], Board)
        else:
            board = (merge(known, change) if known is not None else None) or ask_board(client, name)
        if board == known:
            return
        with self._lock:
            self._known[name] = board
            listeners = list(self._boards.get(name, ()))
        for heard in listeners:
            heard(board)

    def _name_of(self, change: dict[str, Any]) -> str | None:
        """The id by which we asked for the board of this event."""
        shown = change.get("snapshot", change)
        plain_id = shown["challenge"]
        names = (plain_id, f"{shown.get('event', '')}:{plain_id}")
        return next((name for name in names if name in self._boards), None)

    def _say(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            for heard in list(self._problems):
                heard(problem)


def _sentence(client: Client | None, error: GoatError) -> str:
    """An ended login is told with what to do about it; an outage with what happens next."""
    if isinstance(error, ServiceUnreachable):
        return f"{plain(error)} Trying again …"
    if client is not None and isinstance(error, NotAuthenticated):
        try:
            client.me()
        except GoatError as better:
            return plain(better)
    return plain(error)


_lives: dict[str, Live] = {}
_lives_lock = threading.Lock()


def live_of(url: str) -> Live:
    """The one stream of this process to the service at ``url``."""
    with _lives_lock:
        if url not in _lives:
            _lives[url] = Live(lambda: quick_client(url))
        return _lives[url]
