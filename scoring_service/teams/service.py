"""Rules about accounts and teams: names, passwords, membership, bans."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from goat import records
from goat.errors import Conflict, Invalid, NotAuthenticated, NotFound
from scoring_service import audit
from scoring_service.db import Database, IntegrityError, Session
from scoring_service.events.repository import event_by_slug
from scoring_service.leaderboard import standings
from scoring_service.leaderboard.repository import bump_board
from scoring_service.models import Account, Event, Membership, Team
from scoring_service.ports import Changes
from scoring_service.teams import repository
from scoring_service.teams.identity import Identity
from scoring_service.teams.passwords import (
    MAXIMUM_LENGTH,
    MINIMUM_LENGTH,
    hash_password,
    verify_password,
)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
NAME_RULE = "1 to 64 letters, digits, dots, dashes and underscores, the first a letter or digit"
WRONG_LOGIN = "Unknown name or wrong password."


@dataclass(frozen=True, slots=True)
class TeamService:
    db: Database
    changes: Changes
    default_event: str

    def authenticate(self, name: str, password: str) -> Identity:
        """Check a name and password. Raises `NotAuthenticated` with the same words for both faults."""
        with self.db.read() as session:
            account = repository.account_by_name(session, name)
        if not verify_password(password, account.password_hash if account else None) or account is None:
            raise NotAuthenticated(WRONG_LOGIN)
        return self.identify(account.id, account.token_version)

    def named(self, name: str) -> Identity | None:
        """The account of this name, whatever its case; None if there is none."""
        with self.db.read() as session:
            account = repository.account_by_name(session, name)
        return None if account is None else self.identify(account.id, account.token_version)

    def identify_by_name(self, name: str) -> Identity:
        """The account that the hub knows by this name. Raises `NotAuthenticated` if there is none."""
        identity = self.named(name)
        if identity is None:
            raise NotAuthenticated("The hub's login is not known here (any more). Ask the organiser.")
        return identity

    def identify(self, account_id: str, token_version: int) -> Identity:
        """The account behind a token. Raises `NotAuthenticated` if it is gone or its password changed."""
        with self.db.read() as session:
            account = repository.account(session, account_id)
            if account is None or account.token_version != token_version:
                raise NotAuthenticated("This login has ended. Log in again.")
            found = repository.membership(session, account.id, self.default_event)
            found = found or repository.membership(session, account.id, None)
        team, event = found if found else (None, None)
        return Identity(
            account_id=account.id,
            name=account.name,
            role=account.role,
            token_version=account.token_version,
            event=event.slug if event else None,
            team_id=team.id if team else None,
            team_name=team.name if team else None,
            banned=bool(team and team.banned),
        )

    def add_organiser(self, name: str, password: str) -> None:
        """Create an organiser's account. Raises `Conflict` if the name is taken."""
        check_name(name)
        hashed = hash_password(password)
        with one_of_a_name(name), self.db.write() as session:
            if repository.account_by_name(session, name):
                raise Conflict(f"The name {name} is taken.")
            session.add(
                Account(name=name, password_hash=hashed, role="organiser", created_at=self.db.clock.now())
            )
            audit.note(session, self.db.clock, "system", "organiser.add", name)

    def add(
        self, name: str, password: str, *, event: str | None = None, actor: str = "system"
    ) -> records.Team:
        """Create a team with a login of the same name in an event (default: the default event)."""
        check_name(name)
        hashed = hash_password(password)
        with one_of_a_name(name), self.db.write() as session:
            found = event_by_slug(session, event or self.default_event)
            if repository.account_by_name(session, name) or repository.team_by_name(session, found.id, name):
                raise Conflict(f"The name {name} is taken.", name=name)
            now = self.db.clock.now()
            account = Account(name=name, password_hash=hashed, role="participant", created_at=now)
            team = Team(event_id=found.id, name=name, created_at=now)
            session.add_all([account, team])
            session.flush()
            session.add(Membership(account_id=account.id, event_id=found.id, team_id=team.id))
            audit.note(session, self.db.clock, actor, "team.add", name)
            return _record(team, found.slug, members=1, submissions=0)

    def import_csv(self, text: str, *, event: str | None = None, actor: str = "system") -> list[records.Team]:
        """Create the teams of a CSV with lines ``name,password`` (a header line is allowed).

        All or nothing in its checks: raises `Invalid` with every faulty line. Teams that exist already
        with the same name are left as they are, so the same file may be imported again.
        """
        rows = _parse_csv(text)
        known = {team.name.lower() for team in self.list(event=event)}
        return [
            self.add(name, password, event=event, actor=actor)
            for name, password in rows
            if name.lower() not in known
        ]

    def list(self, *, event: str | None = None) -> list[records.Team]:
        with self.db.read() as session:
            found = event_by_slug(session, event or self.default_event)
            rows = repository.teams(session, found.id)
        return [_record(team, found.slug, members=m, submissions=s) for team, m, s in rows]

    def set_password(self, name: str, password: str, *, actor: str = "system") -> None:
        """Give an account a new password, which ends all its logins."""
        hashed = hash_password(password)
        with self.db.write() as session:
            account = repository.account_by_name(session, name)
            if account is None:
                raise NotFound(f"There is no account {name}.")
            account.password_hash = hashed
            account.token_version += 1
            audit.note(session, self.db.clock, actor, "account.password", account.name)

    def change_password(self, identity: Identity, old: str, new: str) -> None:
        """Change one's own password. Raises `NotAuthenticated` if the old one is wrong."""
        self.authenticate(identity.name, old)
        self.set_password(identity.name, new, actor=identity.name)

    def ban(self, name: str, banned: bool, *, event: str | None = None, actor: str = "system") -> None:
        """Bar a team from the event and its boards, or let it in again; nothing is deleted."""
        with self.db.write() as session:
            team = find_team(session, name, event or self.default_event)[0]
            repository.lock_team(session, team.id)
            team.banned = banned
            session.flush()
            standings.recompute_team(session, team.id, self.db.clock.now())
            audit.note(session, self.db.clock, actor, "team.ban" if banned else "team.unban", team.name)
        self.changes.announce()

    def delete(
        self, name: str, *, event: str | None = None, force: bool = False, actor: str = "system"
    ) -> None:
        """Delete a team and its login. One with submissions only with ``force``: they go with it."""
        with self.db.write() as session:
            team = find_team(session, name, event or self.default_event)[0]
            repository.lock_team(session, team.id)
            count = repository.submission_count(session, team.id)
            if count and not force:
                raise Conflict(
                    f"The team {name} has {count} submissions, which would be deleted with it. "
                    "Ban it instead, or ask again with force.",
                    submissions=count,
                )
            for challenge in repository.challenges_with_standing(session, team.id):
                bump_board(session, challenge.id)
            known_as = team.name
            repository.delete_team(session, team.id)
            audit.note(session, self.db.clock, actor, "team.delete", known_as, submissions=count)
        self.changes.announce()


def find_team(session: Session, name: str, event: str) -> tuple[Team, Event]:
    """A team of an event, whatever the name's case. Raises `NotFound`."""
    found = event_by_slug(session, event)
    team = repository.team_by_name(session, found.id, name)
    if team is None:
        raise NotFound(f"There is no team {name} in the event {found.slug}.")
    return team, found


def _record(team: Team, event: str, *, members: int, submissions: int) -> records.Team:
    return records.Team(
        id=team.id,
        name=team.name,
        event=event,
        members=members,
        submissions=submissions,
        banned=team.banned,
        created_at=team.created_at,
    )


@contextmanager
def one_of_a_name(name: str) -> Iterator[None]:
    """Of two who take a name at the same moment (PostgreSQL), the database lets one."""
    try:
        yield
    except IntegrityError as error:
        raise Conflict(f"The name {name} is taken.", name=name) from error


def check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise Invalid(f"A name has {NAME_RULE}.", field="name")


def _parse_csv(text: str) -> list[tuple[str, str]]:
    try:
        # newline="": line ends of any system, also inside quotes, are the reader's business.
        lines = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""))
        rows = [row for row in lines if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise Invalid(f"The CSV was not imported: it is not a CSV ({error}).") from error
    if rows and [cell.strip().lower() for cell in rows[0]] == ["name", "password"]:
        rows = rows[1:]
    faults, seen, parsed = [], set(), []
    for number, row in enumerate(rows, start=1):
        cells = [cell.strip() for cell in row]
        if len(cells) != 2:
            faults.append(f"line {number}: expected name,password")
        elif not NAME.fullmatch(cells[0]):
            faults.append(f"line {number}: a name has {NAME_RULE}")
        elif cells[0].lower() in seen:
            faults.append(f"line {number}: {cells[0]} stands twice")
        elif not MINIMUM_LENGTH <= len(cells[1]) <= MAXIMUM_LENGTH:
            faults.append(f"line {number}: a password has {MINIMUM_LENGTH} to {MAXIMUM_LENGTH} characters")
        else:
            seen.add(cells[0].lower())
            parsed.append((cells[0], cells[1]))
    if faults or not parsed:
        raise Invalid("The CSV was not imported: " + ("; ".join(faults) or "it has no lines."), faults=faults)
    return parsed
