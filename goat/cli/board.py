"""``goat board | watch``."""

from __future__ import annotations

import contextlib

import click
import msgspec
from rich.live import Live

from goat.cli.output import challenge_option, console, emit, json_option
from goat.client import Client
from goat.identity import saved_name
from goat.leaderboard import TOP, Leaderboard
from goat.leaderboard import leaderboard as fetch_board
from goat.live import boards


@click.command()
@challenge_option
@click.option("--team", metavar="NAME", help="Point out this team (default: yours).")
@click.option("--all", "whole", is_flag=True, help=f"Every team, not only the first {TOP}.")
@click.option("--private", is_flag=True, help="The private board, after the reveal.")
@json_option
def board(challenge: str, team: str | None, whole: bool, private: bool, as_json: bool) -> None:
    """Show a board.

    `-c combined` is the event's combined board.
    """
    found = fetch_board(challenge, split="private" if private else "public", team_name=team)
    if as_json:
        emit(found.board)
        return
    out = console()
    out.print(found.table(None if whole else TOP))
    if not len(found):
        out.print("Nobody is on the board yet.")
    elif not whole and len(found) > TOP:
        out.print(f"{len(found)} teams; --all shows every one.")


@click.command()
@challenge_option
@click.option("--team", metavar="NAME", help="Point out this team (default: yours).")
@json_option
def watch(challenge: str, team: str | None, as_json: bool) -> None:
    """Watch the board change, until Ctrl-C.

    With --json: one board per line.
    """
    with Client() as client:
        name = team or saved_name(client.url)
        if as_json:
            for now in boards(client, challenge):
                click.echo(msgspec.json.encode(now))
            return
        out = console()
        rows = max(3, out.size.height - 6)
        last = None
        with (
            contextlib.suppress(KeyboardInterrupt),
            Live(console=out, auto_refresh=False, screen=out.is_terminal) as live,
        ):
            for now in boards(client, challenge):
                last = Leaderboard(now, name)
                live.update(last.table(rows), refresh=True)
        if last is not None:
            out.print(last.table())  # the watching screen is gone; this stays in the terminal


COMMANDS = (board, watch)
