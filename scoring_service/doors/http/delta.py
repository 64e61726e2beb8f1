"""What changed between two states of a board, and how that is written as server-sent events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from goat.records import Board
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
    """From ``old`` to ``new``: changed rows whole, removed teams by name; a snapshot where that is shorter
    or where more than rows changed."""
    before = {row.team_name: row for row in old.rows}
    after = {row.team_name for row in new.rows}
    rows = [row for row in new.rows if before.get(row.team_name) != row]
    removed = [team for team in before if team not in after]
    same_kind = (old.frozen, old.unit, old.higher_is_better) == (new.frozen, new.unit, new.higher_is_better)
    if not same_kind or new.version <= old.version or len(rows) + len(removed) >= max(8, len(new.rows)):
        return snapshot(name, new)
    content = {"challenge": name, "from": old.version, "to": new.version, "rows": rows, "removed": removed}
    return _event(name, old.version, new.version, content)


def _event(name: str, since: int | None, version: int, content: dict[str, Any]) -> BoardEvent:
    text = event_text("board", content)
    return BoardEvent(name, since, version, text, id_line({name: version}) + text)
