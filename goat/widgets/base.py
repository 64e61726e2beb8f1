"""What all widgets of ours share: text where widgets are not shown, and saying what is wrong."""

from __future__ import annotations

import html
from typing import Any

import anywidget
import ipywidgets
import traitlets

from goat.text import plain
from goat.widgets.assets import plotly_script
from goat.widgets.stream import CONNECTING, Live


def answer_where_asked(widget: ipywidgets.Widget) -> None:
    """Let what the browser sends to a widget, and to those inside it, run where the browser says.

    ipykernel 7.4 sends it to the subshell of the request during which the kernel last spoke instead.
    Our threads speak during any: a subshell that is gone (after a reload everything the browser says
    is lost, `UnknownSubshellError`) or the main one (a busy cell holds up every button).
    """
    if widget.comm is not None:
        widget.comm._reply_subshell_for = lambda _data, asked: asked
    for inner in getattr(widget, "children", ()):
        answer_where_asked(inner)


class Shown(anywidget.AnyWidget):
    """An anywidget that degrades to readable text and brings plotly.js when its page has none."""

    problem = traitlets.Unicode("").tag(sync=True)
    """What stands in the way, one sentence; empty when nothing does."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        answer_where_asked(self)
        self.on_msg(self._heard)

    def as_text(self) -> str:
        """The content for a terminal, a diff or a screen that shows no widgets."""
        raise NotImplementedError

    def as_html(self) -> str:
        """The content as a static page."""
        return f"<pre>{html.escape(self.as_text())}</pre>"

    def asked(self, content: dict[str, Any]) -> None:
        """Called for each message of the browser that is the widget's own."""

    def _heard(self, _widget: Any, content: dict[str, Any], _buffers: list[bytes]) -> None:
        if content.get("want") == "plotly":
            self.send({"plotly": "gzip"}, [plotly_script()])
        elif content.get("want") == "answer":
            self.send({"here": True})
        else:
            self.asked(content)

    def __repr__(self) -> str:
        return self._text()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        found = super()._repr_mimebundle_(**options)
        data, metadata = found if isinstance(found, tuple) else (found or {}, {})
        return {**data, "text/plain": self._text(), "text/html": self.as_html()}, metadata

    def _text(self) -> str:
        said = f"\n{plain(self.problem)}" if self.problem not in ("", CONNECTING) else ""
        return self.as_text() + said


class Dated(Shown):
    """A widget whose charts go on until now, by the service's clock: the browser's may be off by a day."""

    now = traitlets.Float(0.0).tag(sync=True)
    """The service's time when this was sent, in seconds since 1970; 0 if it is not known."""

    _live: Live

    def get_state(self, *args: Any, **options: Any) -> Any:
        """What a page that is reloaded gets: the time as it is then, not as it once was."""
        state = super().get_state(*args, **options)
        return {**state, "now": self._live.now()} if "now" in state else state
