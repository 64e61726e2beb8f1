"""What is printed or logged on a full disk is lost, and nothing else."""

from __future__ import annotations

import sys

import pytest

from scoring_service.supervise.daemon import Lenient
from scoring_service.supervise.screen import Screen


def test_the_supervisors_own_complaints_never_end_it() -> None:
    class Full:
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

        flush = close = lambda self: self.write("")

    lenient = Lenient(Full())  # type: ignore[arg-type]
    assert lenient.write("words") == 5
    lenient.flush()


def test_a_screen_on_a_closed_terminal_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

        def flush(self) -> None:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(sys, "stdout", Gone())
    Screen().say("words")
    Screen().log_line("api", "words")
