"""Rules about the people of a team: who is added, who is removed, with what password.

A team has a login of its own name, which its people may share. Beside it each person may have an account
of their own: it acts for the team, and what it submits is the team's, with the person's name beside it.
Removing a person bars just that person; `TeamService.ban` bars them all.
"""

from __future__ import annotations

from dataclasses import dataclass

from goat import records
from goat.errors import Conflict, NotFound
from scoring_service import audit
from scoring_service.db import Database, Session
from scoring_service.models import Account, Event, Membership, Team
from scoring_service.teams import repository
from scoring_service.teams.passwords import hash_password, new_password
from scoring_service.teams.service import check_name, find_team, one_of_a_name


@dataclass(frozen=True, slots=True)
class MemberService:
    db: Database
    default_event: str

    def list(self, team: str, *, event: str | None = None) -> list[records.Member]:
        """The accounts of a team. Raises `NotFound`."""
        with self.db.read() as session:
            found, its_event = find_team(session, team, event or self.default_event)
            rows = repository.members(session, found.id)
        return [_record(account, found, its_event, sent) for account, sent in rows]

    def add(
        self,
        team: str,
        name: str,
        password: str | None = None,
        *,
        event: str | None = None,
        actor: str = "system",
    ) -> records.Member:
        """Let a person act for a team, with an account of its own.

        Without ``password`` one is generated and is in the record, this once. Somebody who was removed
        comes back with a new password; one who is in another event's team keeps its own (the record has
        none). Raises `Conflict` for who is in a team of this event already, for organisers and for names
        of teams, `NotFound` without such a team, `Invalid` for a name or password that cannot be.
        """
        check_name(name)
        chosen = new_password() if password is None else password
        hashed = hash_password(chosen)
        with one_of_a_name(name), self.db.write() as session:
            found, its_event = find_team(session, team, event or self.default_event)
            if repository.lock_team(session, found.id) is None:
                raise NotFound(f"There is no team {team} in the event {its_event.slug} any more.")
            account = repository.account_by_name(session, name)
            keeps = account is not None and self._require_free(session, account, its_event)
            if keeps and password is not None:
                raise Conflict(
                    f"{name} is in another event and has a password already. Add it without a password."
                )
            if account is None:
                if repository.is_a_teams_name(session, name):
                    raise Conflict(f"{name} is the name of a team.", name=name)
                now = self.db.clock.now()
                account = Account(name=name, password_hash=hashed, role="participant", created_at=now)
                session.add(account)
                session.flush()
            elif not keeps:
                account.password_hash = hashed
                account.token_version += 1
            session.add(Membership(account_id=account.id, event_id=its_event.id, team_id=found.id))
            audit.note(session, self.db.clock, actor, "member.add", account.name, team=found.name)
            shown = None if keeps or password is not None else chosen
            return _record(account, found, its_event, 0, shown)

    def remove(self, team: str, name: str, *, event: str | None = None, actor: str = "system") -> None:
        """End a person's membership and all its logins; what it submitted stays the team's.

        Raises `NotFound` when it is not in the team, `Conflict` for the team's own login.
        """
        with self.db.write() as session:
            found = find_team(session, team, event or self.default_event)[0]
            if name.lower() == found.name.lower():
                raise Conflict(
                    f"{found.name} is the team's own login. Ban or delete the team, "
                    "or give that login a new password."
                )
            account = repository.account_by_name(session, name)
            places = repository.places(session, account.id) if account else ()
            membership = next((place for place, its_team in places if its_team.id == found.id), None)
            if account is None or membership is None:
                raise NotFound(f"{name} is not in the team {found.name}.")
            session.delete(membership)
            # The account stays: submissions name it, and its name must not become somebody else's.
            account.token_version += 1
            audit.note(session, self.db.clock, actor, "member.remove", account.name, team=found.name)

    def _require_free(self, session: Session, account: Account, event: Event) -> bool:
        """Whether a known account is in another event's team. Raises `Conflict` if it cannot join."""
        if account.role == "organiser":
            raise Conflict(f"{account.name} is an organiser, and organisers are in no team.")
        if repository.is_a_teams_name(session, account.name):
            raise Conflict(f"{account.name} is the login of a team.", name=account.name)
        places = repository.places(session, account.id)
        for membership, team in places:
            if membership.event_id == event.id:
                raise Conflict(f"{account.name} is in the team {team.name} already.", team=team.name)
        return bool(places)


def _record(
    account: Account, team: Team, event: Event, submissions: int, password: str | None = None
) -> records.Member:
    return records.Member(
        name=account.name,
        team_name=team.name,
        event=event.slug,
        shared=account.name.lower() == team.name.lower(),
        submissions=submissions,
        password=password,
    )
