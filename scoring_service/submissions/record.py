"""A submission's row as the record that its team sees: the only place that decides what is shown."""

from __future__ import annotations

from goat import records
from scoring_service.db import Session
from scoring_service.submissions import repository


def as_record(session: Session, row: repository.FullRow) -> records.Submission:
    """Turn a row into the team's view; a private score enters only after the reveal."""
    submission, challenge, event, team, account = row
    evaluation = repository.current_evaluation(session, submission.id)
    score = submission.shown_score
    metrics: dict[str, float] = {}
    if evaluation is not None and submission.mode == "test":
        metrics = repository.metrics(session, evaluation.id, "sample")
        score = metrics.get("score")
    final = None
    if evaluation is not None and challenge.revealed_at is not None and submission.mode == "ranked":
        final = repository.private_score(session, evaluation.id)
    return records.Submission(
        id=submission.id,
        event=event.slug,
        challenge=challenge.slug,
        team_name=team.name,
        account=account.name,
        mode=submission.mode,  # type: ignore[arg-type]  # the table's check constraint
        state=submission.state,  # type: ignore[arg-type]  # the table's check constraint
        filename=submission.filename,
        size=submission.size,
        sha256=submission.sha256,
        submitted_at=submission.submitted_at,
        started_at=submission.started_at,
        finished_at=submission.finished_at,
        attempt=submission.attempt,
        queue_position=repository.queue_position(session, submission),
        score=score if evaluation is not None else None,
        improved=submission.improved,
        metrics=metrics,
        selected=submission.selected,
        final_score=final,
        error_code=submission.error_code,
        error=submission.error,
        problems=list(submission.problems or []),
        run_no=evaluation.run_no if evaluation is not None else 0,
    )
