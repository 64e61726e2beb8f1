"""Start everything: queue server, API, workers, sweeper and hub, under one supervisor."""

from __future__ import annotations

import sys

import click


@click.command()
@click.option("--no-hub", is_flag=True, help="Run the scoring service alone.")
@click.option("-v", "--verbose", is_flag=True, help="Show every line of every program's log.")
def command(no_hub: bool, verbose: bool) -> None:
    """Start everything and keep it running until Ctrl-C.

    On the first start it also makes the database, the organiser "admin", the sample event and a demo
    team, and prints their passwords once. Settings come from the environment (docs/settings.md).
    """
    if sys.platform == "win32":
        raise click.ClickException("The service runs on Linux and macOS; the goat library also on Windows.")
    from scoring_service.settings import Settings
    from scoring_service.supervise.checks import Refused
    from scoring_service.supervise.up import up

    try:
        sys.exit(up(Settings.from_env(), hub=not no_hub, verbose=verbose))
    except Refused as refusal:
        raise click.ClickException(str(refusal)) from refusal
