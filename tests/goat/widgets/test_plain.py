"""Where widgets are not shown: exported notebooks, a terminal, an editor without the widget extension."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.formatters import DisplayFormatter
from nbconvert import HTMLExporter, MarkdownExporter

from goat.client import Client
from goat.widgets.board import BoardWidget
from goat.widgets.history import HistoryWidget
from goat.widgets.panel import Panel
from tests.goat.fake_service import FakeService
from tests.goat.widgets.conftest import StillLive
from tests.goat.widgets.test_panel import limits

WIDGETS = ("board", "history", "panel")


@pytest.fixture
def shown(
    comms: Any, logged_in: FakeService, client: Client, still: StillLive, tmp_path: Path, monkeypatch: Any
) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    logged_in.faults.append(limits)
    return {
        "board": BoardWidget(live=still, client=client),
        "history": HistoryWidget("task1", live=still, connect=Client),
        "panel": Panel(live=still, connect=Client),
    }


SAID = {"board": "team_awesome", "history": "submi", "panel": "goat.submit(path"}


def bundle(widget: Any) -> dict[str, Any]:
    found = widget._repr_mimebundle_()
    return dict(found[0] if isinstance(found, tuple) else found)


@pytest.mark.parametrize("name", WIDGETS)
@pytest.mark.parametrize("exporter", [HTMLExporter, MarkdownExporter])
def test_an_exported_notebook_has_the_content(shown: dict[str, Any], name: str, exporter: Any) -> None:
    # Given a saved notebook whose widget state was not saved with it
    data = bundle(shown[name])
    output = nbformat.v4.new_output("execute_result", data, execution_count=1)
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("goat", outputs=[output])])
    # When it is exported
    body, _ = exporter().from_notebook_node(book)
    # Then what the widget said can be read
    assert SAID[name] in body
    assert "goat.widgets" not in body, "no repr of a Python object"


@pytest.mark.parametrize("name", WIDGETS)
def test_a_terminal_and_a_text_only_editor_get_readable_text(shown: dict[str, Any], name: str) -> None:
    data, _ = DisplayFormatter().format(shown[name])
    for text in (data["text/plain"], bundle(shown[name])["text/plain"]):
        assert SAID[name] in text
        assert "Widget(" not in text
        assert "\x1b" not in text
        assert max(map(len, text.splitlines())) <= 200


def test_what_print_and_a_debugger_show_is_short_and_readable(shown: dict[str, Any]) -> None:
    for name, widget in shown.items():
        assert len(repr(widget)) < 5000, name
        assert SAID[name] in repr(widget)
