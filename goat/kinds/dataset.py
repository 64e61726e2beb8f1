"""Is an organiser's data folder sound? Everything that is not is said at once.

The layout is the same for every kind with numbered samples: ``{sample,eval}/inputs`` and
``{sample,public,private}/truth``, each hidden sample in exactly one of the two hidden parts.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from goat.errors import Rejection
from goat.readers.faults import printable, some
from goat.readers.pt import read_pt

Fault = Callable[[NDArray[Any]], str | None]
"""What is wrong with one array, as the end of a sentence; None if it is sound."""

_INPUTS = ("sample/inputs", "eval/inputs")
_TRUTHS = ("sample/truth", "public/truth", "private/truth")


def dataset_faults(
    folder: Path, test: set[str], ranked: set[str], *, truth: Fault, inputs: Fault | None = None
) -> list[str]:
    """Faults of the folder, as sentences.

    test, ranked: the names that the settings give each mode. truth, inputs: what an array of that
    place must be like; inputs are not opened where no such rule is given.
    """
    listed = {place: _names(folder / place) for place in (*_INPUTS, *_TRUTHS)}
    faults = [f"{place} does not exist" for place, names in listed.items() if names is None]
    if (folder / "eval" / "truth").exists():
        faults.append("eval/truth exists: eval is published, the hidden truth belongs in public and private")
    names = {place: found or set() for place, found in listed.items()}
    faults += _difference("sample/inputs", names["sample/inputs"], test)
    faults += _difference("sample/truth", names["sample/truth"], test)
    faults += _difference("eval/inputs", names["eval/inputs"], ranked)
    public, private = names["public/truth"], names["private/truth"]
    faults += _difference("public/truth and private/truth together", public | private, ranked)
    if shared := sorted(public & private):
        faults.append(f"public/truth and private/truth share {len(shared)} files: {some(shared)}")
    faults += [f"{place} is empty" for place in ("public/truth", "private/truth") if listed[place] == set()]
    for places, rule in ((_INPUTS, inputs), (_TRUTHS, truth)):
        if rule is not None:
            faults += [
                f"{place}/{printable(name)} {fault}"
                for place in places
                for name in sorted(names[place])
                if (fault := _fault(folder / place / name, rule)) is not None
            ]
    return faults


def _names(folder: Path) -> set[str] | None:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else None


def _difference(place: str, found: set[str], expected: set[str]) -> list[str]:
    faults = []
    if missing := sorted(expected - found):
        faults.append(f"{place} lacks {len(missing)} files: {some(missing)}")
    if extra := sorted(found - expected):
        faults.append(f"{place} has {len(extra)} files that the settings do not name: {some(extra)}")
    return faults


def _fault(path: Path, rule: Fault) -> str | None:
    try:
        array = read_pt(path)
    except (OSError, Rejection) as error:
        return f"cannot be read: {error}"
    return rule(array)
