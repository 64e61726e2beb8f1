"""Readers of files that strangers send, and the writer of the one format they are asked for.

Nothing here executes, unpickles or writes what it reads. NumPy is only imported when a function
that needs it is used, so `import goat.readers` costs nothing.

    from goat.readers import write_pt, read_pt
    write_pt("sample_0000.pt", image)          # opens with torch.load(weights_only=True)
    image = read_pt("sample_0000.pt")          # no torch needed
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from goat.readers.pt import read_pt
    from goat.readers.pt_writer import write_pt, write_stacked_pt

__all__ = ["read_pt", "write_pt", "write_stacked_pt"]

_HOMES = {
    "read_pt": "goat.readers.pt",
    "write_pt": "goat.readers.pt_writer",
    "write_stacked_pt": "goat.readers.pt_writer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
