"""Text that other people wrote, made safe to show; and the examples in the docstrings."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from goat import identity, text
from goat.progress import marked
from goat.transports import backoff


@pytest.mark.parametrize("module", [text, identity, backoff])
def test_the_examples_in_the_docstrings_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    "hostile", ["\x1b[2J", "\x07", "\u202e", "\u2066", "\u200b", "\x9b31m", "\ud800", "\r", "\n"]
)
def test_nothing_that_steers_a_terminal_comes_through(hostile: str) -> None:
    shown = text.plain(f"goats{hostile}win")
    assert hostile not in shown
    assert shown.isprintable()


def test_a_megabyte_of_name_is_cut() -> None:
    assert len(text.plain("x" * 1_000_000, 40)) == 41


def test_brackets_are_not_read_as_markup() -> None:
    assert str(marked("[red]team[/red]", "ok", "utf-8")) == "✓ [red]team[/red]"


def test_a_terminal_without_the_sign_gets_letters() -> None:
    assert str(marked("done", "ok", "cp1252")) == "ok done"
