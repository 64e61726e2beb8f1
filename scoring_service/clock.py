"""The service's time: one clock for all processes, deaf to jumps of the wall clock.

On PostgreSQL the database's clock decides, wherever the asking process runs. On SQLite everything
runs on one host, so the host's monotonic clock decides, tied once to UTC: the tie (UTC at monotonic
zero) is kept in a file per boot and shared by all processes. A wall clock that is set back or forth
while the service runs changes no deadline and no lease; `drift` reports it.
"""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The time now, aware, UTC."""
        ...

    def drift(self) -> float:
        """Seconds by which this process's wall clock is ahead of the service's time."""
        ...


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # macOS: the monotonic clock starts at boot, so its origin names the boot well enough
        return f"origin-{round((time.time() - time.monotonic()) / 600)}"


def monotonic() -> float:
    """Seconds since this host's start that no setting of the wall clock changes. Time asleep counts
    where the system can tell: a laptop closed for the night must not move a deadline by a night."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class HostClock:
    """UTC from the host's monotonic clock and a tie shared by all processes of this boot."""

    def __init__(self, folder: Path) -> None:
        self._offset = self._tie(folder)

    @staticmethod
    def _tie(folder: Path) -> float:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"clock-{_boot_id()}.json"
        temporary = folder / f".clock.{os.getpid()}.{time.monotonic_ns()}"
        temporary.write_text(json.dumps({"utc_at_monotonic_zero": time.time() - monotonic()}))
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass  # another process of this boot was first: all share its tie
        finally:
            temporary.unlink()
        return float(json.loads(path.read_text())["utc_at_monotonic_zero"])

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._offset + monotonic(), UTC)

    def drift(self) -> float:
        return time.time() - (self._offset + monotonic())


def reset_host_clock(folder: Path) -> None:
    """Forget the tie, so that the next start takes the wall clock anew (called before anything runs)."""
    for path in folder.glob("clock-*.json"):
        path.unlink(missing_ok=True)
