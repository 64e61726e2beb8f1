"""Live board fan-out: our event stream to many listeners, against the bare transport.

    python -m benchmarks.stream

The client holds all connections in a process of its own and counts bytes. One round of the limit
writes the very bytes of one event to every transport, and nothing else; one round of ours goes from
"the board changed" (load, diff, encode) to the last listener's last byte.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import uvicorn
import uvloop
from fastapi import FastAPI
from sqlalchemy import select

from benchmarks.common import Report, interleave
from benchmarks.crowd import crowded_services
from scoring_service.commands.serve import allow_many_connections, collect_garbage_rarely
from scoring_service.doors.http.app import create_app
from scoring_service.doors.http.delta import BoardEvent
from scoring_service.doors.http.hub import Channel, Hub, Rhythm
from scoring_service.models import Challenge, Standing
from scoring_service.services import Services

LISTENERS = 1000
TEAMS = 500
CHANGED = 10


class Bare(asyncio.Protocol):
    """The limit: a connection that is written to, without HTTP beyond its first answer."""

    def __init__(self, everyone: list[asyncio.Transport]) -> None:
        self._everyone = everyone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._everyone.append(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        return


class Conductor:
    """The server's side: does what the client orders, one line per order, one JSON line per answer."""

    def __init__(self, services: Services, hub: Hub) -> None:
        self._services = services
        self._hub = hub
        self._random = random.Random(1)
        self.everyone: list[asyncio.Transport] = []

    async def listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while order := (await reader.readline()).strip().decode():
            reply = await getattr(self, order)()
            writer.write(json.dumps(reply).encode() + b"\n")

    async def listeners(self) -> dict[str, Any]:
        return {"ours": self._hub.open_streams, "bare": len(self.everyone)}

    async def cpu(self) -> dict[str, Any]:
        return {"seconds": time.process_time()}

    async def change(self) -> dict[str, Any]:
        """Ten teams score."""
        await asyncio.to_thread(self._change)
        return {}

    async def refresh(self) -> dict[str, Any]:
        """Look, as the hub does when it is nudged: load, diff, encode, send."""
        started = time.perf_counter()
        await self._hub.refresh()
        return {"bytes": len(self._event().whole), "prepare_s": time.perf_counter() - started}

    async def replay(self) -> dict[str, Any]:
        """The same event once more to everybody: the fan-out alone."""
        self._hub._send(self._channel().listeners, self._event())
        return {}

    async def bare(self) -> dict[str, Any]:
        """The same bytes to every bare connection."""
        event = self._event().whole
        frame = b"%x\r\n%b\r\n" % (len(event), event)
        for transport in self.everyone:
            transport.write(frame)
        return {}

    def _channel(self) -> Channel:
        return next(iter(self._hub._channels.values()))

    def _event(self) -> BoardEvent:
        return self._channel().history[-1]

    def _change(self) -> None:
        with self._services.db.write() as session:
            for standing in self._random.sample(list(session.scalars(select(Standing))), CHANGED):
                standing.score = round(self._random.uniform(20, 40), 6)
            session.scalars(select(Challenge)).one().board_version += 1


async def run_servers(app: FastAPI, conductor: Conductor) -> None:
    """Ours, the bare transport and the conductor, on free ports that are printed."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    config = uvicorn.Config(app, http="httptools", access_log=False, log_level="warning")
    server = asyncio.create_task(uvicorn.Server(config).serve([listener]))
    loop = asyncio.get_running_loop()
    bare = await loop.create_server(lambda: Bare(conductor.everyone), "127.0.0.1", 0, backlog=4096)
    orders = await asyncio.start_server(conductor.listen, "127.0.0.1", 0)
    collect_garbage_rarely()
    ports = [entry.getsockname()[1] for entry in (listener, bare.sockets[0], orders.sockets[0])]
    print(json.dumps(ports), flush=True)
    await server


def serve() -> None:
    """Child process: everything on the server's side, until it is killed."""
    allow_many_connections()
    never = 3600.0
    rhythm = Rhythm(
        poll_s=never, coalesce_s=0, heartbeat_s=never, recheck_s=never, per_address=LISTENERS + 10
    )
    with crowded_services(TEAMS) as services:
        app = create_app(services, rhythm=rhythm)
        uvloop.run(run_servers(app, Conductor(services, app.state.door.hub)))


@contextmanager
def server() -> Iterator[list[int]]:
    command = [sys.executable, "-m", "benchmarks.stream", "--serve"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.kill()  # it has nothing to save
        process.wait(10)


class Count(asyncio.Protocol):
    """One listener: counts what it gets."""

    def __init__(self, crowd: Crowd, hello: bytes) -> None:
        self._crowd = crowd
        self._hello = hello
        self.got = 0
        self.wanted = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._hello)

    def data_received(self, data: bytes) -> None:
        before = self.got
        self.got += len(data)
        if before < self.wanted <= self.got:
            self._crowd.one_is_done()

    def expect(self, size: int) -> None:
        self.got, self.wanted = 0, size


class Crowd:
    """Many listeners on one port, in the client's event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.members: list[Count] = []
        self._missing = 0
        self.done = asyncio.Event()

    async def gather(self, port: int, hello: bytes, count: int) -> None:
        for _ in range(0, count, 50):
            connections = [
                self._loop.create_connection(lambda: Count(self, hello), "127.0.0.1", port) for _ in range(50)
            ]
            self.members += [member for _, member in await asyncio.gather(*connections)]

    def expect(self, size: int) -> None:
        """From now on everybody waits for that many bytes."""
        self._missing = len(self.members)
        self.done.clear()
        for member in self.members:
            member.expect(size)

    def one_is_done(self) -> None:
        self._missing -= 1
        if self._missing == 0:
            self.done.set()


def frame_size(event: int) -> int:
    """Bytes of an event as one HTTP chunk."""
    return len(b"%x" % event) + 4 + event


class Stage:
    """The client's side: an event loop in a thread, two crowds, orders to the server."""

    def __init__(self, ports: list[int]) -> None:
        self._loop = uvloop.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._orders = socket.create_connection(("127.0.0.1", ports[2])).makefile("rwb")
        hello = b"GET /v1/stream?challenges=task1 HTTP/1.1\r\nHost: bench\r\n\r\n"
        self.ours, self.bare = (self._wait(self._crowd(port, hello)) for port in ports[:2])
        while set(self.order("listeners").values()) != {LISTENERS}:
            time.sleep(0.05)

    async def _crowd(self, port: int, hello: bytes) -> Crowd:
        crowd = Crowd(self._loop)
        await crowd.gather(port, hello, LISTENERS)
        return crowd

    def _wait(self, coroutine: Any, timeout: float = 60) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout)

    def order(self, command: str) -> dict[str, Any]:
        self._orders.write(command.encode() + b"\n")
        self._orders.flush()
        found = json.loads(self._orders.readline())
        assert isinstance(found, dict)
        return found

    def round(self, crowd: Crowd, command: str, size: int) -> None:
        """Give the order and wait until everybody has one event of that size."""

        async def ready() -> None:
            crowd.expect(size)

        async def delivered() -> None:
            await asyncio.wait_for(crowd.done.wait(), 30)

        self._wait(ready())
        self.order(command)
        self._wait(delivered())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    if parser.parse_args().serve:
        serve()
        return 0
    allow_many_connections()
    report = Report("stream")
    with server() as ports:
        stage = Stage(ports)
        time.sleep(1)  # the snapshots are all out
        prepares = []
        for _ in range(5):
            stage.order("change")
            event = stage.order("refresh")
            prepares.append(event["prepare_s"])
        time.sleep(0.5)
        size = frame_size(event["bytes"])
        spent: dict[str, list[float]] = {"bare": [], "ours": []}

        def one(who: str, crowd: Crowd, command: str) -> None:
            before = stage.order("cpu")["seconds"]
            stage.round(crowd, command, size)
            spent[who].append(stage.order("cpu")["seconds"] - before)

        seconds = interleave(
            {
                "bare": lambda: one("bare", stage.bare, "bare"),
                "ours": lambda: one("ours", stage.ours, "replay"),
            },
            rounds=60,
        )
        report.ratio(f"one event to {LISTENERS} listeners", seconds, "ours", "bare", at_most=1.75)
        # The same by the server's processor time, which a busy machine blurs less than the clock.
        report.ratio("the same, processor time of the server", spent, "ours", "bare")
        report.add("listeners who got it", float(LISTENERS), at_least=LISTENERS)
        # Every listener counted its own bytes: round() returns only when the last one has them all.
        report.add("bytes of an event with ten changed rows", float(event["bytes"]))
        report.facts["milliseconds"] = {k: statistics.median(v) * 1e3 for k, v in seconds.items()}
        report.facts["cpu_milliseconds"] = {k: statistics.median(v) * 1e3 for k, v in spent.items()}
        report.facts["load_diff_encode_ms"] = statistics.median(prepares) * 1e3
    return 0 if report.finish() else 1


if __name__ == "__main__":
    sys.exit(main())
