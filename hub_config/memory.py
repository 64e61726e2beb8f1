"""How much memory a team's processes may use together, and who sees to it.

The kernel does where it lets us: every team's server starts in a control group (cgroup v2) of its own.
Elsewhere the keeper watches (`hub_config.watch`). `prepare` finds out by trying, when everything starts,
and leaves the answer in the hub's folder for the programs that need it. Standard library only.
"""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import sys
import time
from pathlib import Path

LEVELS = {
    "cgroup": "held by the kernel",
    "watch": "watched once a second",
    "process": "for each process: this system has neither cgroups nor /proc",
}
NEEDED, WELCOME = {"memory", "pids"}, "cpu"
ANSWER = "cgroup"
PATIENCE_S = 2.0
JOIN = "import sys; open(sys.argv[1], 'w').write('0')"


def of_one_process(limit: int) -> int:
    """What one process may hold of a team's limit (both in bytes, 0 is none).

    A little less than all: the cell that asks for too much then gets a MemoryError, and nothing is killed.
    """
    return limit - limit // 8


def prepare(hub_folder: Path) -> str:
    """Find out who limits the memory of teams here: a key of `LEVELS`."""
    name = f"goat-{hashlib.sha256(str(hub_folder).encode()).hexdigest()[:12]}"
    group = next((found for place in places() if (found := _made_in(place, name))), None)
    (hub_folder / ANSWER).write_text(str(group or ""))
    return level(hub_folder)


def level(hub_folder: Path) -> str:
    """What `prepare` found."""
    if all_teams(hub_folder):
        return "cgroup"
    return "watch" if Path("/proc/self/status").exists() else "process"


def all_teams(hub_folder: Path) -> Path | None:
    """The control group that holds the teams' groups; None where there is none."""
    with contextlib.suppress(OSError):
        named = (hub_folder / ANSWER).read_text().strip()
        if named and Path(named).is_dir():
            return Path(named)
    return None


def group_of(hub_folder: Path, team: str, memory: int, processes: int) -> Path | None:
    """A team's control group with its limits, made if missing; None where there is none.

    memory: bytes; processes: processes and threads; 0 is no limit.
    """
    outer = all_teams(hub_folder)
    if outer is None:
        return None
    group = group_in(outer, team)
    with contextlib.suppress(FileExistsError):
        group.mkdir()
    _limit(group, memory, processes)
    return group


def group_in(outer: Path, team: str) -> Path:
    """A team's group in that of all teams."""
    return outer / f"team-{team}"


def groups(hub_folder: Path) -> list[Path]:
    """The groups of teams that are there."""
    outer = all_teams(hub_folder)
    return list(outer.glob(group_in(outer, "*").name)) if outer else []


def _limit(group: Path, memory: int, processes: int) -> None:
    (group / "memory.max").write_text(str(memory or "max"))
    (group / "pids.max").write_text(str(processes or "max"))
    with contextlib.suppress(OSError):  # a kernel without swap accounting
        (group / "memory.swap.max").write_text("0")
    with contextlib.suppress(OSError):  # every team has the same claim to the processor
        (group / "cpu.weight").write_text("100")


def end(group: Path) -> None:
    """Kill what is in a group and in the groups inside it, and remove them."""
    with contextlib.suppress(OSError):
        (group / "cgroup.kill").write_text("1")
    deadline = time.monotonic() + PATIENCE_S
    while group.is_dir() and time.monotonic() < deadline:  # the dying are still in it
        for inner in [*group.glob("*/"), group]:
            with contextlib.suppress(OSError):
                inner.rmdir()
        time.sleep(0.01)


def kills(group: Path) -> int:
    """How many of the group's processes the kernel has killed for want of memory."""
    with contextlib.suppress(OSError, ValueError):
        for line in (group / "memory.events").read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return 0


def places(proc: Path = Path("/proc/self")) -> list[Path]:
    """Groups below which ours could be: the one we are in, and those around it."""
    try:
        mounts = [line.split() for line in (proc / "mountinfo").read_text().splitlines()]
        own = next(
            line[3:].strip() for line in (proc / "cgroup").read_text().splitlines() if line[:3] == "0::"
        )
    except (OSError, StopIteration):
        return []
    for fields in mounts:
        if fields[fields.index("-") + 1] == "cgroup2":
            top = Path(fields[4])
            with contextlib.suppress(ValueError):
                found = top / Path(own).relative_to(fields[3])
                return [found, *(outer for outer in found.parents if outer.is_relative_to(top))]
    return []


def _made_in(outer: Path, name: str) -> Path | None:
    """Make the group of all teams inside another one, and try it; None where we may not."""
    group = outer / name
    try:
        if not NEEDED.issubset((outer / "cgroup.controllers").read_text().split()):
            return None
        _hand_down(outer)
        with contextlib.suppress(FileExistsError):
            group.mkdir()
        _hand_down(group)
        if _works(group):
            return group
    except OSError:  # not ours to divide, or it holds processes itself
        pass
    with contextlib.suppress(OSError):
        group.rmdir()
    return None


def _hand_down(group: Path) -> None:
    """Let the groups inside have limits of their own."""
    control = group / "cgroup.subtree_control"
    if not NEEDED.issubset(control.read_text().split()):
        control.write_text(" ".join(f"+{name}" for name in sorted(NEEDED)))
    with contextlib.suppress(OSError):
        control.write_text(f"+{WELCOME}")


def _works(group: Path) -> bool:
    """Whether a process can be put into a group of a team."""
    trial = group / "trial"
    with contextlib.suppress(FileExistsError):
        trial.mkdir()
    try:
        _limit(trial, 0, 0)
        join = [sys.executable, "-IS", "-c", JOIN, str(trial / "cgroup.procs")]
        done = subprocess.run(join, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return done.returncode == 0
    finally:
        with contextlib.suppress(OSError):
            trial.rmdir()
