"""Does a submission cost the same when 100 and when 100,000 are stored?

Two databases with the same 100 teams (so the same board), one with one scored submission each and one
with a thousand each, are used in turn: accept, claim, record, board, history, queue position. Reported
per step: the ratio of the times within a round. Files are not part of it: the content store costs the
same by construction.

    python -m benchmarks.scale [--stored 100000] [--rounds 40]
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert

from benchmarks.common import Report, interleave
from goat.kinds.base import Measure, Outcome
from scoring_service.events.repository import challenge as find_challenge
from scoring_service.migrations import migrate
from scoring_service.models import Account, Evaluation, Membership, Score, Submission, Team, new_id
from scoring_service.services import Services, build_services
from scoring_service.settings import Settings
from scoring_service.submissions.acceptance import UploadTicket
from scoring_service.submissions.lifecycle import Claim
from scoring_service.teams.identity import Identity
from tests.scoring_service.world import World

TEAMS = 100
FEW = 100
TARGET = 1.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stored", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        few = Stand(Path(folder) / "few", FEW)
        many = Stand(Path(folder) / "many", options.stored)
        report = Report("scale")
        report.facts = {"teams": TEAMS, "few": FEW, "many": options.stored}
        for step in ("accept", "claim", "record", "board", "history", "position"):
            seconds = interleave({"many": many.step(step), "few": few.step(step)}, rounds=options.rounds)
            report.ratio(
                f"{step}: {options.stored} stored / {FEW} stored", seconds, "many", "few", at_most=TARGET
            )
        report.finish()


class Stand:
    """A service with a number of stored, scored submissions."""

    def __init__(self, folder: Path, stored: int) -> None:
        folder.mkdir()
        settings = replace(Settings.from_env({"GOAT_HOME": str(folder / "home")}), free_space_floor=0)
        self.services: Services = build_services(settings)
        migrate(self.services.db)
        event = folder / "event"
        event.mkdir()
        World(self.services, event).apply(limits={"per_day": None, "per_hour": None, "at_once": None})
        self.number = 0
        self.accepted: list[str] = []
        self.claims: list[Claim] = []
        self._fill(stored)

    def _fill(self, stored: int) -> None:
        now = self.services.clock.now() - timedelta(days=30)
        with self.services.db.write() as session:
            self.challenge, event = find_challenge(session, "task1", "photographs")
            accounts = [
                {
                    "id": new_id(),
                    "name": f"team{n}",
                    "password_hash": "",
                    "role": "participant",
                    "created_at": now,
                }
                for n in range(TEAMS)
            ]
            teams = [
                {"id": new_id(), "event_id": event.id, "name": a["name"], "created_at": now} for a in accounts
            ]
            session.execute(insert(Account), accounts)
            session.execute(insert(Team), teams)
            session.execute(
                insert(Membership),
                [
                    {"account_id": a["id"], "event_id": event.id, "team_id": t["id"]}
                    for a, t in zip(accounts, teams, strict=True)
                ],
            )
            submissions = [
                self._row(n, teams[n % TEAMS]["id"], accounts[n % TEAMS]["id"], now) for n in range(stored)
            ]
            evaluations = [self._evaluation(row["id"], now) for row in submissions]
            scores = [
                {
                    "evaluation_id": e["id"],
                    "split": "public",
                    "metric": "score",
                    "value": 20 + n * 1e-5,
                    "low": 20 + n * 1e-5,
                    "high": 20 + n * 1e-5,
                }
                for n, e in enumerate(evaluations)
            ]
            session.execute(insert(Submission), submissions)
            session.execute(insert(Evaluation), evaluations)
            session.execute(insert(Score), scores)
        self.identity = Identity(
            account_id=str(accounts[0]["id"]),
            name="team0",
            role="participant",
            token_version=1,
            event="photographs",
            team_id=str(teams[0]["id"]),
            team_name="team0",
        )
        self.services.events.freeze("task1", None, actor="benchmark")  # recomputes all standings

    def _row(self, number: int, team: object, account: object, start: object) -> dict[str, object]:
        moment = start + timedelta(seconds=number)  # type: ignore[operator]
        return {
            "id": new_id(),
            "challenge_id": self.challenge.id,
            "team_id": team,
            "account_id": account,
            "mode": "ranked",
            "lane": "short",
            "state": "EVALUATED",
            "filename": "a.zip",
            "sha256": hashlib.sha256(str(number).encode()).hexdigest(),
            "size": 1,
            "idempotency_key": str(number),
            "opened_at": moment,
            "submitted_at": moment,
            "changed_at": moment,
            "started_at": moment,
            "finished_at": moment,
            "attempt": 1,
            "attempt_limit": 3,
            "problems": [],
            "reason": "first",
            "selected": False,
            "copied": False,
        }

    def _evaluation(self, submission: object, moment: object) -> dict[str, object]:
        return {
            "id": new_id(),
            "submission_id": submission,
            "run_no": 1,
            "attempt": 1,
            "reason": "first",
            "is_current": True,
            "scorer_digest": "",
            "data_version": "",
            "worker": "w",
            "sandbox": "none",
            "machine": {},
            "started_at": moment,
            "finished_at": moment,
        }

    def step(self, name: str) -> Callable[[], object]:
        if name in ("claim", "record"):  # work for the rounds to come
            for _ in range(200):
                self.accept()
        if name == "record":
            for submission in list(self.accepted):
                self.claim_one(submission)
        return getattr(self, name)  # type: ignore[no-any-return]

    def accept(self) -> None:
        self.number += 1
        ticket = UploadTicket(
            self.identity,
            str(self.identity.team_id),
            self.challenge.id,
            self.challenge.kind,
            "ranked",
            10,
            self.services.clock.now(),
            options={},
        )
        digest = hashlib.sha256(f"new {self.number}".encode()).hexdigest()
        path = self.services.store.path(digest)  # a submission is accepted only if its file is there
        path.parent.mkdir(exist_ok=True)
        path.touch()
        record, _ = self.services.acceptance.accept(ticket, sha256=digest, size=1, filename="a.zip")
        self.accepted.append(record.id)

    def claim_one(self, submission: str) -> None:
        claim = self.services.lifecycle.claim("w", submission)
        assert claim is not None
        self.accepted.remove(submission)
        self.claims.append(claim)

    def claim(self) -> None:
        self.claim_one(self.accepted[0])

    def record(self) -> None:
        claim = self.claims.pop()
        exact = Measure.exact(10.0)
        outcome = Outcome({"public": {"score": exact}, "private": {"score": exact}})
        assert self.services.lifecycle.record(claim, outcome, machine={}, sandbox="none")

    def board(self) -> None:
        assert self.services.leaderboard.board("task1", None).rows

    def history(self) -> None:
        self.services.submissions.history(self.identity, limit=20)

    def position(self) -> None:
        self.services.submissions.queue()


if __name__ == "__main__":
    main()
