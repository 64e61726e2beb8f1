"""What the hub reads in a team's folder: nothing that the team has put in its place."""

from __future__ import annotations

import os
from pathlib import Path

from hub_config.enclose import LOG
from hub_config.spawner import last_words, log_size


def test_the_last_words_of_a_server_are_those_of_this_start_on_one_line(tmp_path: Path) -> None:
    (tmp_path / LOG).write_text("of an earlier start\n")
    since = log_size(tmp_path)
    assert last_words(tmp_path, since) == ""
    with (tmp_path / LOG).open("a") as file:
        file.write("Traceback\n  \x1b[31mNo space left\x07 on device\n")
    assert last_words(tmp_path, since) == "Traceback [31mNo space left on device"
    assert len(last_words(tmp_path, limit=20)) <= 20
    # Also where the log had grown long and was begun anew
    assert last_words(tmp_path, since=10_000_000).endswith("on device")


def test_a_log_that_a_team_points_elsewhere_has_no_words(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    for name in ("link", "pipe", "folder", "missing"):
        (tmp_path / name).mkdir()
    (tmp_path / "link" / LOG).symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe" / LOG)
    (tmp_path / "folder" / LOG).mkdir()
    for name in ("link", "pipe", "folder", "missing"):
        assert last_words(tmp_path / name) == ""
        log_size(tmp_path / name)
