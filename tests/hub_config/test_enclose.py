"""What stands between a team's server and everything else, tried without a hub."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
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
    assert (home / "teams/ours/mine").stat().st_uid == USER


@root_only
def test_without_root_bubblewrap_hides_the_same(home: Path) -> None:
    bubblewrap = shutil.which("bwrap")
    if bubblewrap is None:
        pytest.skip("bubblewrap is not installed (apt-get install bubblewrap)")
    # Given an organiser who is not root and owns everything
    for path in (home, *home.rglob("*")):
        os.chown(path, USER, USER)
    team = home / "teams" / "ours"
    command = [
        "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
        "/usr/bin/python3", "-IS", str(ENCLOSE), f"--home={team}", f"--hide={home}",
        f"--bubblewrap={bubblewrap}", "--", "/usr/bin/python3", "-c",
        f"{LOOK}\nprint('processes', [p for p in os.listdir('/proc') if p.isdigit()])",
    ]  # fmt: skip
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    said = result.stderr + (team / enclose.LOG).read_text()
    # Then the team sees its folder, two processes of its own, and nothing else
    assert "sees ['teams'] ['ours']" in said
    assert "secret FileNotFoundError" in said
    assert "other FileNotFoundError" in said
    assert "processes ['1', '2']" in said


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


def test_a_users_number_is_never_given_out_twice(tmp_path: Path) -> None:
    from hub_config.spawner import Users

    users = Users(tmp_path / "uids.json", 20000)
    assert [users.number(name) for name in ("a", "b", "a", "c")] == [20000, 20001, 20000, 20002]
    assert Users(tmp_path / "uids.json", 20000).number("b") == 20001
