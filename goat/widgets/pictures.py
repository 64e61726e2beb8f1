"""Look at images of a challenge side by side, with nothing but NumPy installed."""

from __future__ import annotations

import html
import os
import struct
import zlib
from base64 import b64encode
from pathlib import Path
from typing import Any

from goat.readers import read_pt


class Pictures:
    """Shown by a notebook as one row of images."""

    def __init__(self, png: bytes, alt: str) -> None:
        self.png, self.alt = png, alt

    def __repr__(self) -> str:
        return f"<Pictures: {self.alt}>"

    def _repr_html_(self) -> str:
        source = b64encode(self.png).decode()
        style = "image-rendering:pixelated;max-width:100%"
        return f"<img src='data:image/png;base64,{source}' alt='{html.escape(self.alt)}' style='{style}'>"


def side_by_side(*files: str | os.PathLike[str], zoom: int = 2) -> Pictures:
    """The ``.pt`` images, (3, height, width) in [0, 1] or uint8, left to right."""
    import numpy as np

    images = [_bytes(read_pt(Path(file))) for file in files]
    row = np.concatenate(images, axis=1).repeat(zoom, axis=0).repeat(zoom, axis=1)
    return Pictures(_png(row), ", ".join(f"{Path(file).parent.name}/{Path(file).name}" for file in files))


def _bytes(image: Any) -> Any:
    """(height, width, 3) as bytes; one channel becomes grey, of many the first, middle and last are shown."""
    import numpy as np

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
