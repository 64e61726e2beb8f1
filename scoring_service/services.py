"""All services of the house, wired once: every process of ours builds this and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from scoring_service.clock import Clock
from scoring_service.db import Database
from scoring_service.events.service import EventService
from scoring_service.leaderboard.service import LeaderboardService
from scoring_service.ports import Changes, Doorbell, SilentChanges, SilentDoorbell
from scoring_service.settings import Settings
from scoring_service.store import Store
from scoring_service.submissions.acceptance import Acceptance
from scoring_service.submissions.lifecycle import Lifecycle
from scoring_service.submissions.service import SubmissionService
from scoring_service.teams.members import MemberService
from scoring_service.teams.service import TeamService


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    settings: Settings
    db: Database
    store: Store
    doorbell: Doorbell
    changes: Changes
    teams: TeamService
    members: MemberService
    events: EventService
    acceptance: Acceptance
    submissions: SubmissionService
    lifecycle: Lifecycle
    leaderboard: LeaderboardService

    @property
    def clock(self) -> Clock:
        return self.db.clock


def build_services(
    settings: Settings, *, doorbell: Doorbell | None = None, changes: Changes | None = None
) -> Services:
    """Wire the services on the settings' database and folders; silent ports unless real ones are given."""
    db = Database(settings.database_url, run_folder=settings.home / "run")
    store = Store(settings.store_folder, free_space_floor=settings.free_space_floor)
    doorbell = doorbell or SilentDoorbell()
    changes = changes or SilentChanges()
    event = settings.default_event
    return Services(
        settings=settings,
        db=db,
        store=store,
        doorbell=doorbell,
        changes=changes,
        teams=TeamService(db, changes, event),
        members=MemberService(db, event),
        events=EventService(db, store, changes, settings.data_folder, event),
        acceptance=Acceptance(db, store, doorbell, changes, event, settings.max_attempts),
        submissions=SubmissionService(db, doorbell, changes, event, settings.max_attempts),
        lifecycle=Lifecycle(db, doorbell, changes, settings.lease_seconds),
        leaderboard=LeaderboardService(db, changes, event),
    )
