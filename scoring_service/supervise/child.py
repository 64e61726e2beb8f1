"""Launcher of one supervised program: tie it to its parent, take its lock, wait, then become it.

Run by path with ``python -IS child.py [options] -- command…``, so it may import nothing but the
standard library. ``exec`` keeps the process id, the death signal and the lock.

    --signal NAME   signal the program gets when its parent dies, by default KILL (Linux only)
    --lock FILE     hold a lock on FILE for the program's whole life; exit with 75 if somebody has it
    --wait SOCKET   wait up to ten seconds until a Unix socket answers
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import socket
import sys
import time

PR_SET_PDEATHSIG = 1
EX_TEMPFAIL = 75
WAIT_S = 10.0


def die_with_parent(number: int) -> None:
    """Ask the kernel to send us a signal when the parent dies, even by ``kill -9``. Linux only."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0) != 0:
        print(f"child: prctl failed: {os.strerror(ctypes.get_errno())}", file=sys.stderr)
    if os.getppid() != parent:  # it died in between
        sys.exit(EX_TEMPFAIL)


def hold_lock(path: str) -> None:
    """Lock a file until this process ends, whatever it becomes by then."""
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"child: {path} is locked: another process still works in that folder", file=sys.stderr)
        sys.exit(EX_TEMPFAIL)
    os.set_inheritable(descriptor, True)


def wait_for_socket(path: str) -> None:
    """Return when a Unix socket accepts, or after `WAIT_S` seconds: the program has its own patience."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            if probe.connect_ex(path) == 0:
                return
        time.sleep(0.02)


def main() -> None:
    parser = argparse.ArgumentParser(prog="child.py")
    parser.add_argument("--signal", default="KILL")
    parser.add_argument("--lock")
    parser.add_argument("--wait")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    die_with_parent(signal.Signals[f"SIG{options.signal}"])
    if options.lock:
        hold_lock(options.lock)
    if options.wait:
        wait_for_socket(options.wait)
    os.execvp(options.command[0], options.command)


if __name__ == "__main__":
    main()
