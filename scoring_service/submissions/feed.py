"""What changed for teams since somebody last looked: the source of the live `submission` events."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from goat.records import Submission
from scoring_service.db import Database, Session
from scoring_service.submissions import queue_repository as queue
from scoring_service.submissions import repository
from scoring_service.submissions.record import as_records

OVERLAP = timedelta(seconds=5)
"""A change carries the time before its commit; looking back this far misses none that commits late."""
POSITIONS_EVERY = timedelta(seconds=1)


class Feed:
    """Remembers what it has told. One per process; not for several threads at once."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._told: dict[str, datetime] = {}
        self._teams: set[str] = set()
        self._waiting: dict[str, tuple[str, Submission]] = {}
        self._since = db.clock.now()
        self._positions_at = self._since

    def poll(self, teams: Collection[str]) -> dict[str, list[Submission]]:
        """Team id → its submissions that are new, moved on, or changed their place in the queue.

        A team that was not asked about before first gets all that it has waiting. Cost: what changed
        in the last seconds and what waits, however much is stored.
        """
        now = self._db.clock.now()
        found: dict[str, list[Submission]] = {}
        with self._db.read() as session:
            rows = list(repository.changed_since(session, self._since - OVERLAP, teams))
            rows += repository.waiting_of(session, set(teams) - self._teams)
            fresh = []
            for row in rows:
                submission = row[0]
                if submission.team_id in teams and self._told.get(submission.id) != submission.changed_at:
                    self._told[submission.id] = submission.changed_at
                    fresh.append(row)
            for row, record in zip(fresh, as_records(session, fresh), strict=True):
                found.setdefault(row[0].team_id, []).append(record)
                self._note(row[0].team_id, record)
            if now - self._positions_at >= POSITIONS_EVERY:
                self._positions_at = now
                for team_id, record in self._moved(session):
                    if team_id in teams:
                        found.setdefault(team_id, []).append(record)
        self._teams = set(teams)
        self._since = now
        self._forget(now - 2 * OVERLAP)
        return found

    def _note(self, team_id: str, record: Submission) -> None:
        if record.state == "QUEUED":
            self._waiting[record.id] = (team_id, record)
        else:
            self._waiting.pop(record.id, None)

    def _moved(self, session: Session) -> list[tuple[str, Submission]]:
        """Waiting submissions whose place in the queue is another one now."""
        if not self._waiting:
            return []
        places = queue.queue_positions(session)
        moved = []
        for submission_id, (team_id, record) in list(self._waiting.items()):
            place = places.get(submission_id)
            if place is None:
                del self._waiting[submission_id]
            elif place != record.queue_position:
                self._waiting[submission_id] = (team_id, replace(record, queue_position=place))
                moved.append(self._waiting[submission_id])
        return moved

    def _forget(self, before: datetime) -> None:
        self._told = {
            key: moment for key, moment in self._told.items() if moment >= before or key in self._waiting
        }
        self._waiting = {key: entry for key, entry in self._waiting.items() if entry[0] in self._teams}
