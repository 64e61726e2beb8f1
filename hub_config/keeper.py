"""Stops the teams' servers when everything stops, and only then.

The hub may be restarted, or die, while teams work: their servers live on and the next hub finds them.
So they are not the hub's to stop at its end. This program waits for SIGTERM, which comes from the
supervisor when everything stops (or from the kernel when the supervisor died), and then kills every
process that runs as one of the teams' users. Run by path: standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Collection
from pathlib import Path

MARK = "GOAT_TEAM_FOLDER"
"""Variable in the environment of a team's server: where all run as one user, it tells them apart."""
PATIENCE_S = 3.0


def processes_of_users(numbers: Collection[int]) -> list[int]:
    """Living processes of these users, by Linux's own list."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if entry.stat().st_uid in numbers and (entry / "stat").read_text().rpartition(")")[2][1] != "Z":
                found.append(int(entry.name))
    return found


def processes_marked(folder: str) -> list[int]:
    """Living processes of our own user that were started for a team's folder below ``folder``."""
    wanted = f"{MARK}={folder}/".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if entry.stat().st_uid == os.geteuid() and any(
                part.startswith(wanted) for part in (entry / "environ").read_bytes().split(b"\0")
            ):
                found.append(int(entry.name))
    return found


def kill_users(numbers: Collection[int]) -> None:
    """Kill everything that runs as these users, also what is born meanwhile."""
    _kill(lambda: processes_of_users(numbers))


def _kill(find: object) -> None:
    assert callable(find)
    deadline = time.monotonic() + PATIENCE_S
    while (living := find()) and time.monotonic() < deadline:
        for number in living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        time.sleep(0.02)


def stop_teams(hub_folder: Path) -> None:
    """Kill every team's server of this hub and all that they started."""
    with contextlib.suppress(OSError, ValueError):
        users = set(json.loads((hub_folder / "uids.json").read_text()).values())
        kill_users({number for number in users if number >= 1000})
    teams = str(hub_folder / "teams")
    _kill(lambda: processes_marked(teams))


def main() -> None:
    folder = Path(sys.argv[1])
    waited_for = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, waited_for)
    signal.sigwait(waited_for)
    stop_teams(folder)


if __name__ == "__main__":
    main()
