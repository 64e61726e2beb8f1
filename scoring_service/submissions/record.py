"""A submission's row as the record that its team sees: the only place that decides what is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from goat import records
from scoring_service.db import Session
from scoring_service.models import Submission
from scoring_service.submissions import repository


def as_record(session: Session, row: repository.FullRow) -> records.Submission:
    """Turn a row into the team's view; a private score enters only after the reveal."""
    return as_records(session, [row])[0]


def as_records(session: Session, rows: Sequence[repository.FullRow]) -> list[records.Submission]:
    """As `as_record`, many at once: a handful of queries however many they are."""
    runs = repository.current_runs(session, [row[0].id for row in rows])
    tests = [runs[row[0].id][0] for row in rows if row[0].id in runs and row[0].mode == "test"]
    revealed = [
        runs[row[0].id][0]
        for row in rows
        if row[0].id in runs and row[0].mode == "ranked" and row[1].revealed_at is not None
    ]
    metrics = repository.metrics(session, tests, "sample")
    finals = repository.private_scores(session, revealed)
    places = _places(session, [row[0] for row in rows if row[0].state == "QUEUED"])
    return [_record(row, runs.get(row[0].id), metrics, finals, places) for row in rows]


def _places(session: Session, waiting: Sequence[Submission]) -> Mapping[str, int]:
    if len(waiting) == 1:
        return {waiting[0].id: repository.queue_position(session, waiting[0])}
    return repository.queue_positions(session) if waiting else {}


def _record(
    row: repository.FullRow,
    run: tuple[str, int] | None,
    metrics: Mapping[str, dict[str, float]],
    finals: Mapping[str, float],
    places: Mapping[str, int],
) -> records.Submission:
    submission, challenge, event, team, account = row
    evaluation, run_no = run or ("", 0)
    shown = metrics.get(evaluation, {})
    score = shown.get("score") if submission.mode == "test" else submission.shown_score
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
        queue_position=places.get(submission.id),
        score=score if run is not None else None,
        improved=submission.improved,
        metrics=shown,
        selected=submission.selected,
        final_score=finals.get(evaluation),
        error_code=submission.error_code,
        error=submission.error,
        problems=list(submission.problems or []),
        run_no=run_no,
    )
