"""Add, import, list, ban and delete teams; `member` looks after the people in them."""

from __future__ import annotations

from pathlib import Path

import click

from scoring_service.commands import _member
from scoring_service.commands._open import ACTOR, event_option, services, table
from scoring_service.teams.passwords import new_password


@click.group()
def command() -> None:
    """Look after the teams of an event."""


@command.command()
@click.argument("name")
@click.option("--password", envvar="GOAT_TEAM_PASSWORD", help="Generated and printed if not given.")
@event_option
def add(name: str, password: str | None, event: str | None) -> None:
    """Create a team and its login of the same name."""
    chosen = password or new_password()
    with services() as s:
        team = s.teams.add(name, chosen, event=event, actor=ACTOR)
    click.echo(f"Team {team.name} is in the event {team.event}.")
    click.echo(f"It logs in with: goat login --team {team.name}")
    if password is None:
        click.echo(f"Its password, shown only now: {chosen}")


@command.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@event_option
def import_(file: Path, event: str | None) -> None:
    """Create the teams of a CSV with lines NAME,PASSWORD. Teams that exist are left as they are."""
    with services() as s:
        try:
            text = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise click.ClickException(f"{file} is not UTF-8 text: {error}") from error
        teams = s.teams.import_csv(text, event=event, actor=ACTOR)
    click.echo(f"{len(teams)} teams created.")


@command.command(name="list")
@event_option
def list_(event: str | None) -> None:
    """Show every team with its members and submissions."""
    with services() as s:
        rows = [
            (t.name, t.members, t.submissions, "banned" if t.banned else "", f"{t.created_at:%Y-%m-%d %H:%M}")
            for t in s.teams.list(event=event)
        ]
    table(rows, ("TEAM", "MEMBERS", "SUBMISSIONS", "STATUS", "CREATED (UTC)"))


@command.command()
@click.argument("name")
@click.password_option("--password", envvar="GOAT_TEAM_PASSWORD", help="Asked for if not given.")
def password(name: str, password: str) -> None:
    """Give an account a new password; its logins end."""
    with services() as s:
        s.teams.set_password(name, password, actor=ACTOR)
    click.echo(f"{name} has a new password.")


@command.command()
@click.argument("name")
@click.option("--undo", is_flag=True, help="Let the team in again.")
@event_option
def ban(name: str, undo: bool, event: str | None) -> None:
    """Bar a team from the event and its boards; nothing is deleted."""
    with services() as s:
        s.teams.ban(name, not undo, event=event, actor=ACTOR)
    click.echo(f"{name} is {'in again' if undo else 'banned'}.")


@command.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Also delete its submissions and results.")
@event_option
def delete(name: str, force: bool, event: str | None) -> None:
    """Delete a team and its login."""
    with services() as s:
        s.teams.delete(name, event=event, force=force, actor=ACTOR)
    click.echo(f"{name} is deleted.")


command.add_command(_member.command, "member")
