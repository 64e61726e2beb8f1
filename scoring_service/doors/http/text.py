"""Names that people send: bounded, and free of characters that lie to the eye or to a terminal."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import msgspec

from goat.errors import Invalid

MAX_FILENAME = 120
_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"})
"""Unicode categories shown as escapes: controls, bidi and zero-width marks, unassigned, line ends."""


def clean_filename(raw: str | None) -> str:
    """The last part of a file name as sent in a header or form, safe to show and to log.

    >>> clean_filename("../../etc/passwd")
    'passwd'
    >>> clean_filename("answers\\u202egpj.zip")
    'answers\\\\u202egpj.zip'
    """
    name = (raw or "").replace("\\", "/").rsplit("/", 1)[-1].strip()
    shown = "".join(
        char.encode("unicode_escape").decode() if unicodedata.category(char) in _HIDDEN else char
        for char in name
    )
    return shown[:MAX_FILENAME] or "upload"


def header_text(raw: str | None) -> str | None:
    """A header as its sender meant it: header bytes arrive as Latin-1, senders write UTF-8."""
    if raw is None:
        return None
    return raw.encode("latin-1", "replace").decode("utf-8", "replace")


def clean_key(raw: str | None) -> str | None:
    """An idempotency key: 1 to 128 visible ASCII characters. Raises `goat.errors.Invalid`."""
    if raw is None:
        return None
    if not _KEY.fullmatch(raw):
        raise Invalid("An Idempotency-Key has 1 to 128 visible ASCII characters.", field="idempotency-key")
    return raw


def plain(text: str) -> Any:
    """What a form's text field means: JSON where it is JSON, None where it is empty, else itself.

    >>> plain("8"), plain(""), plain("fast")
    (8, None, 'fast')
    """
    if not text.strip():
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return text


def options_of(raw: str) -> dict[str, Any]:
    """Options as sent in a query: a JSON object or nothing. Raises `goat.errors.Invalid`."""
    if not raw.strip():
        return {}
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        raise Invalid('options must be a JSON object such as {"batch_size": 8}.', field="options") from None
