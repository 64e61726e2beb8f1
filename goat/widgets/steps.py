"""The panel's progress display: finished steps as lines, and a bar for what goes on now.

A `goat.progress.Screen`, so check, dry run and submit show here what they show in a terminal.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import ipywidgets

from goat.text import markup, size

Advance = Callable[[int, int], None]

_PAUSE_S = 0.1
"""At most ten updates a second: each one is a message to the browser."""
_MARKS = {"ok": ("✓", "goat-ok"), "note": ("•", "goat-noted"), "bad": ("✗", "goat-bad")}


class StepsScreen(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Lines, and below them what goes on."""

    def __init__(self, say: Callable[[str], None] = lambda text: None) -> None:
        self._say = say
        self.lines = ipywidgets.HTML()
        self.bar_widget = ipywidgets.FloatProgress(min=0.0, max=1.0, layout={"width": "160px"})
        self.label = ipywidgets.HTML()
        self.now = ipywidgets.HBox([self.bar_widget, self.label], layout={"display": "none"})
        self._text: list[str] = []
        self._shown_at = 0.0
        super().__init__([self.lines, self.now])

    def clear(self) -> None:
        """Begin a new run."""
        self._text = []
        self.lines.value = ""
        self._hide()

    def line(self, text: str, mark: str) -> None:
        sign, name = _MARKS[mark]
        self._text.append(f"<div><span class='{name}'>{sign}</span> {markup(text)}</div>")
        self.lines.value = "".join(self._text[-30:])
        self._say(text)

    @contextlib.contextmanager
    def bar(self, label: str, unit: str) -> Iterator[Advance]:
        def advance(so_far: int, whole: int) -> None:
            shown = f"{size(so_far)} of {size(whole)}" if unit == "bytes" else f"{so_far} of {whole} {unit}"
            if so_far >= whole or time.monotonic() - self._shown_at > _PAUSE_S:
                self._show(f"{label}: {shown}", so_far / whole if whole else 1.0)

        self._show(label, 0.0)
        try:
            yield advance
        finally:
            self._hide()

    @contextlib.contextmanager
    def spinner(self, label: str) -> Iterator[Callable[[str], None]]:
        self._show(label, None)
        try:
            yield lambda text: self._show(text, None)
        finally:
            self._hide()

    def _show(self, label: str, share: float | None) -> None:
        self._shown_at = time.monotonic()
        self.label.value = f"{markup(label)}{' …' if share is None else ''}"
        self.bar_widget.value = 0.0 if share is None else share
        self.bar_widget.layout.display = "none" if share is None else None
        self.now.layout.display = "flex"

    def _hide(self) -> None:
        self.now.layout.display = "none"
