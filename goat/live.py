"""A board that stays current: the deltas of the event stream applied to the board they follow on.

Pure, so that terminals and widgets share it. A delta counts only on the version it was made for;
otherwise the board must be asked for anew.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec

from goat.client import Client
from goat.errors import ServiceUnreachable
from goat.records import Board, BoardRow

_PAUSE_S = 2.0


def merge(board: Board, change: dict[str, Any]) -> Board | None:
    """The board after a ``board`` event; None where the event does not follow on this board.

    ``change`` is a delta ``{"challenge", "from", "to", "rows", "removed", "shifts"}`` or
    ``{"snapshot": board}``; ``[first, last, by]`` in ``shifts`` moves those whose rank was from first to
    last by that many places.
    Raises `msgspec.ValidationError` for anything else.
    """
    if "snapshot" in change:
        return msgspec.convert(change["snapshot"], Board)
    if change["to"] <= board.version:
        return board
    if change["from"] != board.version:
        return None
    moved = {
        rank: rank + by for first, last, by in change.get("shifts", ()) for rank in range(first, last + 1)
    }
    rows = {row.team_name: replace(row, rank=moved.get(row.rank, row.rank)) for row in board.rows}
    rows.update((row.team_name, row) for row in msgspec.convert(change["rows"], list[BoardRow]))
    for name in change.get("removed", ()):
        rows.pop(name, None)
    ordered = sorted(rows.values(), key=lambda row: (row.rank, row.submitted_at, row.team_name))
    return replace(board, rows=ordered, version=change["to"])


def boards(client: Client, challenge: str) -> Iterator[Board]:
    """The challenge's board now and after every change, for as long as it is iterated.

    A lost connection is opened again. Raises `goat.errors.RequestError` (e.g. no such challenge) and,
    if the service is away from the start, `goat.errors.ServiceUnreachable`.
    """
    board = client.leaderboard(challenge)
    yield board
    while True:
        with contextlib.suppress(ServiceUnreachable):
            for event in client.events([challenge]):
                if event.event != "board":
                    continue
                merged = merge(board, msgspec.json.decode(event.data))
                merged = merged or client.leaderboard(challenge)
                if merged != board:
                    board = merged
                    yield board
        time.sleep(_PAUSE_S)
        # What changed while nobody listened.
        with contextlib.suppress(ServiceUnreachable):
            now = client.leaderboard(challenge)
            if now != board:
                board = now
                yield board
