"""What `make up` says where teams cannot be kept apart as well as they should be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hub_config.plan import Plan
from scoring_service.settings import Settings
from scoring_service.supervise import hub

LOOK = """
import sys
from scoring_service.settings import Settings
from scoring_service.supervise.checks import Refused, make_folders
from scoring_service.supervise.hub import plan_of
settings = Settings.from_env()
make_folders(settings)
try:
    plan_of(settings)
    print("started")
except Refused as refused:
    print(refused)
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")
def test_root_that_may_not_mount_is_told_three_ways_out(tmp_path: Path) -> None:
    # Given root as it is in many containers
    tmp_path.chmod(0o700)
    weak = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", "--ambient-caps=-all"]
    environ = {**os.environ, "GOAT_HOME": str(tmp_path / "home")}

    # When the hub is prepared, then it is refused with what to do, and not with a guess
    done = subprocess.run(
        [*weak, sys.executable, "-c", LOOK], env=environ, capture_output=True, text=True, timeout=60
    )
    assert "Root may make no mounts here" in done.stdout, done.stderr
    for way in ("--cap-add=SYS_ADMIN", "bubblewrap", "GOAT_HUB_ISOLATION=none", "--no-hub"):
        assert way in done.stdout
    assert "chmod" not in done.stdout

    # With the right it starts
    done = subprocess.run([sys.executable, "-c", LOOK], env=environ, capture_output=True, text=True)
    assert done.stdout.strip() == "started", done.stdout + done.stderr


def plan(tmp_path: Path, **environ: str) -> Plan:
    return Plan(Settings.from_env({"GOAT_HOME": str(tmp_path), **environ}))


@pytest.mark.parametrize(
    ("platform", "program", "advice"),
    [
        ("linux", None, "install the package bubblewrap"),
        ("linux", "/usr/bin/bwrap", "kernel.unprivileged_userns_clone=1"),
        ("darwin", None, "on Linux"),
    ],
)
def test_who_is_not_root_reads_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, program: str | None, advice: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("hub_config.plan.bubblewrap_works", lambda: False)
    monkeypatch.setattr(hub.shutil, "which", lambda name: program)
    monkeypatch.setattr(sys, "platform", platform)
    assert advice in hub.advice(plan(tmp_path))
    # Who chose to go without is not lectured
    assert hub.advice(plan(tmp_path, GOAT_HUB_ISOLATION="none")) == ""


def test_where_teams_are_kept_apart_there_is_nothing_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_config.plan.bubblewrap_works", lambda: True)
    assert hub.advice(plan(tmp_path)) == ""
