"""The rules that must hold between rows, files and boards, each checked on its own.

Standings are computed anew here, from current results and in another way than the service keeps
them, so that a fault in one is not repeated in the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from goat.kinds.base import HIDDEN_PARTS, PUBLISHED_PARTS, get_kind, parse_config
from goat.records import SPLITS_OF_MODE
from scoring_service.events.dataset import data_folder
from scoring_service.fsck.repository import Line, Snapshot, snapshot
from scoring_service.models import Challenge, Submission
from scoring_service.services import Services


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not agree."""

    subject: str
    """E.g. ``submission 0f3a…``."""
    message: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.message}"


@dataclass(frozen=True, slots=True)
class Report:
    submissions: int
    files: int
    findings: list[Finding]


def fsck(services: Services) -> Report:
    """Check everything; changes nothing."""
    with services.db.read() as session:
        state = snapshot(session)
    files = _files(state)
    findings = [
        *_check_files(services, files),
        *_check_data(services, state),
        *(finding for submission in state.submissions for finding in _check_submission(submission, state)),
        *_check_outbox(state),
        *_check_standings(state),
    ]
    return Report(len(state.submissions), len(files), findings)


def _files(state: Snapshot) -> dict[str, tuple[str, int]]:
    """Digest → who needs the file, and the size that it must have."""
    files = {s.sha256: (f"submission {s.id}", s.size) for s in state.submissions}
    for challenge, event in state.challenges.values():
        for entry in challenge.published:
            files[entry["sha256"]] = (f"{entry['name']} of {event.slug}:{challenge.slug}", entry["size"])
    return files


def _check_files(services: Services, files: dict[str, tuple[str, int]]) -> Iterator[Finding]:
    for digest, (subject, size) in files.items():
        path = services.store.path(digest)
        if not path.is_file():
            yield Finding(subject, f"its file is missing: {path}")
        elif path.stat().st_size != size:
            yield Finding(subject, f"its file has {path.stat().st_size} bytes, not {size}: {path}")
        elif not services.store.verify(digest):
            yield Finding(subject, f"the bytes of its file are not those that were sent: {path}")


def _check_data(services: Services, state: Snapshot) -> Iterator[Finding]:
    for challenge, event in state.challenges.values():
        root = services.settings.data_folder
        folder = data_folder(root, event.slug, challenge.slug, challenge.data_version)
        missing = [part for part in PUBLISHED_PARTS + HIDDEN_PARTS if not (folder / part).is_dir()]
        if missing:
            yield Finding(
                f"challenge {event.slug}:{challenge.slug}",
                f"{folder} lacks {', '.join(missing)}; apply it again",
            )


def _check_submission(submission: Submission, state: Snapshot) -> Iterator[Finding]:
    def fault(message: str) -> Finding:
        return Finding(f"submission {submission.id} ({submission.state})", message)

    runs = state.runs.get(submission.id, [])
    current = [run.run_no for run in runs if run.is_current]
    if [run.run_no for run in runs] != list(range(1, len(runs) + 1)):
        yield fault(f"its runs are numbered {[run.run_no for run in runs]}")
    if len(current) > 1:
        yield fault(f"{len(current)} of its results are current")
    if submission.state == "EVALUATED" and not current:
        yield fault("it has no current result")
    if submission.state in ("REJECTED", "FAILED", "CANCELLED") and current:
        yield fault("it has a current result")
    if current and current[0] != len(runs):
        yield fault(f"its current result is run {current[0]} of {len(runs)}")
    expected = set(SPLITS_OF_MODE["test" if submission.mode == "test" else "ranked"])
    if current and state.splits.get(submission.id, set()) != expected:
        yield fault(f"its current result has scores on {sorted(state.splits.get(submission.id, set()))}")
    if submission.state == "RUNNING" and (submission.lease_until is None or submission.worker is None):
        yield fault("it runs without a lease")
    if submission.state != "RUNNING" and submission.lease_until is not None:
        yield fault("it holds a lease although it does not run")
    if submission.attempt > submission.attempt_limit:
        yield fault(f"attempt {submission.attempt} of {submission.attempt_limit}")
    if submission.state in ("REJECTED", "FAILED") and not submission.error_code:
        yield fault("it does not say why")


def _check_outbox(state: Snapshot) -> Iterator[Finding]:
    waiting = {submission.id for submission in state.submissions if submission.state == "QUEUED"}
    for submission_id in sorted(waiting - state.announced):
        yield Finding(f"submission {submission_id}", "it waits, but nobody would ever announce it")
    for submission_id in sorted(state.announced - waiting):
        yield Finding(f"submission {submission_id}", "it is announced, but does not wait")


def _check_standings(state: Snapshot) -> Iterator[Finding]:
    by_line: dict[tuple[str, str], list[Submission]] = defaultdict(list)
    for submission in state.submissions:
        if submission.mode == "ranked" and submission.id in state.public:
            by_line[submission.challenge_id, submission.team_id].append(submission)
    for key in sorted(by_line.keys() | state.standings.keys()):
        challenge, event = state.challenges[key[0]]
        subject = f"team {key[1]} on {event.slug}:{challenge.slug}"
        best: float | None = None
        line: Line | None = None
        eligible = 0
        for submission in by_line.get(key, []):
            improved = _improves(challenge, state.public[submission.id], best)
            best = state.public[submission.id] if improved else best
            if (submission.shown_score, submission.improved) != (best, improved):
                said = f"{submission.shown_score} ({submission.improved})"
                yield Finding(f"submission {submission.id}", f"it shows {said}, not {best} ({improved})")
            if _counts(challenge, submission):
                eligible += 1
                if improved and best is not None:
                    shown = get_kind(challenge.kind).board_metrics
                    metrics = {n: v for n, v in state.metrics[submission.id].items() if n in shown}
                    line = Line(submission.id, best, submission.submitted_at, 0, metrics)
        if line is not None:
            line = replace(line, entries=eligible)
        wanted = None if key[1] in state.banned else line
        if state.standings.get(key) != wanted:
            yield Finding(subject, f"the board says {state.standings.get(key)}, its results say {wanted}")


def _improves(challenge: Challenge, value: float, best: float | None) -> bool:
    if best is None:
        return True
    kind = get_kind(challenge.kind)
    upward = kind.higher_is_better(parse_config(kind, challenge.spec["config"]))
    gain = value - best if upward else best - value
    return bool(gain > 0 and gain >= challenge.spec["ladder_step"] - 1e-9)


def _counts(challenge: Challenge, submission: Submission) -> bool:
    frozen = challenge.frozen_at is not None and challenge.revealed_at is None
    return not (frozen and challenge.frozen_at is not None and submission.submitted_at >= challenge.frozen_at)
