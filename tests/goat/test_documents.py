"""The library's documents use names that exist."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import goat

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS = re.findall(r"```python\n(.*?)```", (DOCS / "library.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_name_in_an_example_exists(block: str) -> None:
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "goat":
            assert hasattr(goat, node.attr), node.attr
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            function = _named(node.func)
            if function is not None:
                # The documented arguments fit the real signature.
                inspect.signature(function).bind(*node.args, **{word.arg or "": 0 for word in node.keywords})


def _named(called: ast.Attribute | ast.Name) -> Callable[..., Any] | None:
    if isinstance(called, ast.Name):
        from goat import leaderboard, submit

        documented: Callable[..., Any] | None = getattr(submit, called.id, None)
        return documented or getattr(leaderboard, called.id, None)
    if isinstance(called.value, ast.Name) and called.value.id == "goat":
        found: Callable[..., Any] = getattr(goat, called.attr)
        return found
    return None
