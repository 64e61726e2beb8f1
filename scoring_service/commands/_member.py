"""Add, remove and list the people of a team, each with a login of its own."""

from __future__ import annotations

import click

from scoring_service.commands._open import ACTOR, event_option, services, table


@click.group()
def command() -> None:
    """Look after the people of a team, each with a login of its own."""


@command.command()
@click.argument("team")
@click.argument("account")
@click.option("--password", envvar="GOAT_TEAM_PASSWORD", help="Generated and printed if not given.")
@event_option
def add(team: str, account: str, password: str | None, event: str | None) -> None:
    """Let a person ACCOUNT act for a TEAM."""
    with services() as s:
        added = s.members.add(team, account, password, event=event, actor=ACTOR)
    click.echo(f"{added.name} is in the team {added.team_name}.")
    click.echo(f"Log in with: goat login --team {added.name}")
    if added.password is not None:
        click.echo(f"The password, shown only now: {added.password}")
    elif password is None:
        click.echo("The password is the one that this account has already.")


@command.command()
@click.argument("team")
@click.argument("account")
@event_option
def remove(team: str, account: str, event: str | None) -> None:
    """End a person's membership and logins; what it submitted stays the team's."""
    with services() as s:
        s.members.remove(team, account, event=event, actor=ACTOR)
    click.echo(f"{account} is not in the team {team} any more; its logins end within seconds.")


@command.command(name="list")
@click.argument("team")
@event_option
def list_(team: str, event: str | None) -> None:
    """Show a team's own login and its people."""
    with services() as s:
        rows = [
            (m.name, "the team's own" if m.shared else "a person's", m.submissions)
            for m in s.members.list(team, event=event)
        ]
    table(rows, ("ACCOUNT", "LOGIN", "SUBMISSIONS"))
