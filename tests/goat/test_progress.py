"""What a person sees while something takes time."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from goat.errors import Problem, Rejection
from goat.notebook import NotebookScreen
from goat.progress import Display, Screen, TerminalScreen


def _use(screen: Screen) -> None:
    display = Display(screen=screen)
    with display.spinner("waiting") as tell:
        tell("queued, <b>1st</b> in line")
    with display.bar("uploading") as advance:
        advance(500_000, 1_000_000)
        advance(1_000_000, 1_000_000)
    with display.bar("answering", "images") as advance:
        advance(3, 3)
    display.note_once("trying again")
    display.note_once("trying again")
    display.say("done \x1b[31m", mark="ok")


def test_a_terminal_shows_bars_and_lines() -> None:
    # Given a terminal
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=100, color_system=None)

    # When something takes its course, Then progress and results are there, and nothing hostile
    _use(TerminalScreen(console))
    shown = written.getvalue()
    assert "1.0/1.0 MB" in shown
    assert "3/3 images" in shown
    assert shown.count("trying again") == 1
    assert "\x1b[31m" not in shown
    assert "done \\x1b[31m" in shown


def test_nobody_watching_means_silence(capsys: pytest.CaptureFixture[str]) -> None:
    for quiet in (True, None):
        display = Display(quiet)
        display.say("hello")
        with display.bar("uploading") as advance, display.spinner("waiting") as tell:
            advance(1, 2)
            tell("soon")
    assert capsys.readouterr() == ("", "")


def test_a_notebook_has_one_output_that_is_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a notebook's display
    shown: list[dict[str, str]] = []

    class Handle:
        def update(self, bundle: dict[str, str], **options: Any) -> None:
            shown.append(bundle)

    def display(bundle: dict[str, str], **options: Any) -> Handle:
        shown.append(bundle)
        assert len(shown) == 1, "one output only"
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)

    # When something takes its course
    _use(NotebookScreen())

    # Then the output ends as its finished lines, escaped
    assert any("<progress" in bundle["text/html"] for bundle in shown)
    assert any("1.0 MB of 1.0 MB" in bundle["text/html"] for bundle in shown)
    assert all("<b>" not in bundle["text/html"] for bundle in shown)
    assert "<progress" not in shown[-1]["text/html"]
    assert shown[-1]["text/plain"] == "• trying again\n✓ done \\x1b[31m"


def test_a_traceback_lists_every_problem() -> None:
    # Given a rejection with several problems
    error = Rejection(Problem("missing_files", f"{name} is missing.") for name in "abc")

    # Then its sentence is short, and a traceback lists them all
    assert str(error) == "a is missing. (and 2 more problems)"
    assert error.__notes__ == [f"- missing_files: {name} is missing." for name in "abc"]
