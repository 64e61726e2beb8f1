"""The README's five minutes, as a team lives them: real processes, real photographs, real commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.scoring_service.supervise.processes import WHOLE, Up

PASSWORD = "a password for the tour"


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    """``goat-server up`` on an empty home, as ``make up`` runs it."""
    with tempfile.TemporaryDirectory(prefix="goat-tour-") as folder:
        running = Up(
            Path(folder).resolve() / "home",
            command=WHOLE,
            GOAT_DEMO_PASSWORD=PASSWORD,
            GOAT_ADMIN_PASSWORD=PASSWORD,
        )
        try:
            running.wait_until_ready()
            yield running
        finally:
            running.clean_up()


class Laptop:
    """A participant's machine: its own configuration, cache and working folder."""

    def __init__(self, up: Up, folder: Path) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{up.port}"
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GOAT_")},
            "XDG_CONFIG_HOME": str(folder / "config"),
            "GOAT_CACHE": str(folder / "cache"),
            "GOAT_URL": self.url,
        }

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            input=stdin,
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
        )

    def goat(self, *arguments: str, stdin: str = "") -> str:
        done = self.run("-m", "goat", *arguments, stdin=stdin)
        assert done.returncode == 0, f"goat {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.mark.timeout(300)
def test_the_tour_of_the_readme_ends_on_the_board(up: Up, tmp_path: Path) -> None:
    laptop = Laptop(up, tmp_path)
    laptop.goat("login", "--team", "team_awesome", "--password-stdin", stdin=PASSWORD)
    laptop.goat("data")
    # Rehearsal: the number computed here is the server's
    laptop.goat("baseline", "--test", "rehearsal")
    here = json.loads(laptop.goat("dry-run", "rehearsal", "--json"))
    there = json.loads(laptop.goat("submit", "--test", "rehearsal", "--json"))
    assert here["score"] == there["score"] > 25
    # The real thing
    laptop.goat("baseline", "answers")
    scored = json.loads(laptop.goat("submit", "answers", "--json"))
    board = json.loads(laptop.goat("board", "--json"))
    assert scored["score"] > 25
    assert [(row["rank"], row["team_name"], row["score"]) for row in board["rows"]] == [
        (1, "team_awesome", scored["score"])
    ]

    # The documented functions, unchanged but for the address
    program = f"""
from goat.submit import challenge1
from goat.leaderboard import getLB_chall1
result = challenge1(folder_path="./answers", team_id="team_awesome", password={PASSWORD!r})
assert {{"score", "submission_id", "submitted_at"}} <= set(result), result
frame = getLB_chall1(team_name="team_awesome")
assert list(frame["team_name"]) == ["team_awesome"], frame
"""
    done = laptop.run("-c", program)
    assert done.returncode == 0, done.stderr

    # And the documented commands of the web door
    with httpx.Client(base_url=laptop.url, timeout=60) as http:
        token = http.post("/auth/login", json={"name": "team_awesome", "password": PASSWORD}).json()[
            "access_token"
        ]
        http.headers["Authorization"] = f"Bearer {token}"
        archive = tmp_path / "answers.zip"
        with zipfile.ZipFile(archive, "w") as file:
            for path in sorted((tmp_path / "answers").iterdir()):
                file.write(path, path.name)
            file.comment = b"other bytes, the same answers"
        with archive.open("rb") as file:
            reply = http.post("/submit/task1", files={"file": ("answers.zip", file)})
        assert reply.status_code == 200, reply.text
        assert reply.json()["score"] == scored["score"]
        assert "private_score" not in reply.text
        # Two short, a long and one for models
        assert http.get("/submit/queue/status").json()["workers_alive"] == 4
        assert http.get("/leaderboard/task1").json()[0]["team_name"] == "team_awesome"
        assert len(http.get("/teams/me/submissions/task1").json()) == 3
