"""What a child process gives up before it touches hostile bytes.

This is the base layer: resource limits, no core dump, no file writes, no new processes. A stronger
one (no file system, no network, no foreign signals) belongs in `confine` too; the level it returns is
stored with every result, so that a board can say under which protection its numbers were made.

Runs in the forked child, after everything that needs rights was imported and opened. Linux and
macOS; what a platform lacks is left out and the wall clock of the parent remains.
"""

from __future__ import annotations

import ctypes
import math
import os
import platform
import resource
import signal
import struct
import sys

from goat.kinds.base import Limits

LEVEL = "rlimits"
"""Name of the protection that `confine` reaches, stored as ``Evaluation.sandbox``."""

CUDA_DATA_BYTES = 4 << 30
"""Private memory that the driver and its libraries take for themselves on the host, generously."""

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(expected_parent: int) -> None:
    """Have the kernel kill this process when the one that started it ends, however it ends."""
    if _libc is None:
        return
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != expected_parent:  # it ended before the line above
        os._exit(1)


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose own parent ended, so none escapes a clean-up."""
    if _libc is not None:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def confine(limits: Limits) -> str:
    """Give up rights for good; returns the level reached.

    Memory is bounded above what the process holds now: the interpreter and its libraries are ours.
    """
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    cpu = max(1, math.ceil(limits.cpu_s))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    mapped, data = _held()
    gpu = limits.device == "gpu"
    if data is not None:
        # Private writable memory is what a bomb needs. Address space gets room to map the input as well,
        # and on a GPU no bound: CUDA reserves as much of it as all memory of the machine and the device.
        _limit(resource.RLIMIT_DATA, data + limits.memory_bytes + (CUDA_DATA_BYTES if gpu else 0))
        if not gpu:
            _limit(resource.RLIMIT_AS, mapped + 2 * limits.memory_bytes)
    elif sys.platform != "darwin" and not gpu:
        _limit(resource.RLIMIT_AS, limits.memory_bytes)
    _forbid_new_processes(threads=gpu or limits.threads > 1)
    return LEVEL


def _limit(kind: int, value: int) -> None:
    resource.setrlimit(kind, (value, value))


def _held() -> tuple[int, int | None]:
    """Bytes of address space and of private data held now (Linux), else zeros."""
    try:
        with open("/proc/self/statm", "rb") as file:
            fields = file.read().split()
    except OSError:
        return 0, None
    page = resource.getpagesize()
    return int(fields[0]) * page, int(fields[5]) * page


def _forbid_new_processes(*, threads: bool) -> None:
    """No fork, no exec. The limit binds ordinary users, whose ``threads`` it would forbid as well; the
    filter binds root, too, and tells threads from processes."""
    if not threads:
        _limit(resource.RLIMIT_NPROC, 0)
    numbers = _FORKING_CALLS.get(platform.machine())
    if _libc is None or numbers is None:
        return
    program = _bpf(*numbers)
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _libc.prctl(_PR_SET_SECCOMP, 2, ctypes.create_string_buffer(header, len(header)), 0, 0)


# Per machine: the audit architecture, `clone`, and the other calls that make or replace a process
# (fork, vfork, execve, execveat; fork and vfork do not exist on aarch64).
_FORKING_CALLS: dict[str, tuple[int, int, tuple[int, ...]]] = {
    "x86_64": (0xC000003E, 56, (57, 58, 59, 322)),
    "aarch64": (0xC00000B7, 220, (221, 281)),
}
_CLONE3 = 435
_CLONE_THREAD = 0x00010000
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38


def _bpf(architecture: int, clone: int, forbidden: tuple[int, ...]) -> bytes:
    """Filter: other architectures die, process-making calls fail, threads are allowed.

    ``clone3`` hides its flags behind a pointer: it "does not exist", and libraries fall back to ``clone``.
    """
    load, jump_equal, jump_at_least, jump_set, give = 0x20, 0x15, 0x35, 0x45, 0x06
    code: list[tuple[int, int, int, int]] = [
        (load, 0, 0, 4),
        (jump_equal, 1, 0, architecture),
        (give, 0, 0, _KILL),
        (load, 0, 0, 0),
        (jump_at_least, 0, 1, 0x40000000),  # the x32 calls are the same ones under other numbers
        (give, 0, 0, _ERRNO | _EPERM),
        (jump_equal, 0, 1, _CLONE3),
        (give, 0, 0, _ERRNO | _ENOSYS),
    ]
    for number in forbidden:
        code += [(jump_equal, 0, 1, number), (give, 0, 0, _ERRNO | _EPERM)]
    code += [
        (jump_equal, 0, 3, clone),
        (load, 0, 0, 16),
        (jump_set, 1, 0, _CLONE_THREAD),
        (give, 0, 0, _ERRNO | _EPERM),
        (give, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)
