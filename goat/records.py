"""The shapes that travel between the library and the service: plain frozen dataclasses.

Both sides share them: the HTTP door documents and encodes them, the client decodes them. Times are
UTC, aware. A participant-facing record has no field for a private score before reveal: what has no
place cannot leak.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Mode = Literal["test", "ranked"]
"""``test`` scores the sample split (truth is public, not ranked); ``ranked`` the hidden splits."""

State = Literal["QUEUED", "RUNNING", "EVALUATED", "REJECTED", "FAILED", "CANCELLED"]
"""REJECTED is yours (a code and a sentence say what to change); FAILED is ours (and costs nothing)."""

FINAL_STATES: frozenset[str] = frozenset({"EVALUATED", "REJECTED", "FAILED", "CANCELLED"})

Split = Literal["sample", "public", "private"]

SPLITS_OF_MODE: dict[Mode, tuple[Split, ...]] = {"test": ("sample",), "ranked": ("public", "private")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    access_token: str
    token_type: str = "bearer"  # noqa: S105  # a scheme, not a secret
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who is asking: an account and, for a participant, its team in the event."""

    name: str
    role: Literal["participant", "organiser"]
    event: str | None
    team_name: str | None
    banned: bool = False
    """The team may look, and submit nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    id: str
    name: str
    event: str
    members: int
    submissions: int
    banned: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One downloadable archive of a challenge; ``sha256`` names and verifies it."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitLeft:
    """One limit in force for the team: ``left`` of ``allowed``, and when the next one is free."""

    limit: str
    allowed: float
    left: float
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    id: str
    event: str
    kind: str
    title: str
    description: str
    config: dict[str, Any]
    """The kind's settings as the event file declares them (shapes, formula, tolerances)."""
    opens_at: datetime | None
    deadline: datetime | None
    frozen: bool
    revealed: bool
    max_bytes: int
    limits: dict[str, float]
    ladder_step: float
    finals: int
    higher_is_better: bool
    unit: str
    data_version: str
    data: list[DataFile]
    scorer_digest: str
    """Digest of the scoring code and settings; a dry run refuses to pretend when it differs."""
    server_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One submission as its team sees it.

    ``score`` is what may be shown: in ``test`` mode the exact score on the sample split; in
    ``ranked`` mode the team's public score after this submission (it moves only when a submission
    beats the team's best by the challenge's ladder step, ``improved``). None until EVALUATED.
    """

    id: str
    event: str
    challenge: str
    team_name: str
    account: str
    mode: Mode
    state: State
    filename: str
    size: int
    sha256: str
    submitted_at: datetime
    options: dict[str, Any] = field(default_factory=dict)
    """What was chosen beside the file, e.g. ``{"batch_size": 8}``; empty where the kind has none."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempt: int = 0
    queue_position: int | None = None
    """1 for the next in line; None when it is no longer waiting."""
    score: float | None = None
    improved: bool | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    """Means over the split in ``test`` mode (e.g. psnr, ssim). In ``ranked`` mode what its kind makes
    public: what tells nothing of the hidden truth is this submission's own (e.g. size_mb, latency_ms), the
    rest (e.g. accuracy) belongs to the submission whose score ``score`` is."""
    selected: bool = False
    """Chosen by the team as one of its final submissions."""
    final_score: float | None = None
    """The private score, present only after the organiser's reveal."""
    error_code: str | None = None
    error: str | None = None
    problems: list[dict[str, Any]] = field(default_factory=list)
    run_no: int = 0
    """How many times it was scored; above 1 after a rejudge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRow:
    rank: int
    team_name: str
    score: float
    submission_id: str
    submitted_at: datetime
    entries: int
    """How many scored ranked submissions the team has."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Further numbers of that submission that its kind shows, e.g. accuracy, latency_ms, size_mb."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    event: str
    challenge: str
    split: Split
    version: int
    """Grows with every change of what this board shows; equal versions are equal boards."""
    frozen: bool
    higher_is_better: bool
    unit: str
    rows: list[BoardRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One queue. ``length`` submissions wait in it; ``challenges`` that are open put theirs there."""

    name: str
    length: int
    running: int
    workers_alive: int
    challenges: list[str] = field(default_factory=list)
    """As ``event:challenge``."""

    @property
    def unserved(self) -> bool:
        """Whether submissions wait, or would wait, for a worker that nobody has started."""
        return not self.workers_alive and bool(self.length or self.challenges)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus:
    length: int
    running: int
    workers_alive: int
    lanes: list[Lane]
