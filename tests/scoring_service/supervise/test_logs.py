"""What of the programs' logs reaches the terminal."""

from __future__ import annotations

from scoring_service.supervise.logs import LogFollower, last_lines


def test_only_new_lines_that_matter_are_shown(tmp_path):
    # Given a log with a past
    log = tmp_path / "api.log"
    log.write_text("2026 ERROR old\n")
    follower = LogFollower(tmp_path)

    # When something is added
    with log.open("a") as file:
        file.write("2026 INFO fine\n2026 WARNING careful\nValueError: broken\n")

    # Then the lines that matter are shown once
    assert list(follower.new_lines()) == [("api", "2026 WARNING careful"), ("api", "ValueError: broken")]
    assert list(follower.new_lines()) == []


def test_half_a_line_waits_for_its_end(tmp_path):
    follower = LogFollower(tmp_path)
    log = tmp_path / "api.log"
    log.write_text("2026 ERROR ha")
    assert list(follower.new_lines()) == []
    log.write_text("2026 ERROR half\n")
    assert list(follower.new_lines()) == [("api", "2026 ERROR half")]


def test_a_rotated_log_is_read_from_its_new_start(tmp_path):
    log = tmp_path / "api.log"
    log.write_text("2026 ERROR before the rotation, and rather long\n")
    follower = LogFollower(tmp_path)
    log.rename(tmp_path / "api.log.1")
    log.write_text("2026 ERROR after\n")
    assert list(follower.new_lines()) == [("api", "2026 ERROR after")]


def test_control_characters_cannot_steer_the_terminal(tmp_path):
    follower = LogFollower(tmp_path)
    (tmp_path / "api.log").write_bytes(b"ERROR team \x1b]0;title\x07 \xff\xfe\n")
    ((_, line),) = follower.new_lines()
    assert "\x1b" not in line
    assert "\x07" not in line


def test_the_queue_servers_own_warnings_stay_in_its_log(tmp_path):
    follower = LogFollower(tmp_path)
    (tmp_path / "queue.log").write_text("# WARNING Memory overcommit must be enabled!\n")
    assert list(follower.new_lines()) == []


def test_everything_is_shown_when_asked_for(tmp_path):
    follower = LogFollower(tmp_path, everything=True)
    (tmp_path / "queue.log").write_text("ready\n")
    assert list(follower.new_lines()) == [("queue", "ready")]


def test_the_end_of_a_missing_log_is_empty(tmp_path):
    assert last_lines(tmp_path / "none.log") == []
