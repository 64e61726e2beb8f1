"""`ChildRunner`: one call, one fresh child process, a verdict whatever the child does.

The worker's own process never touches hostile bytes; it only waits, with its own clock, for one frame
of plain values. A child that is too slow, too big or dead becomes a `goat.errors.Rejection`; one that
was killed from outside is run again, because that was not its submission's fault.
"""

from __future__ import annotations

import math
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, TypeVar

import msgspec

from goat.errors import Problem, Rejection
from goat.kinds.base import Limits
from scoring_service.evaluation.confine import LEVEL
from scoring_service.evaluation.wire import (
    LENGTH,
    MAX_REPLY_BYTES,
    Ended,
    Reply,
    clean_problems,
    clean_text,
    decode_reply,
    decode_result,
)

T = TypeVar("T")

KILLED_FROM_OUTSIDE = 3
"""Times that a call is tried when its child gets a SIGKILL that is not ours."""
START_TIMEOUT_S = 60.0
"""For the fork server to answer; it imports a kind's modules at the first job."""
_CRASHED = "Reading the submission {}. Save it again and resubmit."
# One thread per library: a process with threads cannot be forked safely.
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""All that children find in their environment, unless their lane needs more."""
_SLICE_S = 0.1
"""How often a waiting call looks whether it should stop."""


class EvaluatorFault(RuntimeError):
    """Our own code or machine failed, not the submission: run it again, charge nothing."""


class ForkServerLost(EvaluatorFault):
    """The fork server was killed, and its child with it."""


class Stopped(Exception):
    """The call was abandoned because its job was cancelled, lost its lease, or the worker ends."""


class _Reading(Enum):
    """What came out of a child's pipe."""

    FRAME = "one whole frame"
    NONSENSE = "something else; the child was killed for it"
    NOTHING = "its end"
    LATE = "nothing in time; the child was killed for it"


class ForkServer:
    """The process that children are forked from; started when needed, again if it was killed."""

    def __init__(self, preload: Iterable[str] = (), environment: Mapping[str, str] | None = None) -> None:
        """``preload``: modules that children need; ``environment``: what they find beside `ENVIRONMENT`."""
        self._preload = list(preload)
        self._environment = {**ENVIRONMENT, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the running server, None before the first start and after `close`."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it and wait until it has imported what children need."""
        self.close()
        ours, theirs = socket.socketpair()
        ours.settimeout(START_TIMEOUT_S)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-m", __package__ + ".forkserver", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd="/",
                env=self._environment,
            )
        self._control = ours
        self._send(pickle.dumps([sys.path, *self._preload]), None)
        self._receive(LENGTH.size)

    def fork(self, function: Callable[..., Any], args: tuple[Any, ...], limits: Limits) -> int:
        """Start one child on ``function(*args)``; returns the descriptor that its reply comes from.

        The next call must be `finish`. Raises `ForkServerLost` if no child came to be.
        """
        if self._process is None or self._process.poll() is not None:
            self.start()
        job = (function.__module__, function.__qualname__, pickle.dumps(args), limits)
        reply, write_end = os.pipe()
        try:
            self._send(pickle.dumps(job), write_end)
            self._receive(LENGTH.size)
        except BaseException:
            os.close(reply)
            raise
        finally:
            os.close(write_end)
        return reply

    def finish(self) -> Ended:
        """Kill what is left of the child and learn how it ended."""
        self._send(None, None)
        (length,) = LENGTH.unpack(self._receive(LENGTH.size))
        return msgspec.msgpack.decode(self._receive(length), type=Ended)

    def close(self) -> None:
        """End the server, and with it a running child. It starts again when needed."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _send(self, payload: bytes | None, descriptor: int | None) -> None:
        assert self._control is not None
        try:
            if payload is None:
                self._control.sendall(b"F")
                return
            head = LENGTH.pack(len(payload))
            if descriptor is None:
                self._control.sendall(head)
            else:
                socket.send_fds(self._control, [head], [descriptor])
            self._control.sendall(payload)
        except OSError as error:
            raise self._lost(error) from error

    def _receive(self, length: int) -> bytes:
        assert self._control is not None
        chunks = bytearray()
        try:
            while len(chunks) < length:
                chunk = self._control.recv(length - len(chunks))
                if not chunk:
                    raise ConnectionResetError("it closed the connection")
                chunks += chunk
        except OSError as error:
            raise self._lost(error) from error
        return bytes(chunks)

    def _lost(self, error: OSError) -> ForkServerLost:
        if self._process is not None:
            self._process.kill()
        self.close()
        return ForkServerLost(f"the fork server was lost: {error}")


class ChildRunner:
    """Implements `goat.kinds.base.Runner` on one-shot children. One call at a time.

    ``stop`` abandons a running call within a tenth of a second once it is set.
    """

    level = LEVEL
    """Protection that the children run under; stored with every result."""

    def __init__(
        self, server: ForkServer, stop: threading.Event | None = None, *, gpu_memory_bytes: int = 0
    ) -> None:
        self._server = server
        self._stop = stop or threading.Event()
        self.gpu_memory_bytes = gpu_memory_bytes
        """Of the accelerator, for one call; 0 where there is none."""
        self.peak_bytes = 0
        """Largest resident memory of a child so far."""

    def call(self, function: Callable[..., T], *args: Any, limits: Limits) -> T:
        """See `goat.kinds.base.Runner`. The result is made of plain values, named tuples and
        dataclasses, and comes back as the type that ``function`` declares to return.

        Raises `goat.errors.Rejection`, `Stopped`, or `EvaluatorFault` when the fault is ours.
        """
        for turn in range(1, KILLED_FROM_OUTSIDE + 1):
            try:
                reading, reply, ended = self._once(function, args, limits)
            except ForkServerLost:
                if turn == KILLED_FROM_OUTSIDE:
                    raise
                continue
            if reply is not None:
                result: T = _result(reply, function)
                return result
            if reading is _Reading.LATE:
                raise _too_slow(limits.wall_s)
            if reading is _Reading.NOTHING and ended.status == signal.SIGKILL and turn < KILLED_FROM_OUTSIDE:
                continue
            raise _verdict(ended, limits)
        raise AssertionError("the last turn ends above")

    def _once(
        self, function: Callable[..., Any], args: tuple[Any, ...], limits: Limits
    ) -> tuple[_Reading, Reply | None, Ended]:
        """Run one child: what could be read from it, its reply if that was good, how it ended."""
        descriptor = self._server.fork(function, args, limits)
        try:
            reading, payload = self._read(descriptor, time.monotonic() + limits.wall_s)
        finally:
            os.close(descriptor)
            ended = self._server.finish()
        self.peak_bytes = max(self.peak_bytes, ended.peak_bytes)
        if reading is not _Reading.FRAME:
            return reading, None, ended
        try:
            return reading, decode_reply(payload), ended
        except ValueError:
            return _Reading.NONSENSE, None, ended

    def _read(self, descriptor: int, deadline: float) -> tuple[_Reading, bytes]:
        """Wait for the child's frame; it is whole and of bounded length, or it does not count."""
        received = bytearray()
        expected = LENGTH.size
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        while len(received) < expected:
            if self._stop.is_set():
                raise Stopped
            left = deadline - time.monotonic()
            if left <= 0:
                return _Reading.LATE, b""
            if not poller.poll(1000 * min(left, _SLICE_S)):
                continue
            chunk = os.read(descriptor, min(expected - len(received), 1 << 20))
            if not chunk:
                return _Reading.NOTHING, b""
            received += chunk
            if len(received) == expected == LENGTH.size:
                (length,) = LENGTH.unpack(received)
                if not 0 < length <= MAX_REPLY_BYTES:
                    return _Reading.NONSENSE, b""
                expected += length
        return _Reading.FRAME, bytes(received[LENGTH.size :])


def _result(reply: Reply, function: Callable[..., Any]) -> Any:
    if reply.problems:
        raise Rejection(clean_problems(Problem(*problem) for problem in reply.problems))
    if reply.out_of_memory:
        raise _too_big()
    if reply.fault:
        raise EvaluatorFault(clean_text(reply.fault, 2000))
    try:
        return decode_result(reply, function)
    except ValueError as error:
        raise Rejection.of("crashed", _CRASHED.format("gave an answer that makes no sense")) from error


def _verdict(ended: Ended, limits: Limits) -> Rejection:
    """What a child without an answer is told, from how it ended."""
    how = "ended without an answer"
    if os.WIFSIGNALED(ended.status):
        number = os.WTERMSIG(ended.status)
        if number == signal.SIGXCPU or ended.cpu_s >= math.ceil(limits.cpu_s):
            return _too_slow(limits.cpu_s)
        if ended.peak_bytes >= limits.memory_bytes:
            return _too_big()
        how = f"crashed ({signal.Signals(number).name})"
    return Rejection.of("crashed", _CRASHED.format(how))


def _too_slow(seconds: float) -> Rejection:
    return Rejection.of(
        "time_limit", f"Reading the submission took longer than {seconds:g} s. Make it smaller or simpler."
    )


def _too_big() -> Rejection:
    return Rejection.of(
        "memory_limit", "Reading the submission needs more memory than a submission may use. Make it smaller."
    )
