"""What a submission came to: a record that can also be used like a dict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

import msgspec

from goat.errors import GoatError, NoResult, Problem, Rejection
from goat.records import FINAL_STATES, Mode, State, Submission
from goat.text import amount, facts, metric_label, number, plain


class Fields(Mapping[str, Any]):
    """A dataclass whose fields can be read as ``record["score"]`` too."""

    def __getitem__(self, key: str) -> Any:
        if key not in self._names():
            raise KeyError(key)
        return getattr(self, key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON-able values: times become ISO 8601 strings."""
        plain_values: dict[str, Any] = msgspec.to_builtins({name: self[name] for name in self})
        return plain_values

    def _names(self) -> tuple[str, ...]:
        return tuple(item.name for item in fields(self) if item.repr)  # type: ignore[arg-type]  # a dataclass


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Result(Fields):
    """A submission and what it came to so far.

    ``score`` is in the challenge's ``unit``: in ``test`` mode the exact score on the sample split, in
    ``ranked`` mode the team's public score after this submission, which moves only when a submission
    beats the team's best by the challenge's ladder step (``improved``). None until it is scored.
    """

    score: float | None
    submission_id: str
    submitted_at: datetime
    state: State
    mode: Mode
    challenge: str
    team_name: str
    unit: str = ""
    rank: int | None = None
    """The team's place on the public board when the score came."""
    improved: bool | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    queue_position: int | None = None
    finished_at: datetime | None = None
    error_code: str | None = None
    error: str | None = None
    submission: Submission = field(repr=False)
    """The whole record."""

    @classmethod
    def of(cls, submission: Submission, *, unit: str = "", rank: int | None = None) -> Result:
        names = {item.name for item in fields(cls)} & set(submission.__slots__)
        taken = {name: getattr(submission, name) for name in names}
        return cls(**taken, submission_id=submission.id, submission=submission, unit=unit, rank=rank)

    @property
    def pending(self) -> bool:
        """True while it waits or is being scored."""
        return self.state not in FINAL_STATES

    def raise_without_score(self) -> Result:
        """Itself if it is pending or scored.

        Raises `goat.errors.Rejection` with every problem, or `goat.errors.NoResult`.
        """
        if self.pending or self.state == "EVALUATED":
            return self
        raise verdict(self.submission)

    def sentence(self) -> str:
        """The state in one line for people."""
        if self.state == "EVALUATED":
            place = f", rank {self.rank} on the board" if self.rank else ""
            kept = " (your best stays: this one did not beat it)" if self.improved is False else ""
            what = "test score" if self.mode == "test" else "public score"
            return f"{what} {number(self.score, self.unit)}{place}{kept}"
        if self.state == "QUEUED":
            return "queued" + (f", {_place(self.queue_position)} in line" if self.queue_position else "")
        if self.state == "RUNNING":
            return "being scored"
        return plain(verdict(self.submission))

    def __repr__(self) -> str:
        return f"<Result {plain(self.submission_id)} of {plain(self.challenge)}: {self.sentence()}>"

    def _repr_html_(self) -> str:
        shown: list[tuple[str, object]] = [
            ("score", number(self.score, self.unit)),
            ("rank", self.rank),
            ("state", self.state),
            ("challenge", f"{self.challenge} ({self.mode})"),
            ("team", self.team_name),
            ("submitted", f"{self.submitted_at:%Y-%m-%d %H:%M:%S} UTC"),
            ("submission", self.submission_id),
            *(
                (metric_label(name), amount(name, value))
                for name, value in self.metrics.items()
                if name != "score"
            ),
            ("problem", self.error),
        ]
        return facts(shown)


def verdict(submission: Submission) -> GoatError:
    """The error that a submission without a score ended with."""
    if submission.state == "REJECTED":
        problems = [
            Problem(str(item.get("code", "rejected")), str(item.get("message", "")), item.get("file"))
            for item in submission.problems
        ]
        said = submission.error or "The submission was rejected."
        error: GoatError = Rejection(problems or [Problem(submission.error_code or "rejected", said)])
    elif submission.state == "FAILED":
        error = NoResult(
            f"Scoring submission {submission.id} failed on the service's side"
            f"{f' ({submission.error})' if submission.error else ''}. It costs you nothing: submit again.",
            state=submission.state,
        )
    else:
        error = NoResult(f"Submission {submission.id} was cancelled.", state=submission.state)
    error.facts["submission_id"] = submission.id
    return error


def _place(position: int) -> str:
    suffix = "th" if position % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(position % 10, "th")
    return f"{position}{suffix}"
