"""``goat-server up`` with the real programs, from nothing to a second start."""

from __future__ import annotations

import json
import os
import signal
import stat
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scoring_service.supervise.processes import WHOLE, Up, processes_of, wait_for

PROGRAMS = ("queue", "api", "worker-0", "worker-1", "worker-long", "sweeper")


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="goat-whole-") as folder:
        yield Path(folder).resolve() / "home"


def ask(up: Up, path: str, token: str = "", **body: str) -> dict[str, object]:
    request = urllib.request.Request(f"http://127.0.0.1:{up.port}{path}")
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    data = json.dumps(body).encode() if body else None
    with urllib.request.urlopen(request, data=data, timeout=30) as reply:
        answer: dict[str, object] = json.load(reply)
    return answer


@pytest.mark.timeout(300)
def test_one_command_from_nothing_to_a_second_start(home):
    # When it is started on an empty folder
    up = Up(home, command=WHOLE, GOAT_DEMO_PASSWORD="chosen-by-us")
    try:
        up.wait_until_ready()

        # Then the service is healthy, all programs run, and the demo team can log in
        health = ask(up, "/")
        assert (health["status"], health["database"], health["queue"]) == ("healthy", "ok", "ok")
        for name in PROGRAMS:
            assert up.running(name)
        login = ask(up, "/auth/login", name="team_awesome", password="chosen-by-us")
        assert ask(up, "/auth/me", token=str(login["access_token"]))["team_name"] == "team_awesome"
        assert (
            ask(up, "/v1/challenges/task1", token=str(login["access_token"]))["kind"]
            == "image_reconstruction"
        )

        # And the organiser's password was made, shown once, and kept for its owner only
        kept = home / "secrets" / "admin_password"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert f"password {kept.read_text()}" in up.output
        assert not (home / "secrets" / "demo_password").exists()
        assert "chosen-by-us" not in up.output

        # When any of the programs is killed, it comes back
        for name in PROGRAMS:
            before = up.running(name)
            os.kill(before, signal.SIGKILL)
            wait_for(lambda name=name, before=before: up.pid_of(name) not in (0, before), f"a new {name}")

        # When it is stopped, everything is gone in time
        assert up.end() < 10
        assert processes_of(home) == []

        # When it is started again, nothing is made anew and no password is shown
        again = Up(home, command=WHOLE)
        try:
            again.wait_until_ready()
            assert "sample event" not in again.output
            assert kept.read_text() not in again.output
            assert ask(again, "/auth/login", name="team_awesome", password="chosen-by-us")["access_token"]
            assert again.end(signal.SIGINT) < 10
            assert processes_of(home) == []
        finally:
            again.clean_up()
    finally:
        up.clean_up()


def test_an_unusable_database_is_one_sentence(home):
    # Given a database that cannot be reached
    up = Up(home, command=WHOLE, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    try:
        # Then the start says so, without a traceback, and leaves nothing running
        assert up.process.wait(60) == 1
        assert "The database could not be prepared" in up.output
        assert "Traceback" not in up.output
        assert processes_of(home) == []
    finally:
        up.clean_up()


def test_an_unusable_setting_is_one_sentence(home):
    up = Up(home, command=WHOLE, WORKER_COUNT="many")
    try:
        assert up.process.wait(60) == 1
        assert "WORKER_COUNT='many' is not usable" in up.output
        assert "Traceback" not in up.output
    finally:
        up.clean_up()
