"""One step of a set-up: run it quietly, say how long it took, fail with words that help.

Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / (os.environ.get("GOAT_VENV") or ".venv")
STAMPS = VENV / ".goat"
LOG = STAMPS / "setup.log"
STARTED = time.monotonic()
OFFLINE_SIGNS = re.compile(
    "dns error|name resolution|failed to establish a new|error sending request|network is unreachable|"
    "connection refused|could not connect|max retries exceeded|econnrefused|enotfound|"
    "temporary failure resolving|unable to connect to"
)


class SetupFailed(Exception):
    """What went wrong and what to do, for the person at the terminal."""


def say(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", flush=True)


@contextlib.contextmanager
def ticking(text: str) -> Iterator[None]:
    """On a terminal, show that a long step is alive; elsewhere stay silent until it ends."""
    done, began = threading.Event(), time.monotonic()

    def tick() -> None:
        while not done.wait(1.0):
            print(f"\r           {text} … {time.monotonic() - began:.0f} s ", end="", flush=True)

    if not sys.stdout.isatty():
        yield
        return
    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        print("\r\033[K", end="", flush=True)


def is_offline(output: str) -> bool:
    """Whether an installer's output says that it reached nobody."""
    return OFFLINE_SIGNS.search(output.lower()) is not None


def run(command: list[str], step: str, *, attempts: int = 1, extra_env: dict[str, str] | None = None) -> str:
    """Run a command quietly, its output in the set-up log. Returns the output; raises `SetupFailed`."""
    output = ""
    for attempt in range(1, attempts + 1):
        with ticking(step):
            result = subprocess.run(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env={**os.environ, **(extra_env or {})},
            )
        output = result.stdout
        if LOG.parent.is_dir():
            with LOG.open("a") as log:
                log.write(f"$ {shlex.join(command)}\n{output}\n")
        if result.returncode == 0:
            return output
        if is_offline(output):  # the installers have tried several times by themselves
            break
        if attempt < attempts:
            say(f"{step}: attempt {attempt} of {attempts} failed, trying again")
            time.sleep(2 * attempt)
    telling = [line[:200] for line in output.strip().splitlines() if not line.startswith("WARNING")][-15:]
    tail = "\n".join("    " + line for line in telling)
    if is_offline(output):
        reason = (
            "No package index could be reached. Check the network (and HTTPS_PROXY, if you need a proxy) "
            "and run the same command again: it goes on where it stopped."
        )
    else:
        reason = f"The whole output is in {LOG}."
    raise SetupFailed(f"{step} failed:\n{tail}\n{reason}")
