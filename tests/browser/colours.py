"""Colours as a browser computes them."""

from __future__ import annotations

import re


def brightness(colour: str) -> float:
    """Of a CSS colour ``rgb(…)``, 0 to 255."""
    red, green, blue = (float(value) for value in re.findall(r"[\d.]+", colour)[:3])
    return 0.3 * red + 0.6 * green + 0.1 * blue
