"""Holds each team to its memory where the kernel does not: the biggest process goes, and the team is told.

`look` is called about once a second by the keeper. Memory is what the processes of a team hold that is
theirs alone, shared pages divided among those who share them (PSS). Between two looks a team may go over
its limit; each of its processes has a limit of its own (`hub_config.enclose`). Linux, standard library only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hub_config import memory

NOTICES = ".notices.log"
"""In the team's folder: what its server shows in the cell that runs (`hub_config.notices`)."""
NOTICES_BYTES = 100_000
GIB = 1 << 30
SERVER = b"jupyterhub.singleuser"


@dataclass(frozen=True, slots=True)
class Team:
    """A team that runs something."""

    home: Path
    number: int
    """Of its user; 0 where it has none of its own."""
    processes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Process:
    """One process and the bytes that it holds."""

    pid: int
    held: int
    started: int
    name: str
    serves: bool = False
    """Whether it says to be the team's server, or what encloses it."""


class Watch:
    """Remembers what was told already."""

    def __init__(self, hub_folder: Path, limit: int) -> None:
        self._folder = hub_folder
        self._limit = limit
        # Told already, by the keeper before this one.
        self._kills = {group: memory.kills(group) for group in memory.groups(hub_folder)}

    def look(self, teams: Iterable[Team]) -> None:
        """Hold every team to the limit, and tell those whom the kernel has held to it."""
        outer = memory.all_teams(self._folder)
        for team in teams:
            if outer is None:
                stopped = self._limit and shrink(team.processes, self._limit)
            else:
                stopped = self._stopped_by_kernel(memory.group_in(outer, team.home.name))
            if stopped:
                tell(team, sentence(self._limit, stopped))

    def _stopped_by_kernel(self, group: Path) -> str:
        before, now = self._kills.get(group, 0), memory.kills(group)
        self._kills[group] = now
        return "one or more of its processes" if now > before else ""


def sentence(limit: int, stopped: str) -> str:
    """What the team reads."""
    return (
        f"Stopped for want of memory: {stopped}. Your team's processes together used more than the "
        f"{limit / GIB:.3g} GB that a team may use. What was stopped has lost its variables. Load less at "
        "once, or shut down notebooks that you do not need (the square symbol on the left: Running)."
    )


def shrink(processes: Iterable[int], limit: int) -> str:
    """Kill the biggest processes until the rest is within the limit. What was killed, "" for nothing."""
    if sum(map(_quickly_held, processes)) <= limit:
        return ""
    found = [process for pid in processes if (process := _measured(pid))]
    held = sum(process.held for process in found)
    if held <= limit:
        return ""
    # Without its server nobody could be told: it goes last, with what it runs in.
    first = min(process.started for process in found)
    last = {p.pid for p in found if p.serves} or {p.pid for p in found if p.started == first}
    killed = []
    for process in sorted(found, key=lambda process: (process.pid in last, -process.held)):
        if held <= limit:
            break
        if _kill(process):
            killed.append(f"{process.name} ({process.held / GIB:.2f} GB)")
            held -= process.held
    return ", ".join(killed)


def _quickly_held(pid: int) -> int:
    """Bytes of a process, shared pages counted in full: never less than what `_measured` finds."""
    names = (b"RssAnon:", b"RssShmem:")
    held = _field(f"/proc/{pid}/status", names)
    if not held:  # its first thread has ended; any other one tells
        told = (_field(str(path), names) for path in Path(f"/proc/{pid}/task").glob("*/status"))
        held = next(filter(None, told), [])
    return sum(held)


def _measured(pid: int) -> Process | None:
    held = _field(f"/proc/{pid}/smaps_rollup", (b"Pss_Anon:", b"Pss_Shmem:"))
    try:
        content = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name is the process's own choice: any bytes.
    name = content[content.index(b"(") + 1 : content.rindex(b")")].decode(errors="replace")
    rest = content[content.rindex(b")") + 2 :].split()
    shown = "".join(sign if sign.isprintable() else "?" for sign in name)
    with contextlib.suppress(OSError):
        serves = SERVER in Path(f"/proc/{pid}/cmdline").read_bytes()
        return Process(pid, sum(held) if held else _quickly_held(pid), int(rest[19]), shown, serves)
    return None


def _field(path: str, names: tuple[bytes, ...]) -> list[int]:
    """Fields of a file of /proc, in bytes."""
    try:
        lines = Path(path).read_bytes().split(b"\n")  # the one sign that a name cannot hold
    except OSError:
        return []
    return [int(line.split()[1]) * 1024 for line in lines if line.startswith(names)]


def _kill(process: Process) -> bool:
    """Kill a process, and never another one that was given its number meanwhile."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return False
    try:
        same = _measured(process.pid)
        if same is None or same.started != process.started:
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)


def tell(team: Team, text: str) -> None:
    """Add a line to the team's notices, with the team's own rights: the folder is full of its own links."""
    line = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC {text}\n"
    try:
        folder = os.open(team.home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    child = os.fork()
    if child:
        os.close(folder)
        os.waitpid(child, 0)
        return
    try:
        if os.geteuid() == 0 and team.number:
            os.setgroups([])
            os.setresgid(team.number, team.number, team.number)
            os.setresuid(team.number, team.number, team.number)
        _append(folder, line)
    finally:
        os._exit(0)


def _append(folder: int, line: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
    with contextlib.suppress(OSError), os.fdopen(os.open(NOTICES, flags, 0o600, dir_fd=folder), "w") as file:
        found = os.fstat(file.fileno())
        if stat.S_ISREG(found.st_mode):
            if found.st_size > NOTICES_BYTES:
                file.truncate(0)
            file.write(line)
