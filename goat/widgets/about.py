"""What the panel says about a challenge: countdown, verdicts. Pure text and HTML.

Times are the service's: how long is left is counted from its clock by a clock that nobody can set, so
a machine whose date is wrong by a day shows the right countdown.
"""

from __future__ import annotations

from dataclasses import dataclass

from goat.errors import SHOWN_PROBLEMS, GoatError, Rejection
from goat.records import Challenge
from goat.text import duration, markup, plain
from goat.widgets.markdown import render


@dataclass(frozen=True, slots=True)
class Countdown:
    """A challenge's opening and deadline, as seconds on the monotonic clock of this process."""

    opens: float | None
    closes: float | None
    closed_text: str

    @classmethod
    def of(cls, about: Challenge, monotonic: float) -> Countdown:
        def moment(what: object) -> float | None:
            return None if what is None else monotonic + (what - about.server_time).total_seconds()  # type: ignore[operator]

        deadline = f"{about.deadline:%d %b %Y, %H:%M} UTC" if about.deadline else ""
        return cls(moment(about.opens_at), moment(about.deadline), deadline)

    def sentence(self, now: float) -> str:
        """What is said at ``now`` on the same clock. Changes every second in the last ten minutes only."""
        if self.opens is not None and now < self.opens:
            return f"opens in {left(self.opens - now)}"
        if self.closes is None:
            return "no deadline"
        if now >= self.closes:
            return f"closed since {self.closed_text}"
        return f"{left(self.closes - now)} left (until {self.closed_text})"


def left(seconds: float) -> str:
    """Seconds until something; whole minutes where it is more than ten."""
    if seconds > 600:
        seconds -= seconds % 60
    return duration(seconds)


def verdict_html(error: BaseException) -> str:
    """An error as a box that says what to change; every problem of a rejection."""
    if isinstance(error, Rejection):
        count = len(error.problems)
        head = "One thing to change" if count == 1 else f"{count} things to change"
        items = "".join(
            f"<li>{markup(problem.message)} <code>{markup(problem.code, 60)}</code></li>"
            for problem in error.problems[:SHOWN_PROBLEMS]
        )
        more = f"<div>… and {count - SHOWN_PROBLEMS} more.</div>" if count > SHOWN_PROBLEMS else ""
        return _box("goat-bad-box", f"<b>{head}</b><ul>{items}</ul>{more}")
    if isinstance(error, GoatError):
        return _box("goat-bad-box", markup(error))
    said = f"{type(error).__name__}: {plain(error, 300)}"
    return _box("goat-bad-box", f"That did not work on this machine ({markup(said)}).")


def verdict_text(error: BaseException) -> str:
    """The same to be read aloud."""
    if isinstance(error, Rejection):
        listed = " ".join(plain(problem.message) for problem in error.problems[:SHOWN_PROBLEMS])
        return f"{len(error.problems)} to change. {listed}"
    return plain(error) if isinstance(error, GoatError) else f"That did not work: {plain(error, 300)}"


def good_html(sentence: str, numbers: str = "") -> str:
    """A result, and below it the numbers that it was made of."""
    more = f"<div class='goat-numbers'>{markup(numbers)}</div>" if numbers else ""
    return _box("goat-good-box", markup(sentence) + more)


def _box(name: str, content: str) -> str:
    return f"<div class='goat-box {name}'>{content}</div>"


def shown_of(about: Challenge) -> tuple[object, ...]:
    """What the head of the panel says; the rest is written anew each time."""
    return (about.id, about.event, about.title, about.description, about.data)


def task_html(about: Challenge) -> str:
    """The description, folded away."""
    if not about.description:
        return ""
    content = f"<summary>What to do</summary><div>{render(about.description)}</div>"
    return f"<details class='goat-task'>{content}</details>"
