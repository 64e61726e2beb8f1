"""Score again: all submissions of a challenge, or one."""

from __future__ import annotations

import click

from scoring_service.commands._open import services


@click.command()
@click.argument("challenge", required=False)
@click.option("--submission", help="Only this one, by its id.")
def command(challenge: str | None, submission: str | None) -> None:
    """Score again: all submissions of CHALLENGE, or the one named by --submission.

    Results on the board stay until the new ones replace them.
    """
    if (challenge is None) == (submission is None):
        raise click.UsageError("Name either a challenge or --submission ID.")
    with services() as s:
        count = s.submissions.rejudge(challenge=challenge, submission_id=submission, actor="goat-server")
    click.echo(f"{count} submissions wait to be scored again. See: goat-server queue")
