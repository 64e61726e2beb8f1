"""How commands speak: tables and lines for people, one JSON document for scripts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from goat.client import DEFAULT_CHALLENGE, MODEL_CHALLENGE
from goat.errors import SHOWN_PROBLEMS, GoatError, Rejection, ServiceUnreachable
from goat.progress import Display, marked
from goat.text import plain

if TYPE_CHECKING:
    from rich.console import Console

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """``--json``: print one JSON document on standard output and nothing else there."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")(command)


def challenge_option(command: F) -> F:
    """``-c``: which challenge."""
    return click.option(
        "-c", "--challenge", default=DEFAULT_CHALLENGE, show_default=True, metavar="ID", help="The challenge."
    )(command)


def challenge_of_path_option(command: F) -> F:
    """``-c``: which challenge; where it is not given, what PATH is decides (None)."""
    return click.option(
        "-c",
        "--challenge",
        default=None,
        metavar="ID",
        help=f"The challenge.  [default: {DEFAULT_CHALLENGE}; {MODEL_CHALLENGE} for an .onnx file]",
    )(command)


def batch_size_option(command: F) -> F:
    """``--batch-size``: for challenges that take models."""
    return click.option(
        "--batch-size",
        type=click.IntRange(1, 32),
        metavar="N",
        help="Samples per call (1 to 32) of a model whose batch dimension is dynamic.",
    )(command)


def console() -> Console:
    from rich.console import Console

    out = Console(highlight=False)
    if not out.is_terminal and "COLUMNS" not in os.environ:
        # Nobody's window limits a pipe or a file; a cut id would be of no use there.
        out.width = 160
    return out


def display(as_json: bool) -> Display:
    """Progress for people; none in the way of a script."""
    return Display(quiet=True if as_json else None)


def emit(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def line(text: str, *, mark: str = "ok") -> None:
    """One line on standard output, behind its mark."""
    out = console()
    out.print(marked(text, mark, out.encoding), soft_wrap=True)


def already_said() -> bool:
    """True where the progress display and standard output are the same terminal: say nothing twice."""
    return sys.stdout.isatty() and sys.stderr.isatty()


def fail(error: GoatError, *, as_json: bool) -> int:
    """Say what went wrong and return the exit code: 3 if the service cannot be reached, else 1."""
    code = 3 if isinstance(error, ServiceUnreachable) else 1
    if as_json:
        emit({"error": {"code": error.code, "detail": error.detail, "facts": error.facts}})
        return code
    from rich.console import Console

    out = Console(stderr=True, highlight=False)
    if not isinstance(error, Rejection):
        out.print(marked(error.detail, "bad", out.encoding), soft_wrap=True)
        return code
    count = len(error.problems)
    head = "1 problem" if count == 1 else f"{count} problems"
    out.print(marked(f"Not accepted: {head}.", "bad", out.encoding), soft_wrap=True)
    for problem in error.problems[:SHOWN_PROBLEMS]:
        out.print(f"  {plain(problem.code)}: {plain(problem.message)}", markup=False, soft_wrap=True)
    if count > SHOWN_PROBLEMS:
        out.print(f"  … and {count - SHOWN_PROBLEMS} more (--json lists all)", markup=False)
    return code
