"""Range headers: the plain ones are served, the rest refused before anything else looks at them."""

from __future__ import annotations

import re

_RANGE = re.compile(r"bytes=(?:(\d{1,15})-(\d{1,15})?|-(\d{1,15}))")


def is_sound_range(header: str, size: int) -> bool:
    """True for one range of bytes that lies (at least in part) inside ``size`` bytes.

    >>> [is_sound_range(text, 10) for text in ("bytes=0-3", "bytes=4-", "bytes=-2")]
    [True, True, True]
    >>> [is_sound_range(text, 10) for text in ("bytes=10-", "bytes=5-2", "bytes=0-1,3-4", "lines=1-2")]
    [False, False, False, False]
    """
    found = _RANGE.fullmatch(header.strip())
    if found is None:
        return False
    first, last, suffix = found.groups()
    if suffix is not None:
        return int(suffix) > 0 and size > 0
    return int(first) < size and (last is None or int(first) <= int(last))
