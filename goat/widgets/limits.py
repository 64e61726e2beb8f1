"""What is left of the team's limits: asked for when it may have changed, counted down in between.

Times are seconds on the monotonic clock, as in `goat.widgets.about`.
"""

from __future__ import annotations

import math

from goat.client import Client
from goat.errors import GoatError
from goat.records import LimitLeft, Mode, Submission
from goat.widgets.about import left

_WORDS = {
    "per_day": "today",
    "per_hour": "this hour",
    "total": "in all",
    "test_per_hour": "this hour",
    "at_once": "at once",
}
"""In the order in which they are said."""

_WHEN_FULL = {"rejections_per_hour": "rejected ones this hour", "min_gap_s": "right now"}
"""Said only when nothing is left of them."""

_PAUSE_S = 10.0
"""After an answer that did not come."""


class Limits:
    """The limits of one challenge in both modes.

    A result changes them, so each own submission that has another state makes them `due`; however many
    there are, whoever looks once a second asks once a second.
    """

    def __init__(self) -> None:
        self._known: dict[Mode, tuple[list[LimitLeft], float]] = {}
        self._states: dict[str, str] = {}
        self._stale: set[Mode] = set()
        self._failed = -math.inf

    def heard(self, item: Submission) -> None:
        """An own submission, as it is now. Its place in the queue changes no limit, its state does."""
        if self._states.get(item.id) != item.state:
            self._states[item.id] = item.state
            self._stale = {"test", "ranked"}

    def forget(self) -> None:
        """Another challenge is shown."""
        self._known = {}

    def due(self, mode: Mode, now: float) -> bool:
        """Whether to ask: something changed, or what was used up should be free again."""
        if now - self._failed < _PAUSE_S:
            return False
        if mode in self._stale or mode not in self._known:
            return True
        limits, asked = self._known[mode]
        return any(item.retry_after is not None and now - asked > item.retry_after for item in limits)

    def ask(self, client: Client, challenge: str, mode: Mode, now: float) -> None:
        """Raises GoatError; after that they are due again in a while."""
        self._stale = self._stale - {mode}  # before asking: what changes meanwhile is asked for once more
        try:
            self._known[mode] = (client.limits(challenge, mode), now)
        except GoatError:
            self._stale, self._failed = self._stale | {mode}, now
            raise

    def sentence(self, mode: Mode, now: float) -> str:
        """What is left, as far as it is known: the line is there from the start, so that nothing moves."""
        if mode not in self._known:
            return f"{_title(mode)} …"
        limits, asked = self._known[mode]
        return limits_sentence(limits, mode, now - asked)


def limits_sentence(limits: list[LimitLeft], mode: Mode = "ranked", age: float = 0.0) -> str:
    """What was left ``age`` seconds ago, and when there is more where nothing is."""
    known = {item.limit: item for item in limits}
    shown = [_phrase(known[name], words, age) for name, words in _WORDS.items() if name in known]
    full = {name: words for name, words in _WHEN_FULL.items() if name in known and known[name].left <= 0}
    shown += [_phrase(known[name], words, age) for name, words in full.items()]
    return f"{_title(mode)} {' · '.join(shown)}" if shown else ""


def _title(mode: Mode) -> str:
    return "test runs left:" if mode == "test" else "submissions left:"


def _phrase(item: LimitLeft, words: str, age: float) -> str:
    said = f"{item.left:g} of {item.allowed:g} {words}" if item.limit != "min_gap_s" else f"none {words}"
    if item.left > 0:
        return said
    if item.limit == "at_once":
        return f"{said} (more when one is scored)"
    return said if item.retry_after is None else f"{said} (more in {left(max(1, item.retry_after - age))})"
