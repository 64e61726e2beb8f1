"""The tables. Alembic migrations follow this file; a test compares the two.

Rules that the database itself keeps: a name is unique, a person is once in an event, an idempotency
key counts once per team, exactly one evaluation of a submission is current, every score is a finite
number, and private scores live in a table of their own that no participant-facing query touches.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    literal,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from scoring_service.db import UtcTime

FINITE = "{column} > -1e308 AND {column} < 1e308"
"""True for finite numbers only: NaN and the infinities fail at least one side on both databases."""

EMPTY = text("'{}'")
"""What rows from before a JSON column have in it."""


def new_id() -> str:
    """An opaque, unguessable id that is safe as a file name (no case pairs, no leading dash)."""
    return secrets.token_hex(10)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcTime(),
        dict[str, Any]: JSON(),
        list[dict[str, Any]]: JSON(),
        str: String(255),
    }


class Account(Base):
    """A login. ``token_version`` grows when the password changes, which ends all older tokens."""

    __tablename__ = "accounts"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    role: Mapped[str]
    token_version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]


class Event(Base):
    __tablename__ = "events"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    slug: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    timezone: Mapped[str]
    spec: Mapped[dict[str, Any]]
    """The event file as applied, without the challenges' own entries."""
    board_version: Mapped[int] = mapped_column(default=0)
    """Grows when a number entered by hand changes; part of the combined board's version."""
    created_at: Mapped[datetime]


class Team(Base):
    __tablename__ = "teams"
    __table_args__ = (UniqueConstraint("event_id", "name"),)
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    event_id: Mapped[str] = mapped_column(ForeignKey("events.id"))
    name: Mapped[str]
    banned: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]


class Membership(Base):
    """An account belongs to one team of an event."""

    __tablename__ = "memberships"
    __table_args__ = (UniqueConstraint("account_id", "event_id"),)
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    event_id: Mapped[str] = mapped_column(ForeignKey("events.id"))
    team_id: Mapped[str] = mapped_column(ForeignKey("teams.id"), index=True)


class Challenge(Base):
    __tablename__ = "challenges"
    __table_args__ = (UniqueConstraint("event_id", "slug"),)
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    event_id: Mapped[str] = mapped_column(ForeignKey("events.id"))
    slug: Mapped[str]
    position: Mapped[int]
    kind: Mapped[str]
    title: Mapped[str]
    description: Mapped[str] = mapped_column(Text)
    spec: Mapped[dict[str, Any]]
    """The challenge's entry of the event file, times in UTC."""
    data_version: Mapped[str]
    published: Mapped[list[dict[str, Any]]]
    """Downloadable archives: name, sha256, size."""
    scorer_digest: Mapped[str]
    opens_at: Mapped[datetime | None]
    deadline: Mapped[datetime | None]
    frozen_at: Mapped[datetime | None]
    revealed_at: Mapped[datetime | None]
    board_version: Mapped[int] = mapped_column(default=0)
    """Grows in the same transaction as every change of a standing."""


class Submission(Base):
    __tablename__ = "submissions"
    __table_args__ = (
        UniqueConstraint("team_id", "idempotency_key"),
        Index("ix_submissions_team_challenge", "team_id", "challenge_id", "submitted_at"),
        Index("ix_submissions_same_bytes", "challenge_id", "sha256", "team_id"),
        # Only the few that still move are in these two, however many are stored.
        Index(
            "ix_submissions_waiting",
            "lane",
            "submitted_at",
            "id",
            sqlite_where=text("state = 'QUEUED'"),
            postgresql_where=text("state = 'QUEUED'"),
        ),
        Index(
            "ix_submissions_running",
            "lease_until",
            sqlite_where=text("state = 'RUNNING'"),
            postgresql_where=text("state = 'RUNNING'"),
        ),
        Index("ix_submissions_changed_at", "changed_at"),
        CheckConstraint(
            "state IN ('QUEUED','RUNNING','EVALUATED','REJECTED','FAILED','CANCELLED')", name="state"
        ),
        CheckConstraint("mode IN ('test','ranked')", name="mode"),
        CheckConstraint(FINITE.format(column="shown_score"), name="finite"),
    )
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    challenge_id: Mapped[str] = mapped_column(ForeignKey("challenges.id"))
    team_id: Mapped[str] = mapped_column(ForeignKey("teams.id"))
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    mode: Mapped[str]
    lane: Mapped[str]
    state: Mapped[str]
    filename: Mapped[str]
    sha256: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    options: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=EMPTY)
    """What its team chose beside the file, as the kind names it, e.g. ``{"batch_size": 8}``."""
    idempotency_key: Mapped[str]
    opened_at: Mapped[datetime]
    """When the upload was opened: the moment that counts for the deadline."""
    submitted_at: Mapped[datetime]
    """When it was accepted; the order of submissions."""
    changed_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    attempt: Mapped[int] = mapped_column(default=0)
    """Starts so far; raised before anything runs, so that a crash counts. Never set back: it fences."""
    attempt_limit: Mapped[int]
    """No start beyond this one; a rejudge moves it on."""
    worker: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    error_code: Mapped[str | None]
    error: Mapped[str | None] = mapped_column(Text)
    problems: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    reason: Mapped[str] = mapped_column(default="first")
    """Why its next evaluation runs: ``first`` or ``rejudge``."""
    selected: Mapped[bool] = mapped_column(default=False)
    shown_score: Mapped[float | None]
    """What the team may see (see goat.scoring.ladder); derived, checked by fsck."""
    improved: Mapped[bool | None]
    copied: Mapped[bool] = mapped_column(default=False)
    """Another team sent the same bytes before: for the organiser's eyes."""


IS_QUEUED = Submission.state == literal("QUEUED", literal_execute=True)
IS_RUNNING = Submission.state == literal("RUNNING", literal_execute=True)
"""Conditions written out in the SQL: a planner uses a partial index only when it sees its condition."""


class Evaluation(Base):
    """One scoring of a submission. Rows are only ever added; exactly one is current."""

    __tablename__ = "evaluations"
    __table_args__ = (
        UniqueConstraint("submission_id", "run_no"),
        Index(
            "uq_evaluations_current",
            "submission_id",
            unique=True,
            sqlite_where=text("is_current"),
            postgresql_where=text("is_current"),
        ),
    )
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id"))
    run_no: Mapped[int]
    attempt: Mapped[int]
    reason: Mapped[str]
    is_current: Mapped[bool]
    scorer_digest: Mapped[str]
    data_version: Mapped[str]
    worker: Mapped[str]
    sandbox: Mapped[str]
    machine: Mapped[dict[str, Any]]
    """What it ran on: processor and versions, and what the kind adds (provider, threads, batch size)."""
    samples: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=EMPTY)
    """Every single measurement behind a measured metric, by name, in order, e.g. seconds per call."""
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime]


class _ScoreColumns:
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    evaluation_id: Mapped[str] = mapped_column(ForeignKey("evaluations.id"))
    split: Mapped[str]
    metric: Mapped[str]
    value: Mapped[float]
    low: Mapped[float]
    high: Mapped[float]


_ALL_FINITE = " AND ".join(FINITE.format(column=column) for column in ("value", "low", "high"))


class Score(_ScoreColumns, Base):
    """Scores on the sample and public splits."""

    __tablename__ = "scores"
    __table_args__ = (
        UniqueConstraint("evaluation_id", "split", "metric"),
        CheckConstraint("split IN ('sample','public')", name="split"),
        CheckConstraint(_ALL_FINITE, name="finite"),
    )


class PrivateScore(_ScoreColumns, Base):
    """Scores on the private split; read only by organisers, and by all after the reveal."""

    __tablename__ = "private_scores"
    __table_args__ = (
        UniqueConstraint("evaluation_id", "split", "metric"),
        CheckConstraint("split = 'private'", name="split"),
        CheckConstraint(_ALL_FINITE, name="finite"),
    )


class Timing(Base):
    """Seconds of wall time that a stage of an evaluation took."""

    __tablename__ = "timings"
    __table_args__ = (UniqueConstraint("evaluation_id", "stage"),)
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    evaluation_id: Mapped[str] = mapped_column(ForeignKey("evaluations.id"))
    stage: Mapped[str]
    seconds: Mapped[float]


class Standing(Base):
    """A team's line on a challenge's board. Derived from current results in the same transaction
    that changes them, so that a board costs the same however many submissions are stored; fsck
    proves that it equals a recomputation."""

    __tablename__ = "standings"
    __table_args__ = (Index("ix_standings_board", "challenge_id", "score"),)
    challenge_id: Mapped[str] = mapped_column(ForeignKey("challenges.id"), primary_key=True)
    team_id: Mapped[str] = mapped_column(ForeignKey("teams.id"), primary_key=True)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id"))
    score: Mapped[float]
    submitted_at: Mapped[datetime]
    entries: Mapped[int]
    metrics: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=EMPTY)
    """The submission's public metrics that its kind shows on the board (``Kind.board_metrics``)."""


class ManualScore(Base):
    """A number entered by an organiser for the combined board, e.g. the talk."""

    __tablename__ = "manual_scores"
    __table_args__ = (
        UniqueConstraint("team_id", "name"),
        CheckConstraint(FINITE.format(column="value"), name="finite"),
    )
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    team_id: Mapped[str] = mapped_column(ForeignKey("teams.id"))
    name: Mapped[str]
    value: Mapped[float]


class Outbox(Base):
    """A submission whose queue message has not been sent for sure yet."""

    __tablename__ = "outbox"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id"), unique=True)
    lane: Mapped[str]
    announced_at: Mapped[datetime]


class Worker(Base):
    """A worker process and when it was last heard of."""

    __tablename__ = "workers"
    id: Mapped[str] = mapped_column(primary_key=True)
    lane: Mapped[str]
    host: Mapped[str]
    pid: Mapped[int]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class Slot(Base):
    """A time slot on a shared device, held by a submission (GPU qualification)."""

    __tablename__ = "slots"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    challenge_id: Mapped[str] = mapped_column(ForeignKey("challenges.id"))
    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id"))
    starts_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class AuditEntry(Base):
    """Who did what that changes other people's standing or access."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    facts: Mapped[dict[str, Any]]


class Announcement(Base):
    """A message from the organisers to all teams of an event."""

    __tablename__ = "announcements"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    event_id: Mapped[str] = mapped_column(ForeignKey("events.id"))
    at: Mapped[datetime]
    text: Mapped[str] = mapped_column(Text)
