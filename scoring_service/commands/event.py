"""Check and apply event files; freeze and reveal boards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from scoring_service.commands._open import services, table
from scoring_service.commands.queue import unserved
from scoring_service.events.spec import load

ACTOR = "goat-server"
LIBRARY = Path(__file__).parent.parent / "events" / "library"


@click.group()
def command() -> None:
    """Look after events and their challenges."""


@command.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(file: Path) -> None:
    """Say everything that is wrong with an event file; change nothing."""
    spec = load(file)
    click.echo(f"{file} is sound: event {spec.event} with {', '.join(c.id for c in spec.challenges)}.")


@command.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def apply(file: Path) -> None:
    """Create or update an event; the same file again changes nothing."""
    with services() as s:
        applied = s.events.apply(file, actor=ACTOR)
        lanes = s.submissions.queue().lanes
    for action in applied.actions:
        click.echo(action)
    for lane in lanes:
        own = [name for name in lane.challenges if name.partition(":")[0] == applied.event]
        if own and lane.unserved:
            click.echo(unserved(replace(lane, challenges=own)), err=True)


@command.command()
def library() -> None:
    """Show the event files that come with this version, ready to apply or to copy."""
    for path in sorted(LIBRARY.glob("*/event.yaml")):
        click.echo(f"{load(path).event}: {path}")


@command.command(name="list")
def list_() -> None:
    """Show every challenge with its deadline and data version."""
    with services() as s:
        rows = [
            (
                f"{c.event}:{c.id}",
                c.kind,
                f"{c.deadline:%Y-%m-%d %H:%M}" if c.deadline else "-",
                "frozen" if c.frozen else "",
                "revealed" if c.revealed else "",
                c.data_version,
            )
            for c in s.events.challenges()
        ]
    table(rows, ("CHALLENGE", "KIND", "DEADLINE (UTC)", "BOARD", "PRIVATE", "DATA"))


@command.command()
@click.argument("challenge")
@click.option("--undo", is_flag=True, help="Let the board move again.")
def freeze(challenge: str, undo: bool) -> None:
    """Freeze a challenge's public board from now on."""
    with services() as s:
        s.events.freeze(challenge, None if undo else s.clock.now(), actor=ACTOR)
    click.echo(f"The board of {challenge} {'moves again' if undo else 'is frozen'}.")


@command.command()
@click.argument("challenge")
@click.option("--undo", is_flag=True, help="Hide the private scores again.")
def reveal(challenge: str, undo: bool) -> None:
    """Show the private scores and the final ranks to everybody."""
    with services() as s:
        s.events.reveal(challenge, not undo, actor=ACTOR)
    click.echo(f"The private scores of {challenge} are {'hidden' if undo else 'revealed'}.")
