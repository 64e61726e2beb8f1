"""Every error that the library raises and the service answers, in one tree.

    GoatError
    ├── RequestError             what was asked cannot be done, and why
    │   ├── NotAuthenticated     who are you?  (wrong password, expired token)
    │   ├── Forbidden            you may not do this
    │   ├── NotFound             no such challenge, submission, team, file
    │   ├── Invalid              a field is missing, unknown or out of its range
    │   ├── Conflict             it contradicts what is there (name taken, already final)
    │   ├── TooLarge             more bytes than the challenge takes
    │   ├── UploadIncomplete     the upload ended before it was whole
    │   ├── DeadlinePassed       the challenge is closed, or not open yet
    │   ├── LimitReached         a limit on submissions, logins or requests
    │   ├── StorageFull          the server's disk is full; nothing was accepted
    │   ├── Unavailable          the service cannot answer right now; the same request again will do
    │   └── HubSilent            the hub, which knows whose token it is, does not answer
    ├── Rejection                the submission itself is not acceptable: a verdict with all its problems
    └── LocalError               raised on the participant's machine only
        ├── ServiceUnreachable   no connection, or the connection broke
        ├── ScorerMismatch       this version of goat would not give the server's number
        ├── NotLoggedIn          no token, no saved login, no password
        ├── MissingPackage       an optional package is not installed, or two that exclude each other are
        ├── ResultPending        the result was not there within the time to wait
        └── NoResult             no verdict: cancelled, or the service failed (and charges nothing)

A core error knows no HTTP: each door maps the classes to its own codes in one place. An error
keeps its facts (``code``, ``facts``) and speaks one sentence that says what to change (``str``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

SHOWN_PROBLEMS = 50
"""Problems listed in a traceback; ``problems`` has them all."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a submission."""

    code: str
    """Typed code, e.g. ``wrong_shape``; the list is in docs/verdicts.md."""
    message: str
    """One sentence that is safe to show and says what to change."""
    file: str | None = None
    """The file it is about, if it is about one."""


class GoatError(Exception):
    """Root of the tree. ``code`` is stable and typed; ``str(error)`` is a sentence for a person."""

    code: ClassVar[str] = "error"

    def __init__(self, detail: str, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts
        """JSON-able facts for programs, e.g. ``{"limit": "per_hour", "retry_after": 341}``."""


class RequestError(GoatError):
    """What was asked cannot be done."""

    code = "request_error"


class NotAuthenticated(RequestError):
    code = "not_authenticated"


class Forbidden(RequestError):
    code = "forbidden"


class NotFound(RequestError):
    code = "not_found"


class Invalid(RequestError):
    code = "invalid"


class Conflict(RequestError):
    code = "conflict"


class TooLarge(RequestError):
    code = "too_large"


class UploadIncomplete(RequestError):
    code = "upload_incomplete"


class DeadlinePassed(RequestError):
    code = "deadline_passed"


class LimitReached(RequestError):
    """``facts``: ``limit`` (its name), ``allowed``, ``left``, ``retry_after`` (seconds, or None)."""

    code = "limit_reached"


class StorageFull(RequestError):
    code = "storage_full"


class Unavailable(RequestError):
    """``facts``: ``retry_after`` (seconds)."""

    code = "unavailable"


class HubSilent(RequestError):
    code = "hub_silent"


class Rejection(GoatError):
    """The verdict on a submission that cannot be scored, with every problem found at once."""

    code = "rejected"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        if not self.problems:
            raise ValueError("a rejection names at least one problem")
        first = self.problems[0]
        more = len(self.problems) - 1
        super().__init__(
            first.message + (f" (and {more} more problem{'s' if more > 1 else ''})" if more else ""),
            problems=[asdict(problem) for problem in self.problems],
        )
        if more:
            # Shown below the sentence wherever the error ends as a traceback, e.g. in a notebook.
            for problem in self.problems[:SHOWN_PROBLEMS]:
                self.add_note(f"- {problem.code}: {problem.message}")

    @property
    def verdict(self) -> str:
        """The code of the first problem: what the submission's ``error_code`` says."""
        return self.problems[0].code

    @classmethod
    def of(cls, code: str, message: str, file: str | None = None) -> Rejection:
        """A rejection with a single problem."""
        return cls([Problem(code, message, file)])

    def __reduce__(self) -> tuple[type[Rejection], tuple[tuple[Problem, ...]]]:
        # Exceptions pickle their args, which here are the sentence; the child process must hand
        # the problems over to the worker.
        return (type(self), (self.problems,))


class LocalError(GoatError):
    """Raised on the participant's machine only."""

    code = "local_error"


class ServiceUnreachable(LocalError):
    code = "service_unreachable"


class ScorerMismatch(LocalError):
    code = "scorer_mismatch"


class NotLoggedIn(LocalError):
    code = "not_logged_in"


class MissingPackage(LocalError):
    """``facts``: ``package``, what to install (or what is in the way)."""

    code = "missing_package"


class ResultPending(LocalError):
    code = "result_pending"


class NoResult(LocalError):
    code = "no_result"


def _leaves(cls: type[GoatError]) -> Iterable[type[GoatError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from _leaves(child)


def from_facts(code: str, detail: str, facts: Mapping[str, Any]) -> GoatError:
    """Rebuild the error that the service raised from what its reply says, so both sides share one tree."""
    if code == Rejection.code and facts.get("problems"):
        return Rejection(Problem(**problem) for problem in facts["problems"])
    by_code = {cls.code: cls for cls in _leaves(RequestError)}
    return by_code.get(code, RequestError)(detail, **facts)
