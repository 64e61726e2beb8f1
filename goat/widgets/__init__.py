"""Widgets for notebooks: ``goat.panel()``, ``goat.board()`` and the live ``goat.history()``.

Traits are the state, so a reloaded page finds them as they were. They need the kernel only: no
browser of a participant ever talks to the service.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from goat.client import Client
    from goat.widgets.board import BoardWidget
    from goat.widgets.panel import Panel
    from goat.widgets.stream import Live

_open: dict[tuple[Any, ...], Any] = {}
_lock = threading.Lock()


def board(*challenges: str, client: Client | None = None, live: Live | None = None) -> BoardWidget:
    """The live board: all challenges and the combined board, or the named ones.

    Called again with the same names it shows the same widget once more. ``.frame`` is a DataFrame,
    ``.figure`` a plotly figure.
    """
    from goat.widgets.board import BoardWidget
    from goat.widgets.stream import live_of, quick_client

    def make() -> BoardWidget:
        with quick_client() as own:
            return BoardWidget(challenges, live=live_of(own.url), client=own)

    if client is not None:
        return BoardWidget(challenges, live=live or live_of(client.url), client=client)
    widget: BoardWidget = _once(("board", _url(), *challenges), make)
    return widget


def panel(challenge: str | None = None) -> Panel:
    """Everything from the data to the final score: description, countdown, data, check, dry run,
    submit, verdict, and your submissions with the finals to choose.

    Opens on ``challenge``, or on the first. Called again it shows the same panel once more.
    """
    from goat.client import Client
    from goat.widgets.panel import Panel
    from goat.widgets.stream import live_of

    url = _url()
    widget: Panel = _once(
        ("panel", url, challenge), lambda: Panel(challenge, live=live_of(url), connect=lambda: Client(url))
    )
    return widget


def _url() -> str:
    from goat.identity import service_url

    return service_url()


def _once(key: tuple[Any, ...], make: Any) -> Any:
    """One widget per content: a cell that runs again adds a view, not another listener."""
    with _lock:
        known = _open.get(key)
        if known is None or known.comm is None:
            known = _open[key] = make()
        return known
