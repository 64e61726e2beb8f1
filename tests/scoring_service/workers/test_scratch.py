"""What a killed worker leaves behind is removed by the next, and nothing of those that live."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from scoring_service.workers.scratch import Scratch

HOLDER = """
import sys, tempfile
from pathlib import Path
from scoring_service.workers.scratch import Scratch
with Scratch(Path(sys.argv[1])):
    Path(tempfile.mkdtemp(), "answers").write_bytes(b"x" * 1000)
    print("ready", flush=True)
    sys.stdin.read()
"""


def hold(root: Path) -> subprocess.Popen[bytes]:
    """Another worker's process, in the middle of something."""
    command = [sys.executable, "-c", HOLDER, str(root)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    with process:
        assert process.stdin is not None
        process.stdin.close()


def test_temporary_files_lie_in_a_folder_of_the_worker_that_goes_with_it(tmp_path: Path) -> None:
    before = tempfile.gettempdir()
    with Scratch(tmp_path / "scratch") as scratch, tempfile.TemporaryDirectory() as folder:
        assert Path(folder).parent == scratch.folder
        assert scratch.folder.stat().st_mode & 0o077 == 0
    assert list((tmp_path / "scratch").iterdir()) == []
    assert tempfile.gettempdir() == before


def test_what_a_killed_worker_left_goes_and_what_a_living_one_has_stays(tmp_path: Path) -> None:
    # Given two workers, one of which is killed
    dead, alive = hold(tmp_path), hold(tmp_path)
    assert len(list(tmp_path.glob("*/*/answers"))) == 2
    with dead:
        dead.kill()
    # When the next one starts
    with Scratch(tmp_path) as scratch:
        # Then only the living one's files and its own are there
        assert len(list(tmp_path.glob("*/*/answers"))) == 1
        assert len(list(tmp_path.iterdir())) == 2
        assert scratch.folder.is_dir()
    end(alive)
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_ends_while_another_starts_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a folder that is listed and gone a moment later
    (tmp_path / "worker-kept").mkdir()
    listed = [tmp_path / "worker-gone", tmp_path / "worker-kept"]
    monkeypatch.setattr(Path, "iterdir", lambda _self: iter(listed))
    with Scratch(tmp_path) as scratch:
        assert scratch.folder.is_dir()
    assert not (tmp_path / "worker-kept").exists()  # what lies behind it in the list is looked at, too
