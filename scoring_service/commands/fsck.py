"""Check that database, files and boards agree; changes nothing."""

from __future__ import annotations

import sys

import click

from scoring_service.commands._open import services


@click.command()
def command() -> None:
    """Prove that every row has its file and hash, every result counts once, and every board is right.

    Safe while the service runs. Ends with status 1 and one line per fault if there are any.
    """
    from scoring_service.fsck.service import fsck

    with services() as opened:
        report = fsck(opened)
    for finding in report.findings:
        click.echo(str(finding))
    click.echo(
        f"{report.submissions} submissions and {report.files} files checked: "
        + (f"{len(report.findings)} faults" if report.findings else "all agree")
    )
    sys.exit(1 if report.findings else 0)
