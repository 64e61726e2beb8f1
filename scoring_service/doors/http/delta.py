"""What changed between two states of a board, and how that is written as server-sent events."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from goat.records import Board, BoardRow
from scoring_service.doors.http.encoding import encode


@dataclass(frozen=True, slots=True)
class BoardEvent:
    """One step of a board, encoded once for all its listeners.

    ``text`` lacks the ``id`` line; ``whole`` has it, for listeners of this board alone.
    """

    board: str
    since: int | None
    """The version that this event builds on; None for a snapshot, which builds on nothing."""
    version: int
    text: bytes
    whole: bytes
    message: dict[str, Any] = field(init=False, compare=False, repr=False)
    """``whole`` as the one ASGI message that all those listeners are sent."""

    def __post_init__(self) -> None:
        message = {"type": "http.response.body", "body": self.whole, "more_body": True}
        object.__setattr__(self, "message", message)  # the class is frozen for everybody else


def event_text(name: str, data: Any) -> bytes:
    """An event without id. JSON has no raw line ends, so one ``data`` line holds it.

    >>> event_text("hello", {"a": 1})
    b'event: hello\\ndata: {"a":1}\\n\\n'
    """
    return b"event: " + name.encode() + b"\ndata: " + encode(data) + b"\n\n"


def id_line(versions: dict[str, int]) -> bytes:
    """The ``id`` line that carries the versions a listener has, and that it sends back to resume.

    >>> id_line({"task1": 7, "combined": 9})
    b'id: task1=7,combined=9\\n'
    """
    return b"id: " + ",".join(f"{board}={version}" for board, version in versions.items()).encode() + b"\n"


def parse_versions(last_event_id: str) -> dict[str, int]:
    """Board → version from a Last-Event-ID; what is not understood is left out.

    >>> parse_versions("task1=7,combined=9,nonsense,x=y")
    {'task1': 7, 'combined': 9}
    """
    versions = {}
    for entry in last_event_id[:4096].split(","):
        board, _, version = entry.strip().rpartition("=")
        if board and version.isascii() and version.isdigit() and len(version) < 16:
            versions[board] = int(version)
    return versions


def snapshot(name: str, board: Board) -> BoardEvent:
    """The whole board as an event; ``name`` is the id by which the listener asked for it."""
    return _event(name, None, board.version, {"snapshot": board})


def delta(name: str, old: Board, new: Board) -> BoardEvent:
    """From ``old`` to ``new``, as small as it goes.

    ``rows`` are the changed rows whole and ``removed`` the teams that are gone. All other rows keep all
    but their rank: ``shifts`` has ``[first, last, by]`` for those whose rank was from first to last and
    is now higher by ``by``, so that one team that climbs past hundreds does not send hundreds of rows.
    A snapshot where that would be shorter, or where more than rows changed.
    """
    before = {row.team_name: row for row in old.rows}
    after = {row.team_name for row in new.rows}
    kept = [row for row in new.rows if _same_but_rank(before.get(row.team_name), row)]
    shifts = _shifts([(before[row.team_name].rank, row.rank) for row in kept])
    names = {row.team_name for row in kept}
    rows = [row for row in new.rows if row.team_name not in names]
    removed = [team for team in before if team not in after]
    same_kind = (old.frozen, old.unit, old.higher_is_better) == (new.frozen, new.unit, new.higher_is_better)
    too_much = len(rows) + len(removed) + len(shifts) / 8 >= max(8, len(new.rows))
    if not same_kind or new.version <= old.version or too_much:
        return snapshot(name, new)
    content = {
        "challenge": name,
        "from": old.version,
        "to": new.version,
        "rows": rows,
        "removed": removed,
        "shifts": shifts,
    }
    return _event(name, old.version, new.version, content)


def _same_but_rank(old: BoardRow | None, new: BoardRow) -> bool:
    return old is not None and replace(old, rank=new.rank) == new


def _shifts(ranks: list[tuple[int, int]]) -> list[list[int]]:
    """Runs of (old rank, new rank) that move by the same number of places; those that stay are left out.

    >>> _shifts([(1, 1), (2, 3), (3, 4), (5, 6), (8, 8), (9, 8)])
    [[2, 5, 1], [9, 9, -1]]
    """
    runs: list[list[int]] = []
    for old, new in sorted(ranks):
        by = new - old
        if runs and runs[-1][2] == by:
            runs[-1][1] = old
        else:
            runs.append([old, old, by])
    return [run for run in runs if run[2]]


def _event(name: str, since: int | None, version: int, content: dict[str, Any]) -> BoardEvent:
    text = event_text("board", content)
    return BoardEvent(name, since, version, text, id_line({name: version}) + text)
