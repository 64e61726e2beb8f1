"""Standings: a team's line on a board, recomputed whenever one of its results changes.

`recompute` is the one home of the rule. It runs inside the transaction that changes the result, for
one team and one challenge, so its cost depends on that team's submissions only.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from goat.kinds.base import get_kind, parse_config
from goat.scoring.ladder import ladder
from scoring_service.db import Session
from scoring_service.events.repository import challenge_by_id
from scoring_service.leaderboard import repository
from scoring_service.models import Challenge, Standing


class Wanted(NamedTuple):
    """What a standing's columns shall be."""

    submission_id: str
    score: float
    submitted_at: datetime
    entries: int
    metrics: dict[str, float]


def higher_is_better(challenge: Challenge) -> bool:
    """Direction of a challenge's score."""
    kind = get_kind(challenge.kind)
    return kind.higher_is_better(parse_config(kind, challenge.spec["config"]))


def recompute(
    session: Session, team_id: str, challenge_id: str, now: datetime, *, since: datetime | None = None
) -> bool:
    """Bring the shown scores and the standing of a team up to date; True if the board changed.

    ``since``: when the submission whose result changed was submitted; what was shown for earlier ones
    stays. While a board is frozen, submissions from after the freeze do not move it; their own team
    sees their scores all the same.
    """
    challenge, _ = challenge_by_id(session, challenge_id)
    start = None if since is None else repository.shown_before(session, team_id, challenge_id, since)
    results = repository.public_results(session, team_id, challenge_id, since)
    shown = ladder(
        [*([] if start is None else [start]), *(result.value for result in results)],
        challenge.spec["ladder_step"],
        higher_is_better=higher_is_better(challenge),
    )[0 if start is None else 1 :]
    previous = start
    for result, score in zip(results, shown, strict=True):
        improved = score != previous
        previous = score
        if (result.shown_score, result.improved) != (score, improved):
            repository.set_shown(
                session, result.submission_id, shown_score=score, improved=improved, changed_at=now
            )
    wanted: Wanted | None = None
    if not repository.team(session, team_id).banned:
        freeze = challenge.frozen_at if challenge.revealed_at is None else None
        best = repository.best_shown(session, team_id, challenge_id, freeze)
        if best is not None:
            names = get_kind(challenge.kind).board_metrics
            metrics = repository.current_metrics(session, [best[0]], names, "public")
            wanted = Wanted(*best, metrics.get(best[0], {}))
    return _store(session, team_id, challenge_id, wanted)


def _store(session: Session, team_id: str, challenge_id: str, wanted: Wanted | None) -> bool:
    standing = repository.get_standing(session, challenge_id, team_id)
    if wanted is None:
        if standing is None:
            return False
        repository.delete_standing(session, challenge_id, team_id)
        session.expunge(standing)
    else:
        if standing is None:
            standing = Standing(challenge_id=challenge_id, team_id=team_id)
            session.add(standing)
        elif all(getattr(standing, name) == value for name, value in wanted._asdict().items()):
            return False
        for name, value in wanted._asdict().items():
            setattr(standing, name, value)
    session.flush()
    repository.bump_board(session, challenge_id)
    return True


def recompute_team(session: Session, team_id: str, now: datetime) -> None:
    """All boards of one team, e.g. after a ban."""
    for team, challenge in repository.teams_and_challenges(session, team_id=team_id):
        recompute(session, team, challenge, now)


def recompute_challenge(session: Session, challenge_id: str, now: datetime) -> None:
    """All teams of one board, e.g. after a freeze or a reveal. Bumps the version in any case: what the
    board says of itself (frozen, revealed) has changed."""
    for team, challenge in repository.teams_and_challenges(session, challenge_id=challenge_id):
        recompute(session, team, challenge, now)
    repository.bump_board(session, challenge_id)
