"""A small service that speaks the real one's HTTP, in memory, with faults on demand.

Its state is the truth of a test: what was accepted, how often each route was asked, which headers came.
"""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from goat.kinds.base import scorer_digest
from goat.records import Board, BoardRow, Challenge, DataFile, Me, Submission, Token
from tests.goat.toy_kind import KIND, Config

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
NAMES = ["a", "b"]


def archive(members: dict[str, bytes]) -> bytes:
    """A stored zip, as the service publishes its data."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return out.getvalue()


SAMPLE = archive(
    {
        "inputs/a.txt": b"1",
        "inputs/b.txt": b"2",
        "truth/a.txt": b"1.5",
        "truth/b.txt": b"2.5",
        "big": b"x" * 3_000_000,
    }
)
EVAL = archive({"inputs/a.txt": b"3", "inputs/b.txt": b"4"})


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    cut_after: int | None = None
    """Send only so many bytes of the body and hang up."""


def json_reply(value: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(
        status, msgspec.json.encode(value), {name.replace("_", "-"): text for name, text in headers.items()}
    )


def problem(
    status: int, code: str, detail: str, *, headers: dict[str, str] | None = None, **facts: Any
) -> Reply:
    body = {"type": "about:blank", "title": code, "status": status, "detail": detail, "code": code, **facts}
    return Reply(status, msgspec.json.encode(body), headers or {}, "application/problem+json")


@dataclass
class FakeService:
    """One event with one challenge of the toy kind and one team."""

    submissions: dict[str, Submission] = field(default_factory=dict)
    by_key: dict[str, str] = field(default_factory=dict)
    keys_seen: list[str] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    headers: list[dict[str, str]] = field(default_factory=list)
    faults: list[Callable[[str, str], Reply | str | None]] = field(default_factory=list)
    """Asked first, one by one; a Reply is sent instead, ``drop`` hangs up without a word, ``lose``
    lets the request happen and loses the answer."""
    score_after: int = 1
    """How many status questions until a submission is scored."""
    outcome: dict[str, Any] = field(
        default_factory=lambda: {"state": "EVALUATED", "score": 7.25, "improved": True}
    )
    board_metrics: dict[str, float] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=lambda: {"sample.zip": SAMPLE, "eval.zip": EVAL})
    url: str = ""

    @property
    def challenge(self) -> Challenge:
        return Challenge(
            id="task1",
            event="toys",
            kind="toy",
            title="Toys",
            description="",
            config={"names": NAMES},
            opens_at=None,
            deadline=NOW + timedelta(hours=2, minutes=5),
            frozen=False,
            revealed=False,
            max_bytes=10_000_000,
            limits={"per_day": 5},
            ladder_step=0.01,
            finals=2,
            higher_is_better=True,
            unit="points",
            data_version="v1",
            data=[
                DataFile(name=n, sha256=hashlib.sha256(b).hexdigest(), size=len(b))
                for n, b in self.files.items()
            ],
            scorer_digest=scorer_digest(KIND, Config(NAMES)),
            server_time=NOW,
        )

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Reply | str:
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        self.asked[f"{method} {path}"] += 1
        self.headers.append(headers)
        lose = False
        for fault in list(self.faults):
            found = fault(method, path)
            if found == "lose":
                lose = True
            elif found is not None:
                return found
        reply = self._route(method, path, query, headers, body)
        return "drop" if lose else reply

    def _route(
        self, method: str, path: str, query: dict[str, list[str]], headers: dict[str, str], body: bytes
    ) -> Reply:
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if path == "/":
            return json_reply({"status": "healthy"})
        if path == "/auth/login":
            given = msgspec.json.decode(body)
            if given != {"name": "team_awesome", "password": "my_password"}:
                return problem(401, "not_authenticated", "Wrong name or password.")
            return json_reply(Token(access_token="good", expires_at=NOW - timedelta(days=300)))
        if parts[:2] == ["v1", "challenges"] and headers.get("authorization", "") in ("", "Bearer good"):
            public = self._public(parts, headers)
            if public is not None:
                return public
        if headers.get("authorization") != "Bearer good":
            return problem(401, "not_authenticated", "The token is not valid.")
        return self._of_the_team(method, path, parts, query, headers, body)

    def _of_the_team(
        self,
        method: str,
        path: str,
        parts: list[str],
        query: dict[str, list[str]],
        headers: dict[str, str],
        body: bytes,
    ) -> Reply:
        if path == "/auth/me":
            return json_reply(
                Me(name="team_awesome", role="participant", event="toys", team_name="team_awesome")
            )
        if method == "POST" and parts[-1] == "submissions":
            return self._accept(query, headers, body)
        if path == "/v1/submissions":
            found = sorted(self.submissions.values(), key=lambda item: item.id, reverse=True)
            before = query.get("before", ["~"])[0]
            return json_reply([item for item in found if item.id < before][: int(query["limit"][0])])
        if parts[:2] == ["v1", "submissions"] and parts[2] in self.submissions:
            return json_reply(self._progress(parts[2]))
        return problem(404, "not_found", f"There is no {path}.")

    def _public(self, parts: list[str], headers: dict[str, str]) -> Reply | None:
        if len(parts) == 2:
            return json_reply([self.challenge])
        known = self.challenge.id
        if parts[2] not in (known, f"toys:{known}"):
            return problem(404, "not_found", f"There is no challenge {parts[2]}. There is: {known}.")
        if len(parts) == 3:
            return json_reply(self.challenge)
        if parts[3] == "leaderboard":
            return json_reply(self.board())
        if parts[3] == "data":
            return self._file(parts[4], headers)
        return None

    def _file(self, name: str, headers: dict[str, str]) -> Reply:
        content = self.files[name]
        wanted = headers.get("range", "")
        if wanted.startswith("bytes="):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            return Reply(206, content[start:], {}, "application/zip")
        return Reply(200, content, {}, "application/zip")

    def board(self) -> Board:
        row = BoardRow(
            rank=3,
            team_name="team_awesome",
            score=7.25,
            submission_id="s0001",
            submitted_at=NOW,
            entries=1,
            metrics=self.board_metrics,
        )
        other = replace(row, rank=1, team_name="evil\x1b[31m\u202e<b>", score=9.0, submission_id="s0000")
        rows = [other, replace(other, rank=2, team_name="second", score=8.0), row]
        return Board(
            event="toys",
            challenge=self.challenge.id,
            split="public",
            version=4,
            frozen=False,
            higher_is_better=True,
            unit="points",
            rows=rows,
        )

    def _accept(self, query: dict[str, list[str]], headers: dict[str, str], body: bytes) -> Reply:
        key = headers["idempotency-key"]
        self.keys_seen.append(key)
        if key not in self.by_key:
            identifier = f"s{len(self.submissions) + 1:04}"
            self.by_key[key] = identifier
            self.submissions[identifier] = Submission(
                id=identifier,
                event="toys",
                challenge=self.challenge.id,
                team_name="team_awesome",
                account="team_awesome",
                options=msgspec.json.decode(query.get("options", ["{}"])[0]),
                mode="ranked" if query["mode"] == ["ranked"] else "test",
                state="QUEUED",
                filename=headers["x-filename"].encode("latin-1").decode(),
                size=len(body),
                sha256=hashlib.sha256(body).hexdigest(),
                submitted_at=NOW,
                queue_position=2,
            )
        return json_reply(self.submissions[self.by_key[key]], 201)

    def _progress(self, identifier: str) -> Submission:
        found = self.submissions[identifier]
        times = self.asked[f"GET /v1/submissions/{identifier}"]
        if times >= self.score_after:
            found = replace(found, queue_position=None, attempt=1, **self.outcome)
        elif times == self.score_after - 1:
            found = replace(found, queue_position=None, attempt=1, state="RUNNING")
        self.submissions[identifier] = found
        return found


def times(
    count: int, what: Reply | str, *, path: str, method: str = "GET"
) -> Callable[[str, str], Reply | str | None]:
    """A fault that happens the first ``count`` times a route is asked."""
    left = count

    def fault(asked_method: str, asked_path: str) -> Reply | str | None:
        nonlocal left
        if left and asked_method == method and asked_path == path:
            left -= 1
            return what
        return None

    return fault


@contextmanager
def running(service: FakeService) -> Iterator[FakeService]:
    """Serve on a free port of this machine until the context ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            reply = service.answer(self.command, self.path, headers, body)
            if isinstance(reply, str):
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in {"Content-Type": reply.content_type, **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            with suppress(ConnectionError):  # who asked may have hung up
                self.wfile.write(reply.body[: reply.cut_after])
            if reply.cut_after is not None:
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - names that http.server looks for

        def log_message(self, *args: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
