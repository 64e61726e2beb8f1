"""Prepare the database and the first logins, once, where no supervisor does it (docs/deployment.md)."""

from __future__ import annotations

import os

import click


@click.command()
def command() -> None:
    """Bring the database up to date; the first time also make organiser, sample event and demo team.

    `goat-server up` does this by itself. Safe to repeat; passwords are in GOAT_SECRETS, never shown here.
    """
    from scoring_service.settings import Settings
    from scoring_service.supervise.first_start import prepare
    from scoring_service.supervise.screen import password_file

    os.umask(0o077)
    settings = Settings.from_env()
    prepared = prepare(settings)
    for note in prepared.notes:
        click.echo(note)
    for name in prepared.passwords:
        kept = password_file(settings, name)
        click.echo(f"{name}: password {f'in {kept}' if kept.exists() else 'as you set it'}")
    click.echo("ready")
