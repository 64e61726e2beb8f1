"""The services, opened for one command of a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from scoring_service.migrations import migrate
from scoring_service.services import Services, build_services
from scoring_service.settings import Settings

ACTOR = "goat-server"
"""Who the audit names for what was done on the server's terminal."""
event_option = click.option("--event", help="Event id; the default event if not given.")


@contextmanager
def services() -> Iterator[Services]:
    """Services on the settings of the environment, the database brought up to date first."""
    built = build_services(Settings.from_env())
    try:
        migrate(built.db)
        yield built
    finally:
        built.db.dispose()


def table(rows: Sequence[tuple[object, ...]], header: tuple[str, ...]) -> None:
    """Print rows under a header, columns aligned, control characters shown instead of obeyed."""
    cells = [header, *([printable(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def printable(text: str) -> str:
    """Text of strangers without anything that a terminal would obey."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
