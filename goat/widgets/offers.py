"""Which challenges and boards there are for whoever asks: looked up at each connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from goat.client import Client
from goat.errors import NotAuthenticated, NotFound, NotLoggedIn
from goat.records import Challenge, Split
from goat.surface import plane_of
from goat.text import plain
from goat.widgets.rows import TIME
from goat.widgets.stream import COMBINED

DISTRIBUTION = "distribution"
SPEED = "speed"
"""Figures, beside `TIME`, that ``board.js`` knows. The latter is for kinds that declare a ``plane``."""

_ADDED_UP = (
    "Each part's result on a scale from 0 to 1, times its weight: the columns say what it adds to the score."
)


@dataclass(frozen=True, slots=True)
class Offer:
    """One board that can be shown."""

    id: str
    """Its name within the widget."""
    board: str
    """What the service calls it."""
    title: str
    split: Split = "public"
    figures: tuple[str, ...] = ()
    kind: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The challenge's settings; none on a combined board."""
    note: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    """As in `goat.widgets.rows.Table`."""


def own_challenges(client: Client) -> dict[str, Challenge]:
    """The challenges of one's own event (of all events without one), by the name to ask for each.

    That is ``task1`` in the service's default event and ``event:task1`` elsewhere.
    """
    found = client.challenges()
    events = {item.event for item in found}
    if len(events) < 2:
        return {item.id: item for item in found}
    event = _own_event(client)
    mine = [item for item in found if event in (None, item.event)]
    bare = event is not None and bool(mine) and _is_default(client, mine[0])
    return {item.id if bare else f"{item.event}:{item.id}": item for item in mine}


def _own_event(client: Client) -> str | None:
    try:
        return client.me().event
    except (NotAuthenticated, NotLoggedIn):
        return None


def _is_default(client: Client, challenge: Challenge) -> bool:
    try:
        return client.challenge(challenge.id).event == challenge.event
    except NotFound:
        return False


def offers(challenges: dict[str, Challenge], names: tuple[str, ...]) -> list[Offer]:
    """The named boards, or all: after its reveal each challenge's final board, then its public one."""
    wanted = names or (*challenges, *_combined(challenges))
    return [offer for name in wanted for offer in _of(name, challenges)]


def _combined(challenges: dict[str, Challenge]) -> list[str]:
    events = [name.rpartition(":")[0] for name in challenges]
    return [f"{event}:{COMBINED}" if event else COMBINED for event in dict.fromkeys(events)]


def _of(name: str, challenges: dict[str, Challenge]) -> list[Offer]:
    event, _, inside = name.rpartition(":")
    if inside == COMBINED:
        title = plain(f"Combined · {event}" if event else "Combined", 80)
        parts = [item for one, item in challenges.items() if one.rpartition(":")[0] == event]
        names = {item.id: plain(item.title, 80) for item in parts}
        # Of what it was yesterday nobody keeps a record: it has no course.
        public = Offer(name, name, title, figures=(DISTRIBUTION,), note=_ADDED_UP, parts=names)
        return [_final(public), public] if parts and all(item.revealed for item in parts) else [public]
    about = challenges.get(name) or next(
        (item for item in challenges.values() if f"{item.event}:{item.id}" == name), None
    )
    title = plain(about.title if about else name, 80)
    kind, config = (about.kind, about.config) if about else ("", {})
    figures = ((SPEED,) if plane_of(kind) else ()) + (DISTRIBUTION,)
    public = Offer(name, name, title, figures=(TIME, *figures), kind=kind, config=config)
    return [_final(public), public] if about is not None and about.revealed else [public]


def _final(public: Offer) -> Offer:
    """The board of final scores beside a public one. It has no course: it was not there before."""
    figures = tuple(figure for figure in public.figures if figure != TIME)
    return replace(
        public, id=f"{public.id} final", title=f"Final: {public.title}", split="private", figures=figures
    )
