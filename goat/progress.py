"""What a person sees while something takes time: bars, a spinner and one line per finished step.

In a terminal it is written with rich to the error stream, so that a script's output stays its own; in
a notebook it appears under the cell. Silent where nobody watches: neither of both, or ``quiet``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from goat.notebook import NotebookScreen
from goat.text import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Advance = Callable[[int, int], None]
"""Called with (how much is done, how much there is)."""


class Screen(Protocol):
    """Where a display writes."""

    def line(self, text: str, mark: str) -> None: ...

    def bar(self, label: str, unit: str) -> contextlib.AbstractContextManager[Advance]: ...

    def spinner(self, label: str) -> contextlib.AbstractContextManager[Callable[[str], None]]: ...


class Display:
    """One run's display. ``quiet=None`` decides by whether anybody watches."""

    def __init__(self, quiet: bool | None = None, screen: Screen | None = None) -> None:
        self._noted: set[str] = set()
        self._screen: Screen = screen or _screen(quiet)

    def say(self, line: str, *, mark: str = "ok") -> None:
        """One finished step. ``mark``: ``ok``, ``note`` or ``bad``."""
        self._screen.line(line, mark)

    def note_once(self, line: str) -> None:
        """A remark that is worth one line, however often it is made."""
        if line not in self._noted:
            self._noted.add(line)
            self.say(line, mark="note")

    def bar(self, label: str, unit: str = "bytes") -> contextlib.AbstractContextManager[Advance]:
        """A bar, gone when it is done. ``unit``: ``bytes``, or what is counted."""
        return self._screen.bar(label, unit)

    def spinner(self, label: str) -> contextlib.AbstractContextManager[Callable[[str], None]]:
        """A sign that something goes on; the function it gives changes its label."""
        return self._screen.spinner(label)


def _screen(quiet: bool | None) -> Screen:
    if quiet is True:
        return SilentScreen()
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if console.is_jupyter:
        return NotebookScreen()
    return TerminalScreen(console) if quiet is False or console.is_terminal else SilentScreen()


class SilentScreen:
    """Nobody watches."""

    def line(self, text: str, mark: str) -> None:
        """Nothing is shown."""

    @contextlib.contextmanager
    def bar(self, label: str, unit: str) -> Iterator[Advance]:
        yield lambda so_far, whole: None

    @contextlib.contextmanager
    def spinner(self, label: str) -> Iterator[Callable[[str], None]]:
        yield lambda text: None


class TerminalScreen:
    """Bars and a spinner with the seconds so far, by rich."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def line(self, text: str, mark: str) -> None:
        self._console.print(marked(text, mark, self._console.encoding))

    @contextlib.contextmanager
    def bar(self, label: str, unit: str) -> Iterator[Advance]:
        from rich import progress

        columns: list[progress.ProgressColumn] = [
            progress.SpinnerColumn(),
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
        ]
        if unit == "bytes":
            columns += [progress.DownloadColumn(), progress.TransferSpeedColumn()]
        else:
            columns += [progress.MofNCompleteColumn(), progress.TextColumn(unit)]
        columns.append(progress.TimeRemainingColumn())
        with progress.Progress(*columns, console=self._console, transient=True) as bar:
            task = bar.add_task(plain(label), total=None)
            yield lambda so_far, whole: bar.update(task, completed=so_far, total=whole)

    @contextlib.contextmanager
    def spinner(self, label: str) -> Iterator[Callable[[str], None]]:
        from rich import progress

        columns = (
            progress.SpinnerColumn(),
            progress.TextColumn("{task.description}", markup=False),
            progress.TimeElapsedColumn(),
        )
        with progress.Progress(*columns, console=self._console, transient=True) as bar:
            task = bar.add_task(plain(label), total=None)
            yield lambda text: bar.update(task, description=plain(text))


_MARKS = {"ok": ("✓", "ok", "green"), "note": ("•", "-", "cyan"), "bad": ("✗", "!!", "red")}


def marked(line: str, mark: str, encoding: str) -> Text:
    """A line behind its mark, for rich; plain letters where the terminal cannot show the sign."""
    from rich.text import Text

    sign, letters, style = _MARKS[mark]
    shown = sign if encoding.lower().startswith("utf") else letters
    return Text.assemble((shown, style), " ", plain(line))
