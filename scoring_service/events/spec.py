"""The event file: its typed form, its reading and its complete check.

One YAML file describes an event. `load` reads it, `check` lists every fault at once, so that an
organiser corrects a file in one go; nothing is applied unless all of it is sound.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yaml

from goat.errors import Invalid
from goat.kinds.base import DEFAULT_LANE, get_kind, parse_config

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
RESERVED_CHALLENGES = frozenset({"combined", "queue"})
"""Ids that name routes of their own (``/leaderboard/combined``, ``/submit/queue/status``)."""
MAX_TITLE = 255
MAX_GAP_S = 86400
"""Limits look back a day."""


class LimitsSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limits per team; ``null`` means none. Test submissions have their own."""

    per_day: int | None = 100
    per_hour: int | None = 30
    total: int | None = None
    at_once: int | None = 3
    min_gap_s: float = 0.0
    rejections_per_hour: int | None = 30
    test_per_hour: int | None = 60


class ChallengeSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    id: str
    title: str
    kind: str
    config: dict[str, Any]
    description: str = ""
    data: str | None = None
    generator: str | None = None
    opens: str | None = None
    deadline: str | None = None
    grace_s: float = 600.0
    freeze: str | None = None
    lane: str | None = None
    max_bytes: int = 200_000_000
    limits: LimitsSpec = LimitsSpec()
    ladder_step: float = 0.0
    finals: int = 2


class CombinedPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One part of the combined board: a challenge's score or a number entered by hand, mapped
    linearly so that ``from`` gives 0 and ``to`` gives 1, clamped between."""

    weight: float
    low: float = msgspec.field(name="from")
    high: float = msgspec.field(name="to")
    challenge: str | None = None
    manual: str | None = None


class EventSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    event: str
    title: str
    timezone: str = "UTC"
    sandbox: bool = False
    board_visibility: Literal["public", "teams"] = "public"
    ties: Literal["shared", "earliest"] = "shared"
    challenges: list[ChallengeSpec]
    combined: list[CombinedPart] = []


class _Loader(yaml.SafeLoader):
    """SafeLoader that leaves times as text: we read them ourselves, in the event's time zone."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(path: Path) -> EventSpec:
    """Read and check an event file. Raises `goat.errors.Invalid` with every fault found."""
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  # it is a SafeLoader
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"cannot read the event file {path}: {error}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise Invalid(f"{path} is not valid YAML: {error}") from error
    try:
        spec = msgspec.convert(raw, EventSpec)
    except msgspec.ValidationError as error:
        raise Invalid(f"{path}: {error}") from error
    faults = check(spec)
    if faults:
        raise Invalid(f"{path}: " + "; ".join(faults), faults=faults)
    return spec


def check(spec: EventSpec) -> list[str]:
    """Every fault of an event beyond the types of its fields, as sentences."""
    faults: list[str] = []
    if not SLUG.fullmatch(spec.event):
        faults.append(f"event: {spec.event!r} must be lower-case letters, digits and dashes")
    if len(spec.title) > MAX_TITLE:
        faults.append(f"title: it has at most {MAX_TITLE} characters")
    try:
        ZoneInfo(spec.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones such as Europe
        faults.append(f"timezone: {spec.timezone!r} is not a known time zone such as Europe/Luxembourg")
        return faults
    ids = [challenge.id for challenge in spec.challenges]
    faults += [f"challenges: {name!r} stands twice" for name in sorted({n for n in ids if ids.count(n) > 1})]
    for challenge in spec.challenges:
        faults += [
            f"challenge {challenge.id}: {fault}" for fault in _challenge_faults(challenge, spec.timezone)
        ]
    for part in spec.combined:
        faults += [f"combined: {fault}" for fault in _combined_faults(part, set(ids))]
    return faults


def _challenge_faults(challenge: ChallengeSpec, timezone: str) -> list[str]:
    faults: list[str] = []
    if not SLUG.fullmatch(challenge.id) or challenge.id in RESERVED_CHALLENGES:
        faults.append("the id must be lower-case letters, digits and dashes, and not a reserved word")
    if (challenge.data is None) == (challenge.generator is None):
        faults.append("give either data (a folder) or generator (module:function)")
    faults += _number_faults(challenge)
    if len(challenge.title) > MAX_TITLE:
        faults.append(f"the title has at most {MAX_TITLE} characters")
    if challenge.lane is not None and not SLUG.fullmatch(challenge.lane):
        faults.append(f"lane: {challenge.lane!r} is none; the service's workers take short and long")
    try:
        opens, deadline = start_of(challenge.opens, timezone), end_of(challenge.deadline, timezone)
        start_of(challenge.freeze, timezone)
        if opens and deadline and opens >= deadline:
            faults.append("opens must lie before deadline")
        if deadline and 0 <= challenge.grace_s < math.inf:
            deadline + timedelta(seconds=challenge.grace_s)  # beyond the year 9999 no submission ends
    except (ValueError, OverflowError) as error:
        faults.append(f"opens, deadline and freeze are ISO dates or times such as 2027-05-01T18:00: {error}")
    try:
        kind = get_kind(challenge.kind)
        config = parse_config(kind, challenge.config)
        faults += kind.validate(config) or _lane_faults(challenge, kind.lane(config))
    except Invalid as error:
        faults.append(str(error))
    return faults


def _lane_faults(challenge: ChallengeSpec, own: str) -> list[str]:
    if challenge.lane in (None, own) or own == DEFAULT_LANE:
        return []
    return [f"lane: its jobs need the workers of the lane {own}, which have what models need; leave lane out"]


def _number_faults(challenge: ChallengeSpec) -> list[str]:
    faults: list[str] = []
    if challenge.max_bytes <= 0 or challenge.finals < 1:
        faults.append("max_bytes and finals must be positive")
    # Written so that NaN fails, too.
    if not (0 <= challenge.grace_s < math.inf and 0 <= challenge.ladder_step < math.inf):
        faults.append("grace_s and ladder_step are numbers, not negative")
    limits = challenge.limits
    counts = (limits.per_day, limits.per_hour, limits.total, limits.rejections_per_hour, limits.test_per_hour)
    if any(count is not None and count < 0 for count in counts):
        faults.append("limits are not negative; null means none, 0 closes")
    if limits.at_once is not None and limits.at_once < 1:
        faults.append("limits.at_once is positive or null")
    if not 0 <= limits.min_gap_s <= MAX_GAP_S:
        faults.append(f"limits.min_gap_s is between 0 and {MAX_GAP_S}")
    return faults


def _combined_faults(part: CombinedPart, challenges: set[str]) -> list[str]:
    faults = []
    if (part.challenge is None) == (part.manual is None):
        faults.append("each part names either a challenge or a manual score")
    if part.challenge is not None and part.challenge not in challenges:
        faults.append(f"unknown challenge {part.challenge!r}")
    if not (0 < part.weight < math.inf and math.isfinite(part.low) and math.isfinite(part.high)):
        faults.append("weight must be a positive number, from and to numbers")
    elif part.low == part.high:
        faults.append("from and to must differ")
    return faults


def start_of(moment: str | None, timezone: str) -> datetime | None:
    """A moment in UTC; a bare date means the start of that day in the event's time zone.

    Raises ``ValueError`` for text that is not an ISO date or time.
    """
    return _resolve(moment, timezone, days=0)


def end_of(moment: str | None, timezone: str) -> datetime | None:
    """As `start_of`, but a bare date means the end of that day."""
    return _resolve(moment, timezone, days=1)


def _resolve(moment: str | None, timezone: str, *, days: int) -> datetime | None:
    if moment is None:
        return None
    try:
        when = datetime.combine(date.fromisoformat(moment) + timedelta(days=days), time.min)
    except ValueError:
        when = datetime.fromisoformat(moment)
    if when.tzinfo is None:
        when = when.replace(tzinfo=ZoneInfo(timezone))
    return when.astimezone(UTC)
