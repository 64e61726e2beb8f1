"""HTTP door: cached board replies against FastAPI's default, uploads against bare loopback receive.

    python -m benchmarks.api

The server runs in a process of its own; the client is a plain socket, so that its own cost stays
small. One server process answers all contenders, in turn within each round.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import uvicorn
import uvloop
from fastapi import FastAPI
from msgspec import to_builtins
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.common import Report, interleave
from benchmarks.crowd import crowded_services
from goat.records import Board
from scoring_service.commands.serve import collect_garbage_rarely
from scoring_service.doors.http.app import create_app
from scoring_service.doors.http.state import load_board
from scoring_service.doors.http.uploads import Pace, UploadDesk
from scoring_service.services import Services
from scoring_service.store import Store, Upload
from tests.scoring_service.world import PASSWORD

TEAMS = 500
UPLOAD_BYTES = 10_000_000
BOARD = "/v1/challenges/task1/leaderboard"


class Connection:
    """A keep-alive connection that sends prepared requests and reads whole replies."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(1 << 20)

    def close(self) -> None:
        self._socket.close()

    def ask(self, *parts: bytes | memoryview) -> tuple[int, bytes]:
        """Status and body of one exchange."""
        return self.stream(parts)

    def stream(self, parts: Iterable[bytes | memoryview]) -> tuple[int, bytes]:
        """The same for a request that is made while it is sent."""
        for part in parts:
            self._socket.sendall(part)
        view, have = memoryview(self._buffer), 0
        head_end = -1
        while head_end < 0:
            got = self._socket.recv_into(view[have:])
            if not got:
                raise ConnectionError("the server closed the connection")
            have += got
            head_end = self._buffer.find(b"\r\n\r\n", 0, have)
        head = bytes(view[:head_end]).lower()
        status = int(head[9:12])
        length = 0
        for line in head.split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line[15:])
        while have < head_end + 4 + length:
            have += self._socket.recv_into(view[have:])
        return status, bytes(view[head_end + 4 : head_end + 4 + length])


def request(method: str, path: str, headers: dict[str, str] | None = None) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", *(f"{k}: {v}" for k, v in (headers or {}).items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


# --- the server -----------------------------------------------------------------------------------


class Drain(asyncio.Protocol):
    """The physical limit: receive as many bytes as announced, answer, nothing else."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's, but behave like them.
        self._transport = cast(asyncio.Transport, transport)
        self._left = 0

    def data_received(self, data: bytes) -> None:
        if self._left == 0:
            head, _, rest = data.partition(b"\r\n\r\n")
            length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
            self._left = int(length.partition(b":")[2]) - len(rest)
        else:
            self._left -= len(data)
        if self._left == 0:
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


class Unsynced(Store):
    """The store without its fsyncs: what streaming, hashing and writing cost, apart from the disk.

    Files are removed soon, so that what is measured is writing, not the growth of the page cache.
    """

    def open_upload(self) -> Upload:
        for path in self.root.glob("??/*"):
            path.unlink()
        return UnsyncedUpload(self)


class UnsyncedUpload(Upload):
    def finish(self) -> str:
        digest = self.digest
        self._file.close()
        self._path.rename(self._store.root / self._path.name)
        (self._store.root / self._path.name).unlink()
        return digest


def upload_only(folder: Path) -> ASGIApp:
    """An application that only takes uploads in, by the code of our door."""
    desk = UploadDesk(Unsynced(folder))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await desk.take(Request(scope, receive), 1 << 30, form=False)
        await Response("ok")(scope, receive, send)

    return app


def fastapi_default(services: Services) -> FastAPI:
    """The board as FastAPI gives it by default: from a list of dicts, and by a response model."""
    rows = to_builtins(load_board(services, "task1", "public", None).rows)
    app = FastAPI()

    @app.get("/list")
    def as_list():  # type: ignore[no-untyped-def]  # no annotation: FastAPI's default encoding
        return rows

    @app.get("/model", response_model=Board)
    def as_model() -> Board:
        return load_board(services, "task1", "public", None)

    return app


async def run_servers(apps: list[ASGIApp]) -> None:
    """All contenders in one process, on free ports that are printed; the bare receiver is the third."""
    servers, ports = [], []
    for app in apps:
        listener = socket.create_server(("127.0.0.1", 0))
        lifespan: Any = "auto" if isinstance(app, FastAPI) else "off"
        config = uvicorn.Config(
            app,
            http="httptools",
            access_log=False,
            log_level="warning",
            lifespan=lifespan,
            timeout_keep_alive=3600,
        )
        servers.append(asyncio.create_task(uvicorn.Server(config).serve([listener])))
        ports.append(listener.getsockname()[1])
    drain = await asyncio.get_running_loop().create_server(Drain, "127.0.0.1", 0)
    ports.insert(2, drain.sockets[0].getsockname()[1])
    collect_garbage_rarely()
    print(json.dumps(ports), flush=True)
    await asyncio.gather(*servers)


def serve() -> None:
    """Child process: everything on the server's side, until it is killed."""
    with crowded_services(TEAMS) as services, TemporaryDirectory() as folder:
        ours = create_app(services, pace=Pace(per_team=8))
        uvloop.run(run_servers([ours, fastapi_default(services), upload_only(Path(folder))]))


@contextmanager
def server() -> Iterator[list[int]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.api", "--serve"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.kill()  # it has nothing to save
        process.wait(10)


# --- what is measured -----------------------------------------------------------------------------


def measure_board(report: Report, ours: Connection, plain: Connection, auth: dict[str, str]) -> None:
    get, bare = request("GET", BOARD, auth), request("GET", "/list")
    model = request("GET", "/model")
    status, body = ours.ask(get)
    assert status == 200, body
    assert len(json.loads(body)["rows"]) == TEAMS, "the board is whole"
    etag = '"' + _etag(ours, get) + '"'
    known = request("GET", BOARD, auth | {"If-None-Match": etag})
    assert ours.ask(known)[0] == 304, "the ETag holds"
    assert ours.ask(request("GET", BOARD + "?split=private", auth))[0] == 403, "authorisation is intact"
    seconds = interleave(
        {
            "default": lambda: _repeat(plain, bare, 10),
            "model": lambda: _repeat(plain, model, 10),
            "ours": lambda: _repeat(ours, get, 400),
            "304": lambda: _repeat(ours, known, 400),
        },
        rounds=9,
    )
    per = {"default": 10, "model": 10, "ours": 400, "304": 400}
    each = {name: [value / per[name] for value in values] for name, values in seconds.items()}
    report.ratio("GET board, faster than FastAPI list", each, "default", "ours", at_least=40)
    report.ratio("GET board 304, faster than FastAPI list", each, "default", "304", at_least=40)
    report.ratio("response_model (with its query), faster than FastAPI list", each, "default", "model")
    report.facts["board_bytes"] = len(body)
    report.facts["milliseconds"] = {name: statistics.median(v) * 1e3 for name, v in each.items()}


def _etag(connection: Connection, get: bytes) -> str:
    connection._socket.sendall(get)
    head = connection._socket.recv(1 << 20)
    while b"\r\n\r\n" not in head:
        head += connection._socket.recv(1 << 20)
    head, _, rest = head.partition(b"\r\n\r\n")
    pairs = (line.partition(b":") for line in head.split(b"\r\n"))
    fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
    left = int(fields[b"content-length"]) - len(rest)
    while left > 0:
        left -= len(connection._socket.recv(left))
    return fields[b"etag"].decode().strip('"')


def _repeat(connection: Connection, prepared: bytes, times: int) -> None:
    for _ in range(times):
        connection.ask(prepared)


class Uploader:
    """Sends ten megabytes that differ each time."""

    def __init__(self, connection: Connection, path: str, headers: dict[str, str]) -> None:
        self._body = bytearray(os.urandom(UPLOAD_BYTES))
        self._connection = connection
        self._head = request("POST", path, headers | {"Content-Length": str(UPLOAD_BYTES)})

    def __call__(self) -> None:
        self._body[:16] = os.urandom(16)
        status, body = self._connection.ask(self._head, memoryview(self._body))
        assert status in (200, 201), (status, body[:300])


def measure_upload(report: Report, ports: list[int], auth: dict[str, str]) -> None:
    path = "/v1/challenges/task1/submissions"
    seconds = interleave(
        {
            "limit": Uploader(Connection(ports[2]), "/", {}),
            "stored": Uploader(Connection(ports[3]), "/", {}),
            "accepted": Uploader(Connection(ports[0]), path, auth),
        },
        rounds=25,
    )
    report.ratio("upload 10 MB with digest and file", seconds, "stored", "limit", at_most=2.6)
    report.ratio("the same, made durable and accepted (fsync, commit)", seconds, "accepted", "limit")
    report.facts["upload_milliseconds"] = {k: statistics.median(v) * 1e3 for k, v in seconds.items()}


def measure_latency(report: Report, ports: list[int], auth: dict[str, str]) -> None:
    """p99 of board requests, idle and beside three uploads, interleaved."""
    for label, pace in (("at 100 Mbit/s each", 12.5e6), ("as fast as loopback goes", None)):
        idle, busy, receive = [], [], []
        for _ in range(7):
            idle.append(_p99(ports[0], auth))
            with uploading(3, partial(paced_upload, ports[0], auth, pace)):
                busy.append(_p99(ports[0], auth))
            with uploading(3, partial(paced_upload, ports[2], {}, pace)):
                receive.append(_p99(ports[0], auth))
        seconds = {"idle": idle, "busy": busy, "receive": receive}
        report.ratio(f"GET p99 beside 3 uploads {label}, against idle", seconds, "busy", "idle", at_most=1.5)
        report.ratio(f"GET p99 beside 3 uploads {label}, against bare receive", seconds, "busy", "receive")
        report.facts[f"p99_ms {label}"] = {k: statistics.median(v) * 1e3 for k, v in seconds.items()}


def _p99(port: int, auth: dict[str, str], count: int = 300) -> float:
    connection, get = Connection(port), request("GET", BOARD, auth)
    times = []
    for _ in range(count):
        start = time.perf_counter()
        connection.ask(get)
        times.append(time.perf_counter() - start)
        time.sleep(0.001)
    connection.close()
    return statistics.quantiles(times, n=100)[98]


def paced_upload(port: int, auth: dict[str, str], bytes_per_s: float | None) -> None:
    """One upload in slices of 64 KiB, no faster than asked."""
    body = memoryview(os.urandom(16) + bytes(UPLOAD_BYTES - 16))
    head = request("POST", "/v1/challenges/task1/submissions", auth | {"Content-Length": str(UPLOAD_BYTES)})

    def slices() -> Iterator[bytes | memoryview]:
        yield head
        start = time.perf_counter()
        for offset in range(0, UPLOAD_BYTES, 65536):
            yield body[offset : offset + 65536]
            if bytes_per_s:
                time.sleep(max(0.0, offset / bytes_per_s - (time.perf_counter() - start)))

    connection = Connection(port)
    status, reply = connection.stream(slices())
    assert status in (200, 201), (status, reply)
    connection.close()


@contextmanager
def uploading(count: int, upload: Callable[[], Any]) -> Iterator[None]:
    """``count`` threads that upload again and again while the block runs."""
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            upload()

    threads = [threading.Thread(target=loop) for _ in range(count)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    yield
    stop.set()
    for thread in threads:
        thread.join()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    if parser.parse_args().serve:
        serve()
        return 0
    report = Report("api")
    with server() as ports:
        ours, plain = Connection(ports[0]), Connection(ports[1])
        body = json.dumps({"name": "team_0000", "password": PASSWORD}).encode()
        login = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        _, reply = ours.ask(request("POST", "/auth/login", login), body)
        auth = {"Authorization": f"Bearer {json.loads(reply)['access_token']}"}
        measure_board(report, ours, plain, auth)
        measure_upload(report, ports, auth)
        measure_latency(report, ports, auth)
    return 0 if report.finish() else 1


if __name__ == "__main__":
    sys.exit(main())
