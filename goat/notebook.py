"""The progress display in a notebook: one output under the cell, rewritten as things move on.

Plain HTML through Jupyter's display updates, no widgets: it is still there after a page reload, in an
exported notebook and where widgets are not shown.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from goat.text import markup, plain, size

Advance = Callable[[int, int], None]

_PAUSE_S = 0.1
"""At most ten updates a second: each one is a message to the browser."""
_MARKS = {"ok": ("✓", "#2a9d5c"), "note": ("•", "#3a86c8"), "bad": ("✗", "#d1495b")}


class NotebookScreen:
    """Finished lines, and below them what goes on now."""

    def __init__(self) -> None:
        self._lines: list[tuple[str, str]] = []
        self._now: tuple[str, float | None, str] | None = None
        self._handle: Any = None
        self._shown_at = 0.0

    def line(self, text: str, mark: str) -> None:
        self._lines.append((text, mark))
        self._show()

    @contextlib.contextmanager
    def bar(self, label: str, unit: str) -> Iterator[Advance]:
        """``unit``: ``bytes`` or a word."""

        def advance(so_far: int, whole: int) -> None:
            shown = f"{size(so_far)} of {size(whole)}" if unit == "bytes" else f"{so_far} of {whole} {unit}"
            self._now = (label, so_far / whole if whole else None, shown)
            self._show(soon=so_far >= whole)

        with self._running(label):
            yield advance

    @contextlib.contextmanager
    def spinner(self, label: str) -> Iterator[Callable[[str], None]]:
        def tell(text: str) -> None:
            self._now = (text, None, "")
            self._show()

        with self._running(label):
            yield tell

    @contextlib.contextmanager
    def _running(self, label: str) -> Iterator[None]:
        self._now = (label, None, "")
        self._show()
        try:
            yield
        finally:
            self._now = None
            self._show()

    def _show(self, *, soon: bool = True) -> None:
        if not soon and time.monotonic() - self._shown_at < _PAUSE_S:
            return
        self._shown_at = time.monotonic()
        from IPython.display import display

        bundle = {"text/html": self._html(), "text/plain": self._text()}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]  # IPython's
        else:
            self._handle.update(bundle, raw=True)

    def _html(self) -> str:
        rows = [
            f"<div><span style='color:{_MARKS[mark][1]}'>{_MARKS[mark][0]}</span> {markup(text)}</div>"
            for text, mark in self._lines
        ]
        if self._now is not None:
            label, share, shown = self._now
            value = "" if share is None else f" value='{share:.3f}'"
            rows.append(f"<div>{markup(label)} <progress{value} max='1'></progress> {markup(shown)}</div>")
        return "".join(rows)

    def _text(self) -> str:
        rows = [f"{_MARKS[mark][0]} {plain(text)}" for text, mark in self._lines]
        if self._now is not None:
            rows.append(f"… {plain(self._now[0])} {plain(self._now[2])}".rstrip())
        return "\n".join(rows)
