"""How a reader says no: a typed code and one sentence that is safe to show."""

from __future__ import annotations

from collections.abc import Sequence

_NAMED = 12


class Fault(Exception):
    """What is wrong with a file. The caller knows which file it was and makes a verdict of it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def printable(text: str, limit: int = 80) -> str:
    """Foreign text (names of files and globals) for use inside a sentence.

    Everything but printable ASCII becomes ``?``: no control codes, bidi marks or terminal escapes.

    >>> printable("a\\x1b[31m.pt")
    'a?[31m.pt'
    """
    clean = "".join(character if " " <= character <= "~" else "?" for character in text[: limit + 1])
    return clean if len(clean) <= limit else clean[: limit - 1] + "~"


def some(names: Sequence[str]) -> str:
    """Foreign names for use inside a sentence; only the first dozen are named.

    >>> some(["a.pt", "b.pt"])
    'a.pt, b.pt'
    """
    shown = ", ".join(printable(name) for name in names[:_NAMED])
    more = len(names) - _NAMED
    return f"{shown} and {more} more" if more > 0 else shown
