"""The functions that show widgets: each is one short call."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from goat.client import Client
    from goat.history import History
    from goat.widgets.board import BoardWidget
    from goat.widgets.history import HistoryWidget
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


def in_notebook() -> bool:
    """Whether this runs in a Jupyter kernel, where widgets can be shown."""
    import sys

    shell = sys.modules.get("IPython")
    running = shell.get_ipython() if shell is not None else None
    return getattr(running, "kernel", None) is not None


def history_widget(found: History) -> HistoryWidget:
    """What ``goat.history()`` shows in a notebook."""
    from goat.client import Client
    from goat.widgets.history import HistoryWidget
    from goat.widgets.stream import live_of

    url = _url()

    def make() -> HistoryWidget:
        return HistoryWidget(found.of, live=live_of(url), connect=lambda: Client(url), found=found)

    widget: HistoryWidget = _once(("history", url, found.of), make)
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
