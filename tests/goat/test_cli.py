"""The ``goat`` command: what people read, what scripts get, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from goat import cli
from goat.identity import saved_name
from goat.records import Board
from tests.goat.fake_service import FakeService, times

Output = pytest.CaptureFixture[str]
Goat = Callable[..., int]


@pytest.fixture
def goat(monkeypatch: pytest.MonkeyPatch) -> Goat:
    """Run a command line in this process; returns its exit code."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> int:
        return cli.run(list(arguments))

    return run


def test_submit_prints_the_score(goat: Goat, logged_in: FakeService, answers: Path, capsys: Output) -> None:
    assert goat("submit", str(answers)) == 0
    printed = capsys.readouterr().out
    assert "7.2500 points" in printed
    assert "rank 3" in printed


def test_submit_json_is_one_document(
    goat: Goat, logged_in: FakeService, answers: Path, capsys: Output
) -> None:
    assert goat("submit", str(answers), "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["score"] == 7.25
    assert captured.err == ""


def test_a_rejection_lists_its_problems_and_exits_1(
    goat: Goat, logged_in: FakeService, tmp_path: Path, capsys: Output
) -> None:
    assert goat("submit", str(tmp_path)) == 1
    said = capsys.readouterr().err
    assert "2 problems" in said
    assert "missing_files: a.txt is missing." in said
    assert "missing_files: b.txt is missing." in said
    assert "Traceback" not in said


def test_a_rejection_as_json_has_every_problem(
    goat: Goat, logged_in: FakeService, tmp_path: Path, capsys: Output
) -> None:
    assert goat("check", str(tmp_path), "--json") == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "rejected"
    assert len(error["facts"]["problems"]) == 2


def test_an_unreachable_service_exits_3(goat: Goat, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOAT_URL", "http://127.0.0.1:9")
    assert goat("board") == 3
    assert "GOAT_URL" in capsys.readouterr().err


def test_a_wrong_command_line_exits_2(goat: Goat, tmp_path: Path, capsys: Output) -> None:
    assert goat("bord") == 2
    assert goat("submit", str(tmp_path / "nothing-here")) == 2
    assert goat("login", "--password-stdin") in (1, 2, 3)


def test_nobody_logged_in_exits_1_and_says_how(goat: Goat, service: FakeService, capsys: Output) -> None:
    assert goat("whoami") == 1
    assert "goat login" in capsys.readouterr().err


def test_login_takes_the_password_from_the_environment(
    goat: Goat, service: FakeService, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOAT_PASSWORD", "my_password")
    assert goat("login", "--team", "team_awesome") == 0
    assert saved_name(service.url) == "team_awesome"
    assert goat("whoami") == 0
    assert goat("logout") == 0
    printed = capsys.readouterr()
    assert "my_password" not in printed.out + printed.err


def test_login_reads_the_password_from_standard_input(service: FakeService) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "goat", "login", service.url, "--team", "team_awesome", "--password-stdin"],
        input="my_password\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert saved_name(service.url) == "team_awesome"


def test_a_wrong_password_exits_1(
    goat: Goat, service: FakeService, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOAT_PASSWORD", "wrong")
    assert goat("login", "--team", "team_awesome") == 1
    assert "Wrong name or password" in capsys.readouterr().err


def test_data_says_where_it_lies(goat: Goat, service: FakeService, capsys: Output) -> None:
    assert goat("data") == 0
    lines = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert Path(lines["sample/truth"]).is_dir()
    assert Path(lines["eval/inputs"]).is_dir()


def test_the_day_of_a_participant(goat: Goat, logged_in: FakeService, answers: Path, capsys: Output) -> None:
    for arguments, expected in (
        (["challenges"], "in 2 h 5 min"),
        (["check", str(answers)], "valid ranked submission"),
        (["dry-run", str(answers)], "-0.5000 points"),
        (["submit", str(answers), "--no-wait"], "queued, 2nd in line"),
        (["status"], "7.2500"),
        (["status", "s0001", "--wait"], "7.2500"),
        (["history"], "s0001"),
        (["board"], "team_awesome"),
    ):
        assert goat(*arguments) == 0, arguments
        assert expected in capsys.readouterr().out


def test_status_of_a_rejected_submission_exits_1(
    goat: Goat, logged_in: FakeService, answers: Path, capsys: Output
) -> None:
    logged_in.outcome = {"state": "REJECTED", "error_code": "non_finite", "error": "a.txt holds NaN."}
    assert goat("submit", str(answers), "--no-wait") == 0
    assert goat("status", "s0001") == 1
    assert "holds NaN" in capsys.readouterr().err


def test_no_submission_yet_says_so(goat: Goat, logged_in: FakeService, capsys: Output) -> None:
    assert goat("history") == 0
    assert goat("status") == 1
    assert "no submission yet" in capsys.readouterr().err


def test_names_of_others_cannot_steer_the_terminal(goat: Goat, service: FakeService, capsys: Output) -> None:
    assert goat("board") == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\u202e" not in printed
    assert "\\x1b[31m\\u202e<b>" in printed


def test_a_retry_in_the_middle_is_invisible_to_scripts(
    goat: Goat, logged_in: FakeService, answers: Path, capsys: Output
) -> None:
    logged_in.faults.append(times(1, "lose", path="/v1/challenges/task1/submissions", method="POST"))
    assert goat("submit", str(answers), "--json") == 0
    assert json.loads(capsys.readouterr().out)["submission_id"] == "s0001"
    assert len(logged_in.submissions) == 1


def test_every_command_has_help(goat: Goat, capsys: Output) -> None:
    for name in cli.cli.commands:
        assert goat(name, "--help") == 0
        assert "Usage" in capsys.readouterr().out


def test_an_interrupt_says_that_the_submission_goes_on(
    goat: Goat, logged_in: FakeService, answers: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given somebody who presses Ctrl-C while waiting
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("goat.waiting._heard", interrupted)

    # When it happens, Then the exit code says so and the text how to go on
    assert goat("submit", str(answers)) == 130
    assert "goat status s0001" in capsys.readouterr().err


def test_a_fault_of_ours_is_a_sentence_too(
    goat: Goat, logged_in: FakeService, answers: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **options: object) -> None:
        raise TypeError("oops")

    monkeypatch.setattr("goat.cli.submissions.send", broken)
    assert goat("submit", str(answers)) == 1
    said = capsys.readouterr().err
    assert "TypeError: oops" in said
    assert "Traceback" not in said


def test_watch_prints_one_board_per_line_for_scripts(
    goat: Goat, service: FakeService, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("goat.cli.board.boards", lambda client, challenge: iter([service.board()] * 2))
    assert goat("watch", "--json") == 0
    assert [json.loads(line)["version"] for line in capsys.readouterr().out.splitlines()] == [4, 4]


def test_watch_leaves_the_last_board_in_the_terminal(
    goat: Goat, service: FakeService, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def until_interrupted(*args: object) -> Iterator[Board]:
        yield service.board()
        raise KeyboardInterrupt

    monkeypatch.setattr("goat.cli.board.boards", until_interrupted)
    assert goat("watch") == 0
    assert "team_awesome" in capsys.readouterr().out


def test_a_kind_without_a_baseline_says_so(
    goat: Goat, service: FakeService, tmp_path: Path, capsys: Output
) -> None:
    assert goat("baseline", str(tmp_path / "out")) == 1
    assert "no baseline" in capsys.readouterr().err


def test_a_baseline_that_learns_gets_the_sample_and_says_what_comes_next(
    goat: Goat, logged_in: FakeService, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a kind whose submission is one file, a model
    seen: list[Path] = []

    def learn(inputs: Path, output: Path, *, progress: Callable[[int, int], None]) -> int:
        seen.append(inputs)
        progress(2, 2)
        output.write_bytes(b"a model")
        return 2

    module = SimpleNamespace(baseline=learn, LEARNS=True)
    monkeypatch.setitem(sys.modules, "goat.baselines.toy", module)
    model = tmp_path / "model.onnx"

    # When
    assert goat("baseline", str(model)) == 0

    # Then it learnt from the split whose truth is published, and both next steps are told
    [inputs] = seen
    assert inputs.is_dir()
    assert (inputs.parent / "truth").is_dir()
    said = capsys.readouterr().out
    assert "(7 B) learnt from 2 images" in said
    assert said.index(f"goat dry-run {model}") < said.index(f"goat submit {model}")


def test_ids_are_whole_in_a_pipe(
    goat: Goat, logged_in: FakeService, answers: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a long file name and error, and no terminal
    monkeypatch.delenv("COLUMNS")
    logged_in.outcome = {"state": "REJECTED", "error_code": "x", "error": "what to change " * 30}
    assert goat("submit", str(answers), "--no-wait") == 0
    goat("status", "s0001")

    # When the history is printed, Then the id and state are not cut
    capsys.readouterr()
    assert goat("history") == 0
    printed = capsys.readouterr().out
    assert "s0001" in printed
    assert "REJECTED" in printed
