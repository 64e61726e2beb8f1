"""JavaScript and CSS of the widgets: real files beside their classes, joined into one module each.

A widget's module cannot import its neighbours, so the files it is made of are put one after the
other; only the last one exports.
"""

from __future__ import annotations

import gzip
import threading
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

_lock = threading.Lock()


@cache
def source(*names: str) -> str:
    """The text of these files, one after the other."""
    folder = files("goat.widgets")
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)


def plotly_script() -> bytes:
    """plotly.js from plotly's own wheel, packed with gzip: 1.4 MB, sent once per open page.

    Packed because a notebook server lets only some megabytes through at once.
    """
    with _lock:  # two charts opened at once pack it once
        return _packed()


@cache
def _packed() -> bytes:
    found = find_spec("plotly")  # not imported: that alone takes a second
    assert found is not None, "plotly is a dependency"
    assert found.submodule_search_locations, "it is a package"
    script = Path(found.submodule_search_locations[0], "package_data", "plotly.min.js").read_bytes()
    return gzip.compress(script, 6, mtime=0)
