"""Who takes more than a team may loses its biggest process, nobody else, and is told."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub_config import keeper, memory, watch
from hub_config.keeper import MARK, processes_of_users, running_teams
from hub_config.watch import NOTICES, Team, Watch, shrink, tell

linux_only = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks into /proc")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
MB = 1 << 20
USER = 54322

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts processes that hold some memory, and more of it together with children that share it."""
    started: list[subprocess.Popen[bytes]] = []

    def start(megabytes: int, children: int = 0, **environ: str) -> subprocess.Popen[bytes]:
        code = (
            f"import os, time\nheld = b'x' * ({megabytes} << 20)\n"
            f"any(os.fork() == 0 for _ in range({children}))\nprint('held', flush=True)\ntime.sleep(60)"
        )
        process = subprocess.Popen(
            [sys.executable, "-IS", "-c", code],
            stdout=subprocess.PIPE,
            env={**os.environ, **environ},
            start_new_session=True,
        )
        assert process.stdout is not None
        for _ in range(children + 1):
            process.stdout.readline()
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.communicate()


@linux_only
def test_the_biggest_goes_and_the_rest_stays(start: Start) -> None:
    # Given a team's server, and two processes that are together too big
    server, small, big = start(20), start(60), start(120)
    everyone = [server.pid, small.pid, big.pid]

    # While there is room, nothing happens
    assert shrink(everyone, 400 * MB) == ""
    assert all(process.poll() is None for process in (server, small, big))

    # When there is not, then the biggest goes
    said = shrink(everyone, 150 * MB)
    assert said.startswith("python")
    assert big.wait(10) == -9
    assert small.poll() is None
    # And the server only after everything else
    shrink(everyone, 10 * MB)
    assert small.wait(10) == -9
    assert server.wait(10) == -9


@linux_only
def test_a_server_outlives_what_it_started_even_when_it_is_bigger(start: Start) -> None:
    server, other = start(120), start(60)
    shrink([other.pid, server.pid], 150 * MB)
    assert other.wait(10) == -9
    assert server.poll() is None


@linux_only
def test_a_server_in_an_enclosure_goes_last_too(start: Start) -> None:
    # Given what encloses a server and was started first, the server, and kernels that are smaller than it
    outer = start(1)
    code = "held = b'x' * (120 << 20); print('held', flush=True); import time; time.sleep(60)"
    command = [sys.executable, "-IS", "-c", code, "-m", "jupyterhub.singleuser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        server.stdout.readline()
        kernels = [start(70), start(60)]
        # When the team is over its limit, then kernels go and the server stays
        assert shrink([outer.pid, server.pid, *(kernel.pid for kernel in kernels)], 230 * MB)
        assert kernels[0].wait(10) == -9
        assert server.poll() is None
        server.kill()


@linux_only
def test_memory_that_processes_share_counts_once(start: Start) -> None:
    # Given one process and four copies of it, which share nearly all that they hold
    parent = start(150, children=4)
    numbers = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and _group(int(pid)) == parent.pid]
    assert len(numbers) == 5
    assert sum(map(watch._quickly_held, numbers)) > 700 * MB

    # Then they hold it once
    assert shrink(numbers, 400 * MB) == ""
    assert parent.poll() is None


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


@linux_only
def test_what_ends_by_itself_disturbs_nobody(start: Start) -> None:
    gone, other = start(10), start(60)
    gone.kill()
    gone.wait()
    assert shrink([gone.pid, other.pid, 2**22 - 1], 20 * MB) != ""
    assert other.wait(10) == -9


@linux_only
def test_a_number_that_went_to_another_process_is_left_alone(start: Start) -> None:
    other = start(10)
    assert not watch._kill(watch.Process(other.pid, 10 * MB, started=1, name="long gone"))
    assert other.poll() is None


@linux_only
def test_a_team_is_watched_by_its_mark_where_all_run_as_one_user(tmp_path: Path, start: Start) -> None:
    # Given a hub without users of their own, and two teams that run something
    (tmp_path / "teams/a").mkdir(parents=True)
    (tmp_path / "teams/b").mkdir()
    first = start(20, **{MARK: str(tmp_path / "teams/a")})
    second = start(90, **{MARK: str(tmp_path / "teams/a")})
    other = start(90, **{MARK: str(tmp_path / "teams/b")})
    found = {team.home.name: set(team.processes) for team in running_teams(tmp_path)}
    assert found == {"a": {first.pid, second.pid}, "b": {other.pid}}

    # When the keeper looks, then only who takes too much is held to the limit, and told
    Watch(tmp_path, 100 * MB).look(running_teams(tmp_path))
    assert second.wait(10) == -9
    assert first.poll() is None
    assert other.poll() is None
    assert "Stopped for want of memory" in (tmp_path / "teams/a" / NOTICES).read_text()
    assert not (tmp_path / "teams/b" / NOTICES).exists()


@linux_only
@pytest.mark.parametrize(
    "name", [b"\xff\xfe\x9b", b"\x0bRssAnon: -9999", b"\rRssAnon: x", b"a) Z 1 2 3", b"\x1b[31m"]
)
def test_no_name_of_a_process_blinds_the_keeper(tmp_path: Path, name: bytes) -> None:
    # Given a process that gives itself a name which is no text, or looks like numbers of the kernel's
    code = (
        f"import ctypes, time\nctypes.CDLL(None).prctl(15, {name!r}, 0, 0, 0)\nheld = b'x' * (60 << 20)\n"
        "print('held', flush=True)\ntime.sleep(60)"
    )
    home = tmp_path / "teams/a"
    home.mkdir(parents=True)
    with _running(code, **{MARK: str(home)}) as process:
        # Then it is found, measured and held to the limit like any other, and its name harms no screen
        assert process.pid in processes_of_users({os.geteuid()})
        assert running_teams(tmp_path) == [Team(home, 0, (process.pid,))]
        assert watch._quickly_held(process.pid) > 60 * MB
        Watch(tmp_path, 20 * MB).look(running_teams(tmp_path))
        assert process.wait(10) == -9
    assert "\x1b" not in (home / NOTICES).read_text()


@linux_only
def test_a_process_whose_first_thread_has_ended_is_held_to_the_limit(tmp_path: Path) -> None:
    code = (
        "import ctypes, threading, time\nheld = b'x' * (60 << 20)\n"
        "def go():\n    time.sleep(0.3)\n    print('held', flush=True)\n    time.sleep(60)\n"
        "threading.Thread(target=go).start()\nctypes.CDLL(None).syscall(NUMBER, 0)"  # exit of this thread
    ).replace("NUMBER", "93" if os.uname().machine == "aarch64" else "60")
    home = tmp_path / "teams/a"
    home.mkdir(parents=True)
    with _running(code, **{MARK: str(home)}) as process:
        assert process.pid in processes_of_users({os.geteuid()})
        assert watch._quickly_held(process.pid) > 60 * MB
        assert shrink([process.pid], 20 * MB) != ""
        assert process.wait(10) == -9
        assert process.pid not in processes_of_users({os.geteuid()})


@linux_only
def test_who_has_thrown_the_mark_away_belongs_to_who_started_it(tmp_path: Path) -> None:
    # Given a server whose child has an empty environment, and may not be looked into
    code = (
        "import subprocess, sys\nchild = 'import ctypes, time; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); "
        "print(1, flush=True); time.sleep(60)'\n"
        "started = subprocess.Popen([sys.executable, '-IS', '-c', child], env={}, stdout=subprocess.PIPE)\n"
        "started.stdout.readline()\nprint('held', flush=True)\nstarted.wait()"
    )
    home = tmp_path / "teams/a"
    with _running(code, **{MARK: str(home)}) as process:
        (team,) = running_teams(tmp_path)
        assert team.home == home
        assert len(team.processes) == 2
        assert process.pid in team.processes


@linux_only
def test_a_mark_from_inside_an_enclosure_is_not_believed(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a team's server, in which something (with process numbers of its own) bears another team's mark
    mine, other = tmp_path / "teams/a", tmp_path / "teams/b"
    code = (
        "import os, subprocess, sys\n"
        f"marked = {{**os.environ, {MARK!r}: {str(other)!r}}}\n"
        "child = [sys.executable, '-IS', '-c', 'import time; time.sleep(60)']\n"
        "started = subprocess.Popen(child, env=marked)\n"
        "print(started.pid, flush=True)\nstarted.wait()"
    )
    with _running(code, **{MARK: str(mine)}) as process:
        inside = next(pid for pid in processes_of_users({os.geteuid()}) if _parent_of(pid) == process.pid)
        monkeypatch.setattr(keeper, "_room", lambda pid: "inside" if pid == str(inside) else "ours")

        # Then it is counted where it was started
        assert {t.home: set(t.processes) for t in running_teams(tmp_path)} == {mine: {process.pid, inside}}


def _parent_of(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return keeper._parent(Path(f"/proc/{pid}"))
    return None


@contextlib.contextmanager
def _running(code: str, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that has said its first line."""
    process = subprocess.Popen(
        [sys.executable, "-IS", "-c", code],
        stdout=subprocess.PIPE,
        env={**os.environ, **environ},
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.communicate()


def test_what_the_kernel_stopped_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a team in a control group, in which the kernel has killed something
    (tmp_path / "group/team-a").mkdir(parents=True)
    (tmp_path / "teams/a").mkdir(parents=True)
    (tmp_path / memory.ANSWER).write_text(str(tmp_path / "group"))
    team, keeper = Team(tmp_path / "teams/a", 0, ()), Watch(tmp_path, 4 << 30)
    for kills, lines in ((0, 0), (1, 1), (1, 1), (3, 2)):
        (tmp_path / "group/team-a/memory.events").write_text(f"low 0\noom {kills}\noom_kill {kills}\n")
        keeper.look([team])
        notices = tmp_path / "teams/a" / NOTICES
        assert (notices.read_text().count("\n") if notices.exists() else 0) == lines
    assert "4 GB that a team may use" in notices.read_text()

    # When the keeper is started again, then nothing is told a second time, and what comes is told
    again = Watch(tmp_path, 4 << 30)
    again.look([team])
    assert notices.read_text().count("\n") == 2
    (tmp_path / "group/team-a/memory.events").write_text("oom_kill 4\n")
    again.look([team])
    assert notices.read_text().count("\n") == 3


@root_only
def test_all_of_a_team_ends_at_once_also_what_multiplies() -> None:
    # Given a team whose processes start others without end, and another team
    multiply = "import os, resource\nresource.setrlimit(resource.RLIMIT_NPROC, (60, 60))\n"
    # It becomes the team's user by itself: not every user may start this Python.
    multiply += (
        f"os.setgroups([])\nos.setresgid({USER}, {USER}, {USER})\nos.setresuid({USER}, {USER}, {USER})\n"
    )
    multiply += "while True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
    first = subprocess.Popen([sys.executable, "-IS", "-c", multiply])
    other = subprocess.Popen(["sleep", "60"], user=USER + 1, group=USER + 1, extra_groups=[])
    try:
        deadline = time.monotonic() + 30
        while len(processes_of_users({USER})) < 50 and time.monotonic() < deadline:
            time.sleep(0.05)
        # When everything of the first is to end, then all of it does, and the other lives
        keeper.kill_users({USER})
        deadline = time.monotonic() + 30
        while processes_of_users({USER}) and time.monotonic() < deadline:  # the killed are still ending
            time.sleep(0.05)
        assert processes_of_users({USER}) == []
        assert other.poll() is None
    finally:
        keeper.kill_users({USER, USER + 1})
        first.wait(10)
        other.wait(10)


@linux_only
def test_where_all_run_as_one_user_one_team_ends_and_the_others_work_on(tmp_path: Path, start: Start) -> None:
    ours = [start(1, **{MARK: str(tmp_path / "teams/a")}) for _ in range(2)]
    other = start(1, **{MARK: str(tmp_path / "teams/b")})
    keeper.end_team(tmp_path / "teams/a", 0)
    assert [process.wait(10) for process in ours] == [-9, -9]
    assert other.poll() is None
    keeper.end_team(tmp_path / "teams/nobody", 0)
    assert other.poll() is None


@linux_only
def test_a_number_that_passes_to_another_process_between_two_looks_is_not_killed(start: Start) -> None:
    # Given a process that is a team's at the first look, and somebody else's at the second
    ours, other = start(1), start(1)
    looks = [[ours.pid, other.pid], [ours.pid], []]
    keeper._kill(lambda: looks.pop(0))
    assert ours.wait(10) == -9
    assert other.poll() is None


def test_a_notice_never_goes_where_a_team_points_it(tmp_path: Path) -> None:
    # Given teams that put something else in its place
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / NOTICES).symlink_to(precious)
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / NOTICES)
    (tmp_path / "folder" / NOTICES).mkdir(parents=True)

    # When they are told something, then nobody waits and nothing else is touched
    for name in ("link", "pipe", "folder", "missing"):
        tell(Team(tmp_path / name, 0, ()), "a notice")
    assert precious.read_text() == "precious"


def test_notices_do_not_grow_for_ever(tmp_path: Path) -> None:
    team = Team(tmp_path, 0, ())
    (tmp_path / NOTICES).write_text("x" * (watch.NOTICES_BYTES + 1))
    tell(team, "the last one")
    assert (tmp_path / NOTICES).read_text().endswith("the last one\n")
    assert (tmp_path / NOTICES).stat().st_size < 100


@root_only
def test_a_notice_belongs_to_the_team(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    os.chown(home, USER, USER)
    tmp_path.chmod(0o700)  # the team cannot even reach its folder by its name
    tell(Team(home, USER, ()), "a notice")
    assert (home / NOTICES).stat().st_uid == USER
    # And a folder that is not the team's own stays as it is
    (tmp_path / "roots").mkdir(mode=0o755)
    tell(Team(tmp_path / "roots", USER, ()), "a notice")
    assert list((tmp_path / "roots").iterdir()) == []
