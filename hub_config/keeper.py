"""Holds the teams' servers to their memory, and stops them when everything stops, and only then.

The hub may be restarted, or die, while teams work: their servers live on and the next hub finds them.
So they are not the hub's to stop at its end. This program waits for SIGTERM, which comes from the
supervisor when everything stops (or from the kernel when the supervisor died), and then kills every
process that runs as one of the teams' users. While it waits it looks after the teams' memory
(`hub_config.watch`). ``python -m hub_config.keeper FOLDER BYTES``; standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path

from hub_config import memory
from hub_config.watch import Team, Watch

MARK = "GOAT_TEAM_FOLDER"
"""Variable in the environment of a team's server: where all run as one user, it tells them apart."""
PATIENCE_S = 3.0
LOOK_EVERY_S = 1.0
AT_ONCE = 200
"""Each is an open file until it is killed."""

# The kernel itself kills all of a user's processes at once, asked by that user: nothing is born in between,
# and no number of a process is used that could have gone to another one.
KILL_ALL = """
import os, sys
for number in map(int, sys.argv[1:]):
    if os.fork() == 0:
        try:
            os.setgroups([])
            os.setresgid(number, number, number)
            os.setresuid(number, number, number)
            os.kill(-1, 9)
        finally:
            os._exit(0)
    os.wait()
"""


def processes_by_user(numbers: Collection[int]) -> dict[int, list[int]]:
    """Which of these users have living processes, and which, by Linux's own list."""
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            owner = entry.stat().st_uid
            if owner in numbers and _parent(entry) is not None:
                found.setdefault(owner, []).append(int(entry.name))
    return found


def processes_of_users(numbers: Collection[int]) -> list[int]:
    """Living processes of these users."""
    return [pid for processes in processes_by_user(numbers).values() for pid in processes]


def processes_marked(folder: str) -> dict[Path, list[int]]:
    """Living processes of our own user that were started for the teams' folders in ``folder``.

    A mark counts only among our own process numbers, where no team in bubblewrap can be: the environment
    is the team's to change. Everybody else belongs where the process belongs that started it.
    """
    parents: dict[int, int] = {}
    marks: dict[int, Path] = {}
    our_room = _room("self")
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = _parent(entry) if entry.stat().st_uid == os.geteuid() else None
            if parent is None:
                continue
            parents[int(entry.name)] = parent
            if _room(entry.name) == our_room and (home := _mark(entry, folder)):
                marks[int(entry.name)] = home
    found: dict[Path, list[int]] = {}
    for pid in parents:
        above: int | None = pid
        while above is not None and above not in marks:
            above = parents.get(above)
        if above is not None:
            found.setdefault(marks[above], []).append(pid)
    return found


def _parent(entry: Path) -> int | None:
    """Who started a process; None when it is dead. Raises `OSError` when it is gone."""
    # Bytes: the name in it is the process's own choice. What follows is state, parent, …, threads.
    fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
    # Where the first thread has ended the rest may live on.
    return None if fields[0] == b"Z" and int(fields[17]) < 2 else int(fields[1])


def _mark(entry: Path, folder: str) -> Path | None:
    wanted = f"{MARK}={folder}/".encode()
    for part in (entry / "environ").read_bytes().split(b"\0"):
        if part.startswith(wanted):
            return Path(os.fsdecode(part.partition(b"=")[2]))
    return None


def _room(pid: str) -> str:
    """Which process numbers a process sees."""
    return os.readlink(f"/proc/{pid}/ns/pid")


def kill_users(numbers: Collection[int]) -> None:
    """Kill everything that runs as these users, also what is born meanwhile."""
    deadline = time.monotonic() + PATIENCE_S
    while (living := processes_by_user(numbers)) and time.monotonic() < deadline:
        command = [sys.executable, "-IS", "-c", KILL_ALL, *map(str, living)]
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
        time.sleep(0.02)


def end_team(home: Path, number: int) -> None:
    """Kill everything that a team runs. number: of its user; 0 where it has none of its own."""
    if number:
        kill_users({number})
    else:
        _kill(lambda: processes_marked(str(home.parent)).get(home, []))


def _kill(find: Callable[[], list[int]]) -> None:
    """Kill what is found until nothing is, and never what was given one of the numbers meanwhile."""
    deadline = time.monotonic() + PATIENCE_S
    while (living := find()) and time.monotonic() < deadline:
        with contextlib.ExitStack() as stack:
            held: dict[int, int] = {}
            for number in sorted(living)[:AT_ONCE]:
                with contextlib.suppress(OSError):
                    held[number] = os.pidfd_open(number)
                    stack.callback(os.close, held[number])
            # What is found once more is what we hold, or dead: then the signal reaches nobody.
            for number in held.keys() & set(find()):
                with contextlib.suppress(OSError):
                    signal.pidfd_send_signal(held[number], signal.SIGKILL)
        time.sleep(0.02)


def users_of(hub_folder: Path) -> dict[str, int]:
    """Name of a team → number of its user, as far as teams have users of their own."""
    with contextlib.suppress(OSError, ValueError):
        found: dict[str, int] = json.loads((hub_folder / "uids.json").read_text())
        return {name: number for name, number in found.items() if number >= 1000}
    return {}


def running_teams(hub_folder: Path) -> list[Team]:
    """The teams that run something, with their processes."""
    folder = hub_folder / "teams"
    users = {folder / name: number for name, number in users_of(hub_folder).items()}
    # Looked through once for all teams: on a full machine the list is long.
    theirs = processes_by_user(set(users.values()))
    found = {home: theirs.get(number, []) for home, number in users.items()}
    for home, processes in processes_marked(str(folder)).items():
        found.setdefault(home, []).extend(processes)
    return [
        Team(home, users.get(home, 0), tuple(processes)) for home, processes in found.items() if processes
    ]


def stop_teams(hub_folder: Path) -> None:
    """Kill every team's server of this hub and all that they started."""
    kill_users(set(users_of(hub_folder).values()))
    teams = str(hub_folder / "teams")
    _kill(lambda: [pid for pids in processes_marked(teams).values() for pid in pids])
    if outer := memory.all_teams(hub_folder):
        memory.end(outer)


def main() -> None:
    folder, limit = Path(sys.argv[1]), int(sys.argv[2])
    waited_for = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, waited_for)
    watch = Watch(folder, limit)
    while _no_signal(waited_for):
        with contextlib.suppress(OSError):
            watch.look(running_teams(folder))
    stop_teams(folder)


def _no_signal(numbers: Collection[int]) -> bool:
    """Wait a moment; False when one of the signals came."""
    if hasattr(signal, "sigtimedwait"):
        return signal.sigtimedwait(numbers, LOOK_EVERY_S) is None
    signal.sigwait(numbers)  # macOS, where there is nothing to look at either
    return False


if __name__ == "__main__":
    main()
