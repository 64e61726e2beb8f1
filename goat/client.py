"""One verb per operation of the service, typed records in and out.

    from goat import Client

    with Client("http://127.0.0.1:8000", team_id="team_awesome", password="…") as client:
        client.challenges()

Every method raises `goat.errors.RequestError` (what was asked cannot be done, and why) and
`goat.errors.ServiceUnreachable` (no connection, after several tries). Safe to use from several threads.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from goat.errors import Invalid
from goat.identity import Credentials, service_url
from goat.records import (
    Board,
    BoardHistory,
    Challenge,
    DataFile,
    LimitLeft,
    Me,
    Mode,
    QueueStatus,
    Split,
    Submission,
    Token,
)
from goat.session import Session
from goat.text import plain
from goat.transports.download import Progress, fetch
from goat.transports.http import Body, HttpTransport, Request
from goat.transports.sse import ServerEvent

if TYPE_CHECKING:
    from goat.transports.backoff import Backoff

DEFAULT_CHALLENGE = "task1"
"""The challenge meant where none is named, and by the documented `challenge1` and `getLB_chall1`."""
MODEL_CHALLENGE = "task2"
"""The same for a model, and by the documented `challenge2` and `getLB_chall2`."""

_CHUNK = 1 << 20


class Client:
    """The service at ``url`` as one team or account sees it.

    Without arguments both come from the environment or the saved login (`goat.identity`). Who is
    asking is looked up when it is first needed, so public boards work without a login.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        team_id: str | None = None,
        password: str | None = None,
        token: str | None = None,
        transport: HttpTransport | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.url = transport.url if transport is not None else service_url(url)
        self._transport = transport or HttpTransport(self.url, backoff=backoff)
        self._session = Session(self._transport, name=team_id, password=password, token=token)

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def on_retry(self, tell: Callable[[str], None] | None) -> None:
        """Have ``tell`` called with a sentence whenever a request is tried again."""
        self._transport.on_retry = tell

    # --- who am I ---------------------------------------------------------------------------

    def credentials(self) -> Credentials:
        """Who is asking. Raises `goat.errors.NotLoggedIn`."""
        return self._session.credentials()

    def login(self, name: str, password: str) -> Token:
        """A token for a name and password; later calls of this client use it.

        Raises `goat.errors.NotAuthenticated` for a wrong name or password.
        """
        return self._session.login(name, password)

    def me(self) -> Me:
        return self._session.call("GET", "/auth/me", Me, "ask who is logged in", login=True)

    def change_password(self, old: str, new: str) -> None:
        body = {"old": old, "new": new}
        self._session.send("POST", "/v1/auth/password", "change the password", login=True, json=body)

    # --- challenges and data ----------------------------------------------------------------

    def challenges(self) -> list[Challenge]:
        return self._session.call("GET", "/v1/challenges", list[Challenge], "list the challenges")

    def challenge(self, challenge: str) -> Challenge:
        """One challenge by id: ``task1`` of the default event, or ``event:task1``."""
        return self._session.call("GET", _challenge(challenge), Challenge, f"ask for challenge {challenge}")

    def limits(self, challenge: str, mode: Mode = "ranked") -> list[LimitLeft]:
        """What is left of the team's limits for a submission in this mode."""
        path, params = f"{_challenge(challenge)}/limits", {"mode": mode}
        return self._session.call(
            "GET", path, list[LimitLeft], "ask for the limits", login=True, params=params
        )

    def download(
        self, challenge: str, file: DataFile, target: Path, progress: Progress | None = None
    ) -> None:
        """Fetch one archive of the challenge into ``target``, going on where an earlier try stopped.

        ``progress`` is called with (bytes so far, bytes in all). The file's SHA-256 is verified.
        """
        path = f"{_challenge(challenge)}/data/{quote(file.name, safe='')}"
        doing = f"download {file.name}"
        request = Request(method="GET", path=path, doing=doing, headers=self._session.headers(login=False))
        fetch(self._transport, request, file, target, progress)

    # --- submissions ------------------------------------------------------------------------

    def submit(
        self,
        challenge: str,
        path: Path,
        *,
        mode: Mode = "ranked",
        filename: str | None = None,
        options: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> Submission:
        """Send the one file ``path`` as a submission, streamed; it is accepted when this returns.

        ``options`` is what the challenge's kind lets a participant choose, e.g. ``{"batch_size": 8}``.

        A retry carries the same idempotency key, so a reply that got lost never makes a second
        submission. ``progress`` is called with (bytes sent, bytes in all). Raises the errors of the
        service's limits: `goat.errors.DeadlinePassed`, `goat.errors.LimitReached`,
        `goat.errors.TooLarge`.
        """
        digest, size = _digest(path)
        headers: dict[str, str | bytes] = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size),
            "Content-Digest": f"sha-256=:{base64.b64encode(digest).decode()}:",
            # The service reads UTF-8 here; a name with control characters is no header.
            "X-Filename": plain(filename or path.name, 120).encode("utf-8", "replace"),
            "Idempotency-Key": uuid.uuid4().hex,
        }
        return self._session.call(
            "POST",
            f"{_challenge(challenge)}/submissions",
            Submission,
            "send the submission",
            login=True,
            headers=headers,
            params={"mode": mode} | ({"options": json.dumps(dict(options))} if options else {}),
            body=_reader(path, size, progress),
        )

    def submissions(
        self, challenge: str | None = None, *, limit: int = 100, before: str | None = None
    ) -> list[Submission]:
        """The team's submissions, newest first; ``before`` an id asks for older ones."""
        params: dict[str, str | int] = {"limit": limit}
        if challenge is not None:
            params["challenge"] = challenge
        if before is not None:
            params["before"] = before
        path = "/v1/submissions"
        return self._session.call(
            "GET", path, list[Submission], "list the submissions", login=True, params=params
        )

    def submission(self, submission_id: str) -> Submission:
        path = _submission(submission_id)
        return self._session.call("GET", path, Submission, f"ask for submission {submission_id}", login=True)

    def cancel(self, submission_id: str) -> Submission:
        """Call back a submission that is not scored yet. Raises `goat.errors.Conflict` if it is."""
        doing = f"cancel submission {submission_id}"
        reply = self._session.send("DELETE", _submission(submission_id), doing, login=True)
        return self._session.decode(reply, Submission, doing) if reply else self.submission(submission_id)

    def select(self, submission_id: str, selected: bool = True) -> Submission:
        """Choose a submission as one of the team's finals, or take the choice back."""
        path = f"{_submission(submission_id)}/selected"
        doing = f"select submission {submission_id}"
        return self._session.call("PUT", path, Submission, doing, login=True, json={"selected": selected})

    # --- boards and queue -------------------------------------------------------------------

    def leaderboard(self, challenge: str, split: Split = "public") -> Board:
        path = f"{_challenge(challenge)}/leaderboard"
        return self._session.call(
            "GET", path, Board, f"ask for the board of {challenge}", params={"split": split}
        )

    def board_history(self, challenge: str, *, top: int = 10, team_name: str | None = None) -> BoardHistory:
        """How a public board came to be: its best, the first ``top`` teams (at most 30) and one more."""
        params: dict[str, str | int] = {"top": top}
        if team_name:
            params["team_name"] = team_name
        path = f"{_challenge(challenge)}/leaderboard/history"
        doing = f"ask how the board of {challenge} came to be"
        return self._session.call("GET", path, BoardHistory, doing, params=params)

    def combined(self, split: Split = "public") -> Board:
        """The event's combined board over its challenges."""
        path, doing = "/v1/combined/leaderboard", "ask for the combined board"
        return self._session.call("GET", path, Board, doing, params={"split": split})

    def queue(self) -> QueueStatus:
        return self._session.call("GET", "/v1/queue", QueueStatus, "ask for the queue")

    def health(self) -> dict[str, Any]:
        return self._session.call("GET", "/", dict[str, Any], "ask for the service's health")

    def events(
        self,
        challenges: list[str] | None = None,
        *,
        last_id: str | None = None,
        on_open: Callable[[Callable[[], None]], None] = lambda cut: None,
    ) -> Iterator[ServerEvent]:
        """Events of boards and own submissions over one connection, until it ends.

        ``on_open`` is handed a function that cuts the connection off from another thread.
        """
        headers = {**self._session.headers(login=False), "Accept": "text/event-stream"}
        if last_id is not None:
            headers["Last-Event-ID"] = last_id
        request = Request(
            method="GET",
            path="/v1/stream",
            doing="open the event stream",
            headers=headers,
            params={"challenges": ",".join(challenges)} if challenges else None,
        )
        return self._transport.events(request, on_open)


def _challenge(challenge: str) -> str:
    return f"/v1/challenges/{_segment(challenge)}"


def _submission(submission_id: str) -> str:
    return f"/v1/submissions/{_segment(submission_id)}"


def _segment(name: str) -> str:
    if not name or name in (".", ".."):
        raise Invalid(f"{name!r} is not an id")
    return quote(name, safe=":")


def _digest(path: Path) -> tuple[bytes, int]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").digest()
        return digest, stream.tell()


def _reader(path: Path, size: int, progress: Progress | None) -> Body:
    """The file in chunks of 1 MiB: memory stays the same whatever its size."""

    def chunks() -> Iterator[bytes]:
        sent = 0
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
                sent += len(chunk)
                if progress is not None:
                    progress(sent, size)

    return chunks
