"""What a screen reader is told of things that happen without a click.

A region that is there from the start is needed: what is put into a page together with its text is
often not read.
"""

from __future__ import annotations

import traitlets

from goat.text import plain
from goat.widgets.assets import source
from goat.widgets.base import Shown


class Herald(Shown):
    """A polite live region that nobody sees."""

    _esm = source("grid.js", "herald.js")
    _css = source("board.css")

    said = traitlets.Dict({"at": 0, "text": ""}).tag(sync=True)
    """The sentence, and how many there were: the same one twice is said twice."""

    _count = 0

    def say(self, sentence: object) -> None:
        self._count += 1
        self.said = {"at": self._count, "text": plain(sentence, 600)}

    def as_text(self) -> str:
        return ""
