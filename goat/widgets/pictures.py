"""Look at images of a challenge side by side, with nothing but NumPy installed."""

from __future__ import annotations

import html
import os
import struct
import zlib
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from goat.readers import read_pt


class Pictures:
    """Shown by a notebook as one row of images, each with its title."""

    def __init__(self, images: Sequence[tuple[bytes, str]]) -> None:
        self.images = list(images)
        """(PNG, title) of each."""

    def __repr__(self) -> str:
        return f"<Pictures: {', '.join(title for _, title in self.images)}>"

    def _repr_html_(self) -> str:
        style = "display:flex;flex-wrap:wrap;gap:8px"
        return f"<div style='{style}'>{''.join(_figure(png, title) for png, title in self.images)}</div>"


def side_by_side(
    *images: str | os.PathLike[str] | Any, titles: Sequence[str] = (), zoom: int = 2
) -> Pictures:
    """Images left to right: ``.pt`` files or arrays, (channels, height, width) in [0, 1] or uint8.

    ``titles`` stand below them; by default a file's folder and name.
    """
    shown = []
    for index, image in enumerate(images):
        is_file = isinstance(image, str | os.PathLike)
        pixels = _bytes(read_pt(Path(image)) if is_file else image)
        name = f"{Path(image).parent.name}/{Path(image).name}" if is_file else ""
        title = titles[index] if index < len(titles) else name
        shown.append((_png(pixels.repeat(zoom, axis=0).repeat(zoom, axis=1)), title))
    return Pictures(shown)


def _figure(png: bytes, title: str) -> str:
    text = html.escape(title)
    source = b64encode(png).decode()
    style = "image-rendering:pixelated;max-width:100%;display:block"
    image = f"<img src='data:image/png;base64,{source}' alt='{text}' style='{style}'>"
    return f"<figure style='margin:0'>{image}<figcaption>{text}</figcaption></figure>"


def _bytes(image: Any) -> Any:
    """(height, width, 3) as bytes; one channel becomes grey, of many the first, middle and last are shown."""
    import numpy as np

    image = np.asarray(image)
    if image.dtype != np.uint8:
        image = (image.clip(0, 1) * 255).round().astype(np.uint8)
    chosen = [0, len(image) // 2, len(image) - 1]
    return image[chosen].transpose(1, 2, 0)


def _png(pixels: Any) -> bytes:
    height, width, _ = pixels.shape
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)

    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
