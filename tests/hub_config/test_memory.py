"""A team's server starts in a control group of its own where the system lets us make one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_config import memory
from hub_config.plan import ENCLOSE

HYBRID = """\
24 30 0:6 / /dev rw - devtmpfs dev rw
31 23 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw
36 31 0:28 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:33 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup rw
"""
UNIFIED = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
CONTAINER = "35 24 0:30 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n"


@pytest.mark.parametrize(
    ("mounts", "own", "expected"),
    [
        (HYBRID, "4:memory:/x\n0::/\n", ["/sys/fs/cgroup/unified"]),
        (
            UNIFIED,
            "0::/system.slice/goat.service\n",
            ["/sys/fs/cgroup/system.slice/goat.service", "/sys/fs/cgroup/system.slice", "/sys/fs/cgroup"],
        ),
        (CONTAINER, "0::/docker/abc\n", ["/sys/fs/cgroup"]),
        (CONTAINER, "0::/elsewhere\n", []),
        (HYBRID.replace("cgroup2", "none"), "0::/\n", []),
        (UNIFIED, "4:memory:/x\n", []),
    ],
)
def test_the_nearest_group_is_tried_first(tmp_path: Path, mounts: str, own: str, expected: list[str]) -> None:
    (tmp_path / "mountinfo").write_text(mounts)
    (tmp_path / "cgroup").write_text(own)
    assert [str(place) for place in memory.places(tmp_path)] == expected


def test_a_system_without_control_groups_has_none(tmp_path: Path) -> None:
    assert memory.places(tmp_path) == []


def test_one_process_gets_a_little_less_than_its_team() -> None:
    assert memory.of_one_process(8 << 30) == 7 << 30
    assert memory.of_one_process(0) == 0  # no limit


def test_groups_that_cannot_be_had_leave_the_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given groups that may not be divided: without the controllers, or holding processes themselves
    for name, controllers in (("poor", "hugetlb"), ("closed", "memory pids")):
        (tmp_path / name / "cgroup.subtree_control").mkdir(parents=True)  # cannot be written
        (tmp_path / name / "cgroup.controllers").write_text(controllers)
    monkeypatch.setattr(memory, "places", lambda: [tmp_path / "poor", tmp_path / "closed"])

    # When it is tried, then nothing is left behind, and the keeper watches
    assert memory.prepare(tmp_path) in ("watch", "process")
    assert memory.group_of(tmp_path, "a", 1, 1) is None
    assert not list(tmp_path.glob("*/goat-*"))


def test_the_best_group_is_taken_with_every_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a folder that looks like a group that is ours to divide
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    control = tmp_path / "cgroup.subtree_control"
    control.write_text("")
    group = tmp_path / "goat-x"
    group.mkdir()
    (group / "cgroup.subtree_control").write_text("memory pids")
    assert memory._made_in(tmp_path, "goat-x") == group
    assert control.read_text() == "+cpu"  # a real one adds up what is written to it

    # Then a team's group has the limits that were set
    (tmp_path / memory.ANSWER).write_text(str(group))
    team = memory.group_of(tmp_path, "a", 1 << 30, 0)
    assert team is not None
    limits = {file.name: file.read_text() for file in team.iterdir()}
    assert limits == {
        "memory.max": str(1 << 30), "memory.swap.max": "0", "pids.max": "max", "cpu.weight": "100"
    }  # fmt: skip


@pytest.fixture
def real_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The kernel's own groups. Where it limits no memory with them, they are made without limits."""
    if os.geteuid() != 0 or not memory.places():
        pytest.skip("needs root and cgroup v2")
    if memory.prepare(tmp_path) != "cgroup":
        monkeypatch.setattr(memory, "NEEDED", set())
        monkeypatch.setattr(memory, "_limit", lambda *_: None)
        if memory.prepare(tmp_path) != "cgroup":
            pytest.skip("this system lets nobody make control groups")
    outer = memory.all_teams(tmp_path)
    assert outer is not None
    yield outer
    memory.end(outer)
    assert not outer.exists()


def test_a_server_and_all_that_it_starts_is_in_the_teams_group(real_group: Path, tmp_path: Path) -> None:
    # Given a team's server that starts something which outlives it
    group = memory.group_of(tmp_path, "a", 1 << 30, 100)
    assert group == real_group / "team-a"
    leave = "import subprocess; subprocess.Popen(['setsid', 'sleep', '67'])"
    code = f"{leave}; print(open('/proc/self/cgroup').read())"
    command = [sys.executable, "-IS", str(ENCLOSE), f"--home={tmp_path / 'home'}", f"--cgroup={group}"]
    done = subprocess.run([*command, "--", sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"{real_group.name}/team-a" in (tmp_path / "home/.server.log").read_text()
    assert len((group / "cgroup.procs").read_text().split()) == 1

    # When the group ends, then nothing of it is left
    memory.end(group)
    assert not group.exists()


def test_the_kernel_holds_a_team_to_its_limit(real_group: Path, tmp_path: Path) -> None:
    group = memory.group_of(tmp_path, "a", 50 << 20, 100)
    assert group is not None
    if not (group / "memory.max").exists():
        pytest.skip("the kernel's memory controller is not part of cgroup v2 here")
    command = [sys.executable, "-IS", str(ENCLOSE), f"--home={tmp_path / 'home'}", f"--cgroup={group}"]
    done = subprocess.run([*command, "--", sys.executable, "-c", "x = b'x' * (200 << 20)"], check=False)
    assert done.returncode == -9
    assert memory.kills(group) == 1
