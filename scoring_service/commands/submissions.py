"""List submissions of all teams, latest first."""

from __future__ import annotations

import click

from scoring_service.commands._open import services, table
from scoring_service.teams.identity import SYSTEM


@click.command()
@click.option("--challenge", help="Only of this challenge, e.g. task1 or other-event:task1.")
@click.option(
    "--state", type=click.Choice(["QUEUED", "RUNNING", "EVALUATED", "REJECTED", "FAILED", "CANCELLED"])
)
@click.option("--limit", default=30, show_default=True, type=click.IntRange(1, 1000))
def command(challenge: str | None, state: str | None, limit: int) -> None:
    """List submissions of all teams, latest first."""
    with services() as s:
        rows = [
            (
                r.id,
                r.team_name,
                r.account,
                r.challenge,
                r.mode,
                r.state,
                "-" if r.score is None else f"{r.score:.4f}",
                f"{r.submitted_at:%Y-%m-%d %H:%M:%S}",
                r.error_code or "",
            )
            for r in s.submissions.all(SYSTEM, challenge=challenge, state=state, limit=limit)
        ]
    table(
        rows, ("ID", "TEAM", "ACCOUNT", "CHALLENGE", "MODE", "STATE", "SHOWN", "SUBMITTED (UTC)", "VERDICT")
    )
