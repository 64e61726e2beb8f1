"""What the panel is made of: stock widgets and how they are laid out. What they do is in `panel`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets

from goat.client import Client
from goat.widgets.assets import source
from goat.widgets.base import answer_where_asked
from goat.widgets.herald import Herald
from goat.widgets.history import HistoryWidget
from goat.widgets.steps import StepsScreen
from goat.widgets.stream import Live
from goat.widgets.upload import UploadWidget

_LISTED = 300
"""Paths offered in the picker; any other can be typed."""

_SKIPPED = {"__pycache__", "node_modules"}
_NO_ANSWERS = {".py", ".ipynb", ".md"}


class Form(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The panel's parts, by name."""

    def __init__(self, challenge: str | None, connect: Callable[[], Client]) -> None:
        wide = {"width": "auto", "flex": "1 1 260px", "min_width": "120px"}
        self.problem = ipywidgets.HTML()
        self.head = ipywidgets.HTML("<h3>connecting …</h3>")
        self.facts = ipywidgets.HTML()
        self.task = ipywidgets.HTML()
        self.choose = ipywidgets.Dropdown(description="Challenge", options=[], layout={"display": "none"})
        self.fetch = ipywidgets.Button(description="Get the data", layout={"width": "150px"})
        self.fetched = ipywidgets.HTML(layout={"flex": "1 1 200px"})
        self.mode = ipywidgets.ToggleButtons(
            options=[("Test run", "test"), ("Ranked", "ranked")],
            tooltips=["answers to the sample inputs", "answers to the evaluation inputs"],
            style={"button_width": "96px"},
        )
        self.explained = ipywidgets.HTML(layout={"flex": "1 1 200px"})
        self.path = ipywidgets.Combobox(
            description="Path",
            style={"description_width": "initial"},
            placeholder="folder or file with your answers",
            tooltip="Path of your answers, seen from this notebook",
            layout=wide,
        )
        self.look = ipywidgets.Button(
            description="Look again", tooltip="look for files again", layout={"width": "96px"}
        )
        self.upload = UploadWidget(self.arrived)
        self.check = ipywidgets.Button(description="1 · Check", tooltip="find what is wrong, here and now")
        self.rehearse = ipywidgets.Button(
            description="2 · Dry run", tooltip="the score of a test run, computed here"
        )
        self.send = ipywidgets.Button(
            description="3 · Submit", button_style="primary", tooltip="check, upload, score"
        )
        self.herald = Herald()
        self.steps = StepsScreen(self.herald.say)
        self.verdict = ipywidgets.HTML()
        self.own = HistoryWidget(challenge or "", live=Silent(), connect=connect)
        self.mode.observe(lambda _change: self.explain(), "value")
        self.look.on_click(lambda _button: self.list_paths())
        self.explain()
        self.list_paths()
        super().__init__(self._parts())
        answer_where_asked(self)
        self.add_class("goat-panel")

    def _parts(self) -> list[Any]:
        style = ipywidgets.HTML(f"<style>{source('panel.css')}</style>", layout={"display": "none"})
        return [
            *(style, self.head, self.choose, self.facts, self.problem, self.task),
            *(_title("Data"), _row(self.fetch, self.fetched)),
            *(_title("Your answers"), _row(self.mode, self.explained), _row(self.path, self.look)),
            *(self.upload, _row(self.check, self.rehearse, self.send), self.steps, self.verdict),
            *(_title("Your submissions"), self.own, self.herald),
        ]

    def explain(self) -> None:
        """Say what the chosen mode means."""
        test = self.mode.value == "test"
        said = (
            "answers to the <b>sample</b> inputs: scored, but does not count"
            if test
            else "answers to the <b>evaluation</b> inputs: for the board"
        )
        self.explained.value = f"<span class='goat-facts'>{said}</span>"
        self.rehearse.disabled = not test

    def list_paths(self) -> None:
        """Offer what lies here now."""
        self.path.options = tuple(candidates(Path()))

    def arrived(self, path: str) -> None:
        """A file was uploaded."""
        self.path.value = path
        self.list_paths()


class Silent(Live):
    """A stream that tells nothing: the panel hands its history what it hears itself."""

    def _start(self) -> None:
        """No thread."""

    def tell_problems(self, heard: Callable[[str], None]) -> None:
        """The panel says what is wrong."""


def _row(*children: Any) -> ipywidgets.HBox:
    box = ipywidgets.HBox(children, layout={"overflow": "visible"})
    box.add_class("goat-row-of-buttons")
    return box


def _title(text: str) -> ipywidgets.HTML:
    return ipywidgets.HTML(f"<h4>{text}</h4>")


def candidates(folder: Path) -> list[str]:
    """Folders and files that may hold answers, two levels deep, folders first."""
    found: list[str] = []
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir(), key=lambda item: (item.is_file(), item.name)):
            if path.name.startswith(".") or path.name in _SKIPPED or path.suffix in _NO_ANSWERS:
                continue
            found.append(str(path))
            if path.is_dir():
                with contextlib.suppress(OSError):
                    inside = sorted(path.iterdir())[:20]
                    found += [str(one) for one in inside if one.is_dir() or one.suffix == ".zip"]
    return found[:_LISTED]
