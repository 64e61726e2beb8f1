"""Text that other people wrote, made safe to show in a terminal, a page or a figure.

>>> plain("goats\\x1b[31m\\u202e win")
'goats\\\\x1b[31m\\\\u202e win'
>>> plain("two\\nlines")
'two lines'
"""

from __future__ import annotations

import html
import math
import unicodedata
from collections.abc import Iterable

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that steer a terminal or hide in it: control, format (bidi), surrogates, ..."""


def _visible(char: str) -> str:
    if char in "\t\n\r":
        return " "
    if unicodedata.category(char) not in _HIDDEN:
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def plain(text: object, limit: int = 2000) -> str:
    """One line without control, bidi or ANSI characters; those are shown as escapes. Cut at ``limit``."""
    raw = str(text)
    shown = "".join(map(_visible, raw[:limit]))
    return shown + "…" if len(raw) > limit else shown


def markup(text: object, limit: int = 2000) -> str:
    """`plain` and escaped for HTML and for plotly's labels, which read a subset of HTML."""
    return html.escape(plain(text, limit))


def number(score: float | None, unit: str = "") -> str:
    """A score for people: four decimals and its unit.

    >>> number(31.23456, "dB")
    '31.2346 dB'
    >>> number(None)
    '–'
    """
    return "–" if score is None else f"{score:.4f}{' ' + plain(unit) if unit else ''}"


def metric_label(name: str) -> str:
    """A metric's name for a heading; its unit, where the name ends in one, in brackets.

    >>> metric_label("latency_ms"), metric_label("size_mb"), metric_label("accuracy")
    ('latency (ms)', 'size (MB)', 'accuracy')
    """
    words, _, unit = name.rpartition("_")
    known = {"ms": "ms", "mb": "MB"}
    return f"{plain(words, 40)} ({known[unit]})" if words and unit in known else plain(name, 40)


def amount(name: str, value: float | None) -> str:
    """A metric's value for people: what has a unit with three digits that count, the rest like a score.

    >>> amount("latency_ms", 1.2534), amount("latency_ms", 31.46), amount("size_mb", 0.009)
    ('1.25', '31.5', '0.0090')
    >>> amount("accuracy", 0.91234), amount("size_mb", None)
    ('0.9123', '–')
    """
    if value is None or metric_label(name) == plain(name, 40) or not math.isfinite(value):
        return number(value)
    whole = len(f"{abs(value):.0f}") if abs(value) >= 1 else 0 if abs(value) >= 0.1 else -1
    return f"{value:.{max(0, 3 - whole)}f}"


def size(count: float) -> str:
    """Bytes for people.

    >>> size(10_600_000)
    '10.6 MB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"


def facts(shown: Iterable[tuple[str, object]]) -> str:
    """Names and their values as a small HTML table; what is None is left out. All of it is escaped.

    >>> facts([("score", "31.2 dB"), ("rank", None)])
    "<table><tr><th style='text-align:left'>score</th><td style='text-align:left'>31.2 dB</td></tr></table>"
    """
    left = " style='text-align:left'"
    rows = (
        f"<tr><th{left}>{markup(name)}</th><td{left}>{markup(value)}</td></tr>"
        for name, value in shown
        if value is not None
    )
    return f"<table>{''.join(rows)}</table>"


def duration(seconds: float) -> str:
    """Seconds for people.

    >>> duration(341), duration(7500), duration(200000)
    ('5 min 41 s', '2 h 5 min', '2 d 7 h')
    """
    whole = max(0, round(seconds))
    parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    shown = [f"{count} {unit}" for count, unit in parts if count]
    first = next((index for index, (count, _) in enumerate(parts) if count), 3)
    near = [f"{count} {unit}" for count, unit in parts[first : first + 2] if count]
    return " ".join(near) if shown else "0 s"
