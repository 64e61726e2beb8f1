"""Afterwards: compares what clients were promised with rows, files, results, quota and board.

Knows the tables by name and the rules by heart; uses no code of the service but its file names, so
that a fault there is not repeated here.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from tests.soak.clients import Acknowledged
from tests.soak.plan import LADDER_STEP

FINAL = {"EVALUATED", "REJECTED", "FAILED", "CANCELLED"}
TOLERANCE = 1e-3
"""dB: images are float32 plus a constant."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tables:
    """The rows that the checker needs."""

    submissions: Sequence[Row]
    evaluations: Sequence[Row]
    standings: Sequence[Row]
    outbox: Sequence[Row]

    @classmethod
    def read(cls, url: str) -> Tables:
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))

        def rows(query: str) -> Sequence[Row]:
            with engine.connect() as connection:
                return connection.execute(text(query)).mappings().all()

        found = cls(
            rows(
                "SELECT s.*, t.name AS team, c.slug AS challenge FROM submissions s"
                " JOIN teams t ON t.id = s.team_id JOIN challenges c ON c.id = s.challenge_id"
                " ORDER BY s.submitted_at, s.id"
            ),
            rows(
                "SELECT e.*, s.value AS score FROM evaluations e LEFT JOIN scores s"
                " ON s.evaluation_id = e.id AND s.metric = 'score'"
            ),
            rows(
                "SELECT x.*, t.name AS team, c.slug AS challenge FROM standings x"
                " JOIN teams t ON t.id = x.team_id JOIN challenges c ON c.id = x.challenge_id"
            ),
            rows("SELECT * FROM outbox"),
        )
        engine.dispose()
        return found


def settled(url: str) -> bool:
    """True when nothing waits or runs any more."""
    return all(row["state"] in FINAL for row in Tables.read(url).submissions)


def faults(
    tables: Tables, acknowledged: Sequence[Acknowledged], keys: set[str], store: Path
) -> Iterator[str]:
    """Every way in which the service broke its word; none if it kept it."""
    rows = {row["id"]: row for row in tables.submissions}
    runs: dict[str, list[Row]] = defaultdict(list)
    for evaluation in tables.evaluations:
        runs[evaluation["submission_id"]].append(evaluation)
    for promise in acknowledged:
        row = rows.get(promise.id)
        if row is None:
            yield f"LOST: {promise} has no row"
        else:
            yield from _broken(promise, row, runs[promise.id])
    yield from _twice(tables, keys)
    for row in tables.submissions:
        yield from _wrong_file(row, store)
    if tables.outbox:
        yield f"{len(tables.outbox)} submissions are still announced"


def _broken(promise: Acknowledged, row: Row, runs: Sequence[Row]) -> Iterator[str]:
    facts = (row["team"], row["challenge"], row["mode"], row["sha256"])
    if facts != (promise.team, promise.challenge, promise.mode, promise.sha256):
        yield f"{promise.id}: promised {promise}, stored {facts}"
    if row["state"] not in FINAL:
        yield f"LOST: {promise.id} is {row['state']} for ever"
    if row["state"] == "FAILED":
        if row["error_code"] != "evaluator_crashed" or row["attempt"] < 3:
            yield f"{promise.id}: FAILED as {row['error_code']} after {row['attempt']} attempts"
    elif row["state"] != promise.state:
        yield f"{promise.id}: {row['state']} ({row['error_code']}), expected {promise.state}"
    if row["state"] == "EVALUATED":
        if [(run["run_no"], bool(run["is_current"])) for run in runs] != [(1, True)]:
            yield f"TWICE: {promise.id} has the results {[dict(run) for run in runs]}"
        elif promise.score is None or abs(runs[0]["score"] - promise.score) > TOLERANCE:
            yield f"{promise.id}: scored {runs[0]['score']}, expected {promise.score}"
    elif runs:
        yield f"{promise.id}: {row['state']} with {len(runs)} results"


def _twice(tables: Tables, keys: set[str]) -> Iterator[str]:
    unknown = {row["idempotency_key"] for row in tables.submissions} - keys
    if unknown:
        yield f"rows that nobody sent: {sorted(unknown)}"
    content = Counter(
        (row["team"], row["challenge"], row["mode"], row["sha256"]) for row in tables.submissions
    )
    # What was refused or failed may be sent again as a new submission.
    again = Counter(
        (row["team"], row["challenge"], row["mode"], row["sha256"])
        for row in tables.submissions
        if row["state"] in ("REJECTED", "FAILED", "CANCELLED")
    )
    for same, count in content.items():
        if count - again[same] > 1:
            yield f"TWICE: {same} was accepted {count} times"


def _wrong_file(row: Row, store: Path) -> Iterator[str]:
    path = store / row["sha256"][:2] / row["sha256"]
    if not path.is_file():
        yield f"LOST: the file of {row['id']}"
    elif hashlib.sha256(path.read_bytes()).hexdigest() != row["sha256"]:
        yield f"the file of {row['id']} has other bytes"


def expected_board(tables: Tables, challenge: str) -> list[tuple[int, str, float, str, int]]:
    """The board by first principles: (rank, team, score, submission, entries) by score, then team."""
    scores = {
        run["submission_id"]: run["score"]
        for run in tables.evaluations
        if run["is_current"] and run["score"] is not None
    }
    best: dict[str, tuple[float, str]] = {}
    entries: Counter[str] = Counter()
    for row in tables.submissions:  # in order of submission
        if row["challenge"] != challenge or row["mode"] != "ranked" or row["id"] not in scores:
            continue
        score = scores[row["id"]]
        entries[row["team"]] += 1
        if row["team"] not in best or score - best[row["team"]][0] >= LADDER_STEP - 1e-9:
            best[row["team"]] = (score, row["id"])
    lines = sorted(((-score, team, id_) for team, (score, id_) in best.items()))
    return [
        (1 + sum(other[0] < line[0] for other in lines), line[1], -line[0], line[2], entries[line[1]])
        for line in lines
    ]


def counted(tables: Tables, team: str, challenge: str) -> int:
    """How many ranked submissions cost the team quota."""
    return sum(
        row["team"] == team
        and row["challenge"] == challenge
        and row["mode"] == "ranked"
        and row["state"] not in ("FAILED", "REJECTED")
        for row in tables.submissions
    )
