"""What the panel is made of: stock widgets and how they are laid out. What they do is in `panel`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets

from goat.client import Client
from goat.widgets.asked import Asked
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
        self.asked = Asked()
        wide = {"width": "auto", "flex": "1 1 260px", "min_width": "120px"}
        self.problem = ipywidgets.HTML()
        self.head = ipywidgets.HTML("<h3>connecting …</h3>")
        self.facts = ipywidgets.HTML()
        self.task = ipywidgets.HTML()
        own_width = {"description_width": "initial"}
        self.choose = ipywidgets.Dropdown(
            description="Challenge", options=[], style=own_width, layout={"display": "none"}
        )
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
            style=own_width,
            placeholder=self.asked.placeholder,
            tooltip="Path of what you hand in, seen from this notebook",
            layout=wide,
        )
        self.look = ipywidgets.Button(
            description="Look again", tooltip="look for files again", layout={"width": "96px"}
        )
        self.upload = UploadWidget(self.arrived)
        self.handed = _title(self.asked.title)
        self.batch = ipywidgets.Dropdown(
            description="Batch size",
            tooltip="Samples per call",
            style=own_width,
            layout={"width": "270px"},
        )
        hint = "samples per call, for a model whose batch dimension is dynamic"
        self.batches = _row(self.batch, ipywidgets.HTML(f"<span class='goat-facts'>{hint}</span>"))
        self.batches.layout.display = "none"
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
            *(self.handed, _row(self.mode, self.explained), _row(self.path, self.look), self.upload),
            *(self.batches, _row(self.check, self.rehearse, self.send), self.steps, self.verdict),
            *(_title("Your submissions"), self.own, self.herald),
        ]

    def explain(self) -> None:
        """Say what the chosen mode means."""
        test = self.mode.value == "test"
        self.explained.value = f"<span class='goat-facts'>{self.asked.meaning(test=test)}</span>"
        # A model can always be tried on the sample inputs; answers are to one kind of inputs.
        self.rehearse.disabled = not (test or self.asked.model)

    def enable(self, on: bool) -> None:
        """Let people click, or not while something goes on."""
        for part in (self.fetch, self.check, self.rehearse, self.send, self.choose):
            part.disabled = not on
        if on:
            self.explain()

    def ask(self, asked: Asked) -> None:
        """Take what this challenge wants in place of what another wanted."""
        if asked == self.asked:
            return
        self.asked = asked
        self.handed.value = _heading(asked.title)
        self.path.placeholder = asked.placeholder
        self.path.value = ""
        self.upload.accept = ",".join(asked.suffixes)
        self.batches.layout.display = "none" if asked.batch is None else None
        if asked.batch is not None:
            self.batch.options = asked.batches
            self.batch.value = 0  # stock widgets go on without a choice when they had none
        self.explain()
        self.list_paths()

    def options(self) -> dict[str, Any]:
        """What was chosen beside the file."""
        chosen = self.batch.value if self.asked.batch is not None else 0
        return {"batch_size": chosen} if chosen else {}

    def list_paths(self) -> None:
        """Offer what lies here now."""
        self.path.options = tuple(candidates(Path(), self.asked.suffixes))

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
    return ipywidgets.HTML(_heading(text))


def _heading(text: str) -> str:
    return f"<h4>{text}</h4>"


def candidates(folder: Path, suffixes: tuple[str, ...] = ()) -> list[str]:
    """What may be handed in, two levels deep: files with one of the suffixes, newest first; without any,
    folders and files that may hold answers, folders first."""
    found: list[str] = []
    if suffixes:
        with contextlib.suppress(OSError):
            files = [
                one for pattern in ("*", "*/*") for one in folder.glob(pattern) if one.suffix in suffixes
            ]
            files = [one for one in files if one.is_file() and not _hidden(one)]
            found = [str(one) for one in sorted(files, key=lambda one: -one.stat().st_mtime)]
        return found[:_LISTED]
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir(), key=lambda item: (item.is_file(), item.name)):
            if _hidden(path) or path.suffix in _NO_ANSWERS:
                continue
            found.append(str(path))
            if path.is_dir():
                with contextlib.suppress(OSError):
                    inside = sorted(path.iterdir())[:20]
                    found += [str(one) for one in inside if one.is_dir() or one.suffix == ".zip"]
    return found[:_LISTED]


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") or part in _SKIPPED for part in path.parts)
