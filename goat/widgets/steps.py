"""The panel's progress display: finished steps as lines, and a bar for what goes on now.

Each click has a `Run`, which is a `goat.progress.Screen`, so check, dry run and submit show here what they
show in a terminal. A run that still waits for its score when the next one begins is not shown any more.
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
_LINES = 30


class StepsScreen(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Lines, and below them what goes on."""

    def __init__(self, say: Callable[[str], None] = lambda text: None) -> None:
        self.say = say
        self.lines = ipywidgets.HTML()
        self.bar_widget = ipywidgets.FloatProgress(min=0.0, max=1.0, layout={"width": "160px"})
        self.label = ipywidgets.HTML()
        self.now = ipywidgets.HBox([self.bar_widget, self.label], layout={"display": "none"})
        self.run: Run | None = None
        super().__init__([self.lines, self.now])

    def begin(self) -> Run:
        """A new run, in place of what was shown."""
        self.run = Run(self)
        self.lines.value = ""
        self.now.layout.display = "none"
        return self.run


class Run:
    """What one click does, shown until the next click."""

    def __init__(self, screen: StepsScreen) -> None:
        self._screen = screen
        self._text: list[str] = []
        self._lines: list[str] = []
        self._shown_at = 0.0

    @property
    def current(self) -> bool:
        """Whether nothing was begun since."""
        return self._screen.run is self

    def line(self, text: str, mark: str) -> None:
        sign, name = _MARKS[mark]
        self._text.append(text)
        self._lines.append(f"<div><span class='{name}'>{sign}</span> {markup(text)}</div>")
        self._show_lines()
        self._screen.say(text)

    def settle(self, verdict: str) -> None:
        """The last step is what the verdict below says in large: not twice."""
        if self._text[-1:] == [verdict]:
            del self._text[-1], self._lines[-1]
            self._show_lines()

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

    def _show_lines(self) -> None:
        if self.current:
            self._screen.lines.value = "".join(self._lines[-_LINES:])

    def _show(self, label: str, share: float | None) -> None:
        self._shown_at = time.monotonic()
        if not self.current:
            return
        screen = self._screen
        screen.label.value = f"{markup(label)}{' …' if share is None else ''}"
        screen.bar_widget.value = 0.0 if share is None else share
        screen.bar_widget.layout.display = "none" if share is None else None
        screen.now.layout.display = "flex"

    def _hide(self) -> None:
        if self.current:
            self._screen.now.layout.display = "none"
