"""docs/verdicts.md names every code that a person can meet."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from goat import errors

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")
LISTED = set(re.findall(r"^\| `([a-z_]+)` \|", PAGE, re.MULTILINE))
SOURCES = ("goat/readers", "goat/kinds", "scoring_service/evaluation")
INTERNAL = {"bad_zip"}
"""Codes that become another one before anybody sees them."""


def error_codes(cls: type[errors.GoatError] = errors.GoatError) -> set[str]:
    below = [error_codes(child) for child in cls.__subclasses__()]
    return set().union({cls.code} if not below else set(), *below)


def verdict_codes() -> set[str]:
    """First string argument of every Problem(...), Fault(...) and Rejection.of(...) in the sources."""
    found = set()
    for folder in SOURCES:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and node.args and _makes_a_verdict(node.func):
                    first = node.args[0]
                    if isinstance(first, ast.Constant) and isinstance(first.value, str):
                        found.add(first.value)
    return found


def _makes_a_verdict(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        return function.attr in ("of", "add", "Problem", "Fault")
    return isinstance(function, ast.Name) and function.id in ("Problem", "Fault", "_fault", "fault")


def test_every_error_of_the_library_is_explained() -> None:
    assert error_codes() - LISTED == set()


def test_every_verdict_on_a_submission_is_explained() -> None:
    codes = verdict_codes() - INTERNAL
    assert len(codes) > 10, "the search for codes found next to nothing"
    assert codes - LISTED == set()
