"""``goat login | logout | whoami``."""

from __future__ import annotations

import os
import sys

import click

from goat import api
from goat.cli.output import emit, json_option, line
from goat.client import Client
from goat.errors import NotLoggedIn
from goat.identity import logins_file, service_url


@click.command()
@click.argument("url", required=False)
@click.option("--team", "name", metavar="NAME", help="Name of the team (asked for when it is not given).")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@json_option
def login(url: str | None, name: str | None, password_stdin: bool, as_json: bool) -> None:
    """Log in as a team and remember it on this machine.

    The password is asked for, or taken from GOAT_PASSWORD or --password-stdin; only a token is kept,
    readable by you alone. URL is the service's address (default: GOAT_URL, or the last login's).
    """
    where = service_url(url)
    with Client(where) as client:
        client.health()  # a wrong address should be told before a password is asked for
    if name is None:
        if password_stdin:
            raise click.UsageError("--password-stdin needs --team: standard input is taken.")
        name = click.prompt(f"Team on {where}", err=True)
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = os.environ.get("GOAT_PASSWORD") or click.prompt("Password", hide_input=True, err=True)
    if not password:
        raise NotLoggedIn("The password is empty.")
    me = api.login(name, password, where)
    if as_json:
        emit(me)
    else:
        line(f"logged in to {where} as {me.team_name or me.name}; the token is in {logins_file()}")


@click.command()
@click.argument("url", required=False)
def logout(url: str | None) -> None:
    """Forget the saved login."""
    where = service_url(url)
    if api.logout(url):
        line(f"logged out of {where}")
    else:
        line(f"nobody was logged in to {where}", mark="note")


@click.command()
@json_option
def whoami(as_json: bool) -> None:
    """Show who is logged in, where, and how that is known."""
    with Client() as client:
        me = client.me()
        if as_json:
            emit(me)
            return
        team = f"team {me.team_name}" if me.team_name else me.role
        event = f" of event {me.event}" if me.event else ""
        line(f"{me.name}, {team}{event}, on {client.url} (by {client.credentials().source})")


COMMANDS = (login, logout, whoami)
