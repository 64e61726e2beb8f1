"""What stands between a team's server and everything else, tried without a hub."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from hub_config import enclose
from hub_config.plan import ENCLOSE, CannotIsolate, Plan
from scoring_service.settings import Settings

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
USER = 54321


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A GOAT_HOME with a secret and two teams, below folders that everybody may enter."""
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o011)
    (tmp_path / "home/secrets").mkdir(parents=True)
    (tmp_path / "home/secrets/key").write_text("a secret for everybody to read")
    (tmp_path / "home/teams/other").mkdir(parents=True)
    (tmp_path / "home/teams/other/idea").write_text("idea")
    return tmp_path / "home"


def run(home: Path, code: str, *options: str, **environ: str) -> str:
    """What a team's server prints that only runs this code."""
    team = home / "teams" / "ours"
    command = [
        sys.executable, "-IS", str(ENCLOSE), f"--home={team}", f"--hide={home}",
        f"--keep={sys.prefix}", *options, "--", "/usr/bin/env", "python3" if options else sys.executable,
        "-c", code,
    ]  # fmt: skip
    env = {"PATH": "/usr/bin:/bin", **environ}
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env)
    log = team / enclose.LOG
    return result.stderr + (log.read_text() if log.exists() else "")


LOOK = """
import os, resource
def read(path):
    try:
        return open(path).read()
    except OSError as error:
        return type(error).__name__
home = os.path.dirname(os.path.dirname(os.getcwd()))
print("uid", os.getuid(), os.getgroups(), oct(os.umask(0)))
print("sees", sorted(os.listdir(home)), sorted(os.listdir(home + "/teams")))
print("secret", read(home + "/secrets/key"))
print("other", read(home + "/teams/other/idea"))
open("mine", "w").write("x")
print("data", resource.getrlimit(resource.RLIMIT_DATA)[0])
print("taken first", read("/proc/self/oom_score_adj").strip())
"""


@root_only
def test_as_root_a_team_is_a_user_of_its_own_that_sees_only_its_folder(home: Path) -> None:
    said = run(home, LOOK, f"--uid={USER}", f"--memory={1 << 30}", "--processes=100")
    if "Operation not permitted" in said:
        pytest.fail(said)
    assert f"uid {USER} [{USER}] 0o77" in said or f"uid {USER} [] 0o77" in said
    assert "sees ['teams'] ['ours']" in said
    assert "secret FileNotFoundError" in said
    assert "other FileNotFoundError" in said
    assert f"data {1 << 30}" in said
    assert f"taken first {enclose.TAKEN_FIRST}" in said
    assert (home / "teams/ours/mine").stat().st_uid == USER


@pytest.fixture
def organiser(home: Path) -> Path:
    """The same, of an organiser who is not root and owns everything."""
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed (apt-get install bubblewrap)")
    (home / "teams/ours").mkdir()
    for path in (home, *home.rglob("*")):
        os.chown(path, USER, USER)
    return home


def run_in_bubblewrap(home: Path, code: str, *options: str) -> str:
    """What a team's server says that only runs this code, where all run as one user."""
    team = home / "teams" / "ours"
    command = [
        "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
        "/usr/bin/python3", "-IS", str(ENCLOSE), f"--home={team}", f"--hide={home}", *options,
        f"--bubblewrap={shutil.which('bwrap')}", "--", "/usr/bin/python3", "-c", code,
    ]  # fmt: skip
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return result.stderr + (team / enclose.LOG).read_text()


@root_only
def test_without_root_bubblewrap_hides_the_same(organiser: Path) -> None:
    processes = "print('processes', [p for p in os.listdir('/proc') if p.isdigit()])"
    mount = "os.system('unshare -rm sh -c \"mount -t tmpfs x /mnt && echo mounted\"')"
    said = run_in_bubblewrap(organiser, f"{LOOK}\n{processes}\n{mount}", f"--memory={1 << 30}")
    # Then the team sees its folder, two processes of its own, and nothing else, and makes no mounts
    assert "sees ['teams'] ['ours']" in said
    assert "secret FileNotFoundError" in said
    assert "other FileNotFoundError" in said
    assert "processes ['1', '2']" in said
    assert "mounted" not in said
    assert f"data {1 << 30}" in said
    assert f"taken first {enclose.TAKEN_FIRST}" in said


@root_only
@pytest.mark.parametrize("below", ["/tmp", "/var"])
def test_without_root_a_team_fills_its_own_folder_and_not_the_memory(below: str) -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed (apt-get install bubblewrap)")
    # Bytes in a file system in memory belong to no process: nobody would count them as the team's
    code = """
import os
for folder in ("/dev", "/tmp", "/var/tmp", "/dev/shm", HOME, HOME + "/teams"):
    try:
        open(folder + "/x", "w").close()
    except OSError:
        print("closed", folder)
        continue
    disk = os.path.exists(HOME + "/teams/ours/.tmp/x")
    room = os.statvfs(folder)
    print("open", folder, "disk" if disk else room.f_blocks * room.f_frsize)
    os.unlink(folder + "/x")
"""
    with tempfile.TemporaryDirectory(dir=below) as name:
        home = Path(name) / "home"
        (home / "teams/ours").mkdir(parents=True)
        for path in (home.parent, home, home / "teams", home / "teams/ours"):
            os.chown(path, USER, USER)
        said = run_in_bubblewrap(home, f"HOME = {str(home)!r}\n{code}")
    found = dict(line.split()[1:3] for line in said.splitlines() if line.startswith("open"))
    assert {"/tmp", "/var/tmp", "/dev/shm"} <= set(found)
    assert "closed /dev\n" in said
    for folder, room in found.items():
        assert room == "disk" or int(room) <= enclose.SHARED_SIZE, folder
    if below == "/var" and not ENCLOSE.is_relative_to("/tmp"):  # a shared folder holds nothing of ours
        assert set(found.values()) == {"disk"}


@root_only
def test_without_root_a_team_has_its_own_count_of_processes(organiser: Path) -> None:
    # Given other processes of the same user, more than a team may have
    others = [
        subprocess.Popen(["setpriv", f"--reuid={USER}", "--clear-groups", "sleep", "60"]) for _ in range(12)
    ]
    code = """
import os, time
born = 0
try:
    while born < 100:
        if os.fork() == 0:
            time.sleep(60)
        born += 1
except OSError as error:
    print("no more:", error)
print("born", born)
os.kill(-1, 9)
"""
    try:
        said = run_in_bubblewrap(organiser, code, "--processes=10")
    finally:
        for process in others:
            process.kill()
            process.wait()
    # Then it may have some, whatever the others do, and no more
    born = int(said.partition("born ")[2].split()[0])
    assert "no more:" in said
    assert 5 <= born < 10


@root_only
@pytest.mark.parametrize("level", ["user", "bubblewrap"])
def test_no_link_of_a_team_opens_the_enclosure(organiser: Path, level: str) -> None:
    # Given a team that puts links where its next start will look
    team, precious = organiser / "teams/ours", organiser / "precious"
    (precious / "open").mkdir(parents=True)
    (precious / "open/truth").write_text("truth")
    precious.chmod(0o700)
    (organiser / "starters").mkdir()
    (organiser / "starters/a.txt").write_text("starter")
    for name, target in ((".tmp", precious / "open"), ("notebooks", precious / "open")):
        (team / name).symlink_to(target)
        os.chown(team / name, USER, USER, follow_symlinks=False)
    for path in (precious, precious / "open", precious / "open/truth"):
        os.chown(path, USER if level == "bubblewrap" else 0, -1)

    # When it starts
    code = "import os; print([(f, os.listdir(f)) for f in ('/tmp', '/var/tmp', '/dev/shm')])"
    starters = f"--starters={organiser / 'starters'}"
    if level == "user":
        said = run(organiser, code, f"--uid={USER}", starters)
    else:
        said = run_in_bubblewrap(organiser, code, starters, f"--keep={organiser / 'starters'}")

    # Then they lead nowhere, and the server starts all the same
    assert "'/dev/shm'" in said
    assert "truth" not in said
    assert [path.name for path in (precious / "open").iterdir()] == ["truth"]
    assert not (team / ".tmp").is_symlink()


def test_starters_never_go_where_a_team_points_them(tmp_path: Path) -> None:
    # Given a team that put links where starters would go
    (tmp_path / "starters/sub").mkdir(parents=True)
    (tmp_path / "starters/a.txt").write_text("starter a")
    (tmp_path / "starters/b.txt").write_text("starter b")
    (tmp_path / "starters/sub/c.txt").write_text("starter c")
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "home/notebooks").mkdir(parents=True)
    (tmp_path / "home/notebooks/a.txt").symlink_to(tmp_path / "precious")
    (tmp_path / "home/notebooks/b.txt").write_text("our work")

    # When starters are copied
    enclose.copy_starters(str(tmp_path / "starters"), str(tmp_path / "home"))

    # Then nothing that was there is touched, through links neither, and what was missing is there
    assert (tmp_path / "precious").read_text() == "precious"
    assert (tmp_path / "home/notebooks/b.txt").read_text() == "our work"
    assert (tmp_path / "home/notebooks/sub/c.txt").read_text() == "starter c"


def test_half_a_starter_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a folder whose disk is full, and one that lost its power in the middle of a copy
    (tmp_path / "starters").mkdir()
    (tmp_path / "starters/a.txt").write_text("starter a")
    copy = shutil.copyfileobj

    def full(read: object, write: object) -> None:
        write.write(b"sta")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    enclose.copy_starters(str(tmp_path / "starters"), str(tmp_path / "home"))
    assert list((tmp_path / "home/notebooks").iterdir()) == []
    (tmp_path / "home/notebooks/.a.txt.half").write_text("st")

    # When there is room again, then the next start brings it
    monkeypatch.setattr(shutil, "copyfileobj", copy)
    enclose.copy_starters(str(tmp_path / "starters"), str(tmp_path / "home"))
    assert [path.name for path in (tmp_path / "home/notebooks").iterdir()] == ["a.txt"]
    assert (tmp_path / "home/notebooks/a.txt").read_text() == "starter a"


def plan(tmp_path: Path, **environ: str) -> Plan:
    return Plan(Settings.from_env({"GOAT_HOME": str(tmp_path), **environ}))


def test_nothing_to_isolate_with_is_refused_when_others_are_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("hub_config.plan.bubblewrap_works", lambda: False)
    assert plan(tmp_path).isolation == "none"
    with pytest.raises(CannotIsolate, match="Install bubblewrap"):
        _ = plan(tmp_path, GOAT_HUB_HOST="0.0.0.0").isolation
    assert plan(tmp_path, GOAT_HUB_HOST="0.0.0.0", GOAT_HUB_ISOLATION="none").isolation == "none"
    for level in ("user", "bubblewrap"):
        with pytest.raises(CannotIsolate):
            _ = plan(tmp_path, GOAT_HUB_ISOLATION=level).isolation


def test_without_root_no_team_speaks_to_what_obeys_the_organiser(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an organiser who may start containers, and whose system keeps its name servers beside the sockets
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("hub_config.plan.bubblewrap_works", lambda: True)
    (home.parent / "run/resolve").mkdir(parents=True)
    monkeypatch.setattr("hub_config.plan.SOCKETS", (str(home.parent / "run"), str(home.parent / "missing")))
    resolve = Path.resolve
    names = {Path("/etc/resolv.conf"): home.parent / "run/resolve/stub.conf"}
    monkeypatch.setattr(Path, "resolve", lambda path: names.get(path) or resolve(path))

    # Then a team sees none of the sockets, and finds other machines by name
    command = plan(home).enclosure(home / "hub/teams/a", 0)
    assert f"--hide={home.parent / 'run'}" in command
    assert f"--keep={home.parent / 'run/resolve'}" in command
    assert f"--hide={home.parent / 'missing'}" not in command


def test_as_root_no_team_looks_into_the_folders_of_people(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the copy of an event, hidden data included, in a folder that others may read
    (home.parent / "people/organiser/my-event").mkdir(parents=True)
    monkeypatch.setattr("hub_config.plan.HOMES", (str(home.parent / "people"), "/not/there"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    command = plan(home).enclosure(home / "hub/teams/a", USER)
    assert f"--hide={home.parent / 'people'}" in command
    assert "--hide=/not/there" not in command


@root_only
def test_gpus_are_the_workers_unless_there_are_none(home: Path) -> None:
    # Given something that looks like a GPU
    gpu = Path(f"/dev/nvidia-goat-test-{os.getpid()}")
    look = f"print('gpu', repr(open({str(gpu)!r}).read()))"
    try:
        gpu.write_text("a GPU")
        gpu.chmod(0o666)
        assert "gpu ''" in run(home, look, f"--uid={USER}", "--no-gpus")
        assert "gpu 'a GPU'" in run(home, look, f"--uid={USER}")
        assert gpu.read_text() == "a GPU"
    finally:
        gpu.unlink()
    for given, hidden in ((None, True), ("2", True), ("0", False)):
        environ = {"GOAT_GPU_WORKERS": given} if given else {}
        command = plan(home, GOAT_HUB_ISOLATION="user", **environ).enclosure(home / "hub/teams/a", USER)
        assert ("--no-gpus" in command) is hidden


def test_a_users_number_is_never_given_out_twice(tmp_path: Path) -> None:
    from hub_config.spawner import Users

    users = Users(tmp_path / "uids.json", 20000)
    assert [users.number(name) for name in ("a", "b", "a", "c")] == [20000, 20001, 20000, 20002]
    assert Users(tmp_path / "uids.json", 20000).number("b") == 20001
