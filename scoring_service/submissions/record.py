"""A submission's row as the record that its team sees: the only place that decides what is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from goat import records
from goat.kinds.base import get_kind
from scoring_service.db import Session
from scoring_service.models import Submission
from scoring_service.submissions import queue_repository as queue
from scoring_service.submissions import repository


def as_record(session: Session, row: repository.FullRow) -> records.Submission:
    """Turn a row into the team's view; a private score enters only after the reveal."""
    return as_records(session, [row])[0]


def as_records(session: Session, rows: Sequence[repository.FullRow]) -> list[records.Submission]:
    """As `as_record`, many at once: a handful of queries however many they are."""
    runs = repository.current_runs(session, [row[0].id for row in rows])
    scored = [row for row in rows if row[0].id in runs]
    revealed = [
        runs[row[0].id][0] for row in scored if row[0].mode == "ranked" and row[1].revealed_at is not None
    ]
    tests = [row for row in scored if row[0].mode == "test"]
    values = repository.metrics(session, [runs[row[0].id][0] for row in tests], "sample")
    metrics = {row[0].id: values.get(runs[row[0].id][0], {}) for row in tests}
    metrics |= _public_metrics(session, [row for row in scored if row[0].mode == "ranked"], runs)
    finals = repository.private_scores(session, revealed)
    places = _places(session, [row[0] for row in rows if row[0].state == "QUEUED"])
    return [_record(row, runs.get(row[0].id), metrics, finals, places) for row in rows]


def _public_metrics(
    session: Session, rows: Sequence[repository.FullRow], runs: Mapping[str, tuple[str, int]]
) -> dict[str, dict[str, float]]:
    """What a team may see of its ranked submissions' metrics, for kinds that show any.

    A metric that depends on the hidden truth would tell of it as the score does: it is shown of the
    submission whose score is shown, and so belongs to that score.
    """
    rows = [row for row in rows if get_kind(row[1].kind).board_metrics]
    source = {row[0].id: row[0].id for row in rows if row[0].improved}
    source |= repository.shown_instead(session, [row[0].id for row in rows if not row[0].improved])
    runs = {**runs, **repository.current_runs(session, sorted(set(source.values()) - set(runs)))}
    shown = {key: runs[other][0] for key, other in source.items() if other in runs}
    wanted = {*shown.values(), *(runs[row[0].id][0] for row in rows)}
    values = repository.metrics(session, sorted(wanted), "public")
    found = {}
    for row in rows:
        submission, open_metrics = row[0], get_kind(row[1].kind).open_metrics
        own, other = values.get(runs[submission.id][0], {}), values.get(shown.get(submission.id, ""), {})
        found[submission.id] = {name: value for name, value in other.items() if name not in open_metrics} | {
            name: value for name, value in own.items() if name in open_metrics
        }
        found[submission.id].pop("score", None)
    return found


def _places(session: Session, waiting: Sequence[Submission]) -> Mapping[str, int]:
    if len(waiting) == 1:
        return {waiting[0].id: queue.queue_position(session, waiting[0])}
    return queue.queue_positions(session) if waiting else {}


def _record(
    row: repository.FullRow,
    run: tuple[str, int] | None,
    metrics: Mapping[str, dict[str, float]],
    finals: Mapping[str, float],
    places: Mapping[str, int],
) -> records.Submission:
    submission, challenge, event, team, account = row
    evaluation, run_no = run or ("", 0)
    shown = metrics.get(submission.id, {})
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
        options=dict(submission.options),
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
