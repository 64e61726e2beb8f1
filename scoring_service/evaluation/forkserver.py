"""The process that children are forked from: ``python -m scoring_service.evaluation.forkserver FD``.

A fresh interpreter takes a fifth of a second to start; a fork of one that has already imported what
the child needs takes milliseconds. This process has one thread, an empty environment, no secrets, and
one socket to its worker. Per job it forks a child, says so, and on ``finish`` kills whatever is left of
it and says how it ended. Children are reaped only then, so a pid is never somebody else's.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

from goat.errors import Rejection
from goat.kinds.base import Limits
from scoring_service.evaluation.confine import adopt_orphans, confine, die_with_parent
from scoring_service.evaluation.wire import LENGTH, MAX_REPLY_BYTES, Ended, Reply, encode_reply, encode_result

Job = tuple[str, str, bytes, Limits]
"""Module and qualified name of the function, its pickled arguments, and the bounds on the child."""


def main(control_fd: int) -> None:
    """Serve jobs until the worker closes its end, be it by dying."""
    adopt_orphans()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's to handle
    control = socket.socket(fileno=control_fd)
    control.set_inheritable(False)
    while (request := _receive(control)) is not None:
        payload, reply_fd = request
        message = pickle.loads(payload)  # noqa: S301  from our own worker
        if isinstance(message, list):  # modules to have ready before the first job
            sys.path[:] = message[0]
            for module in message[1:]:
                importlib.import_module(module)
            gc.collect()
            gc.freeze()
            control.sendall(LENGTH.pack(0))
            continue
        assert reply_fd is not None
        _serve(control, message, reply_fd)


def _serve(control: socket.socket, job: Job, reply_fd: int) -> None:
    # Imported here, not in the child: the next job finds it ready.
    importlib.import_module(job[0])
    server = os.getpid()
    pid = os.fork()
    if pid == 0:
        _child(job, reply_fd, server)
    os.close(reply_fd)
    control.sendall(LENGTH.pack(0))
    control.recv(1)  # "finish", or the end of the worker: either way the child has to go
    ended = _end(pid)
    payload = msgspec.msgpack.encode(ended)
    control.sendall(LENGTH.pack(len(payload)) + payload)


def _end(pid: int) -> Ended:
    """Kill the child, its process group and every other descendant; reap them."""
    for kill in (os.killpg, os.kill):  # the group may not exist yet, or no longer
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    while strays := _children():
        for stray in strays:
            with contextlib.suppress(ProcessLookupError):
                os.kill(stray, signal.SIGKILL)
        for stray in strays:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(stray, 0)
    unit = 1 if sys.platform == "darwin" else 1024
    return Ended(status, usage.ru_maxrss * unit, usage.ru_utime + usage.ru_stime)


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def _child(job: Job, reply_fd: int, server: int) -> NoReturn:
    """The one-shot child: gives up its rights, runs the function, writes one frame, ends."""
    try:
        os.setsid()
        die_with_parent(server)
        reply_fd = _only_descriptor(reply_fd)
        payload = _run(job)
        _write_all(reply_fd, LENGTH.pack(len(payload)) + payload)
    finally:
        os._exit(0)


def _run(job: Job) -> bytes:
    module, name, pickled, limits = job
    try:
        function: Callable[..., Any] = sys.modules[module].__dict__[name]
        arguments = pickle.loads(pickled)  # noqa: S301  from our own worker
        confine(limits)
        payload = encode_result(function(*arguments))
        if len(payload) > MAX_REPLY_BYTES:
            return encode_reply(Reply(fault=f"a reply of {len(payload)} bytes is too long"))
        return payload
    except Rejection as rejection:
        return encode_reply(Reply(problems=[(p.code, p.message, p.file) for p in rejection.problems]))
    except MemoryError:
        return encode_reply(Reply(out_of_memory=True))
    except BaseException as error:  # noqa: BLE001  whatever it is, the worker has to hear of it
        return encode_reply(Reply(fault=f"{type(error).__name__}: {error}"[:2000]))


def _only_descriptor(keep: int) -> int:
    """Close everything inherited but ``keep``, which becomes 3; 0, 1 and 2 lead nowhere."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    if keep != 3:
        os.dup2(keep, 3)
    os.closerange(4, os.sysconf("SC_OPEN_MAX"))
    return 3


def _write_all(descriptor: int, payload: bytes) -> None:
    view = memoryview(payload)
    while view:
        view = view[os.write(descriptor, view) :]


def _receive(control: socket.socket) -> tuple[bytes, int | None] | None:
    """The next request and the descriptor that came with it; None when the worker is gone."""
    head, descriptors, _, _ = socket.recv_fds(control, LENGTH.size, 1)
    if len(head) < LENGTH.size:
        return None
    (left,) = LENGTH.unpack(head)
    chunks = []
    while left:
        chunk = control.recv(min(left, 1 << 16))
        if not chunk:
            return None
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks), descriptors[0] if descriptors else None


if __name__ == "__main__":
    with contextlib.suppress(ConnectionError):
        main(int(sys.argv[1]))
