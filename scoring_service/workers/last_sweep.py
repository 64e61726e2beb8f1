"""When the sweeper last succeeded, in a small file: a health check reads it without loading the service."""

from __future__ import annotations

from pathlib import Path

from scoring_service.clock import monotonic

SILENT_AFTER_S = 15.0
"""No sweep for so long means that something is wrong: the sweeper is gone, or its database."""


def note_sweep(home: Path) -> None:
    """Leave word that a sweep has just succeeded, for `seconds_since_sweep`."""
    fresh = _sweep_file(home).with_suffix(".new")
    fresh.write_text(str(monotonic()))
    fresh.replace(_sweep_file(home))


def seconds_since_sweep(home: Path) -> float:
    """Seconds since the last sweep that succeeded on this host; infinite if nobody knows of one."""
    try:
        age = monotonic() - float(_sweep_file(home).read_text())
    except (OSError, ValueError):
        return float("inf")
    return age if age >= 0 else float("inf")  # noted before the host was started anew


def _sweep_file(home: Path) -> Path:
    return home / "run" / "last-sweep"
