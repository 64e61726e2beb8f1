"""Is an organiser's data folder sound? Everything that is not is said at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from goat.errors import Rejection
from goat.kinds.images.findings import some
from goat.kinds.images.settings import Config
from goat.readers.pt import read_pt


def dataset_faults(folder: Path, config: Config) -> list[str]:
    """Faults of ``{sample,eval}/inputs`` and ``{sample,public,private}/truth``, as sentences."""
    listed = {
        place: _names(folder / place)
        for place in ("sample/inputs", "eval/inputs", "sample/truth", "public/truth", "private/truth")
    }
    faults = [f"{place} does not exist" for place, names in listed.items() if names is None]
    if (folder / "eval" / "truth").exists():
        faults.append("eval/truth exists: eval is published, the hidden truth belongs in public and private")
    names = {place: found or set() for place, found in listed.items()}
    test, ranked = set(config.names("test")), set(config.names("ranked"))
    faults += _difference("sample/inputs", names["sample/inputs"], test)
    faults += _difference("sample/truth", names["sample/truth"], test)
    faults += _difference("eval/inputs", names["eval/inputs"], ranked)
    public, private = names["public/truth"], names["private/truth"]
    faults += _difference("public/truth and private/truth together", public | private, ranked)
    if shared := sorted(public & private):
        faults.append(f"public/truth and private/truth share {len(shared)} files: {some(shared)}")
    faults += [f"{place} is empty" for place in ("public/truth", "private/truth") if listed[place] == set()]
    for place in ("sample/truth", "public/truth", "private/truth"):
        for name in sorted(names[place]):
            fault = _truth_fault(folder / place / name, config)
            if fault:
                faults.append(f"{place}/{name} {fault}")
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


def _truth_fault(path: Path, config: Config) -> str | None:
    try:
        image = read_pt(path)
    except (OSError, Rejection) as error:
        return f"cannot be read: {error}"
    if image.shape != config.shape or image.dtype.name != config.dtype:
        return f"is {image.dtype} {image.shape}, the settings say {config.dtype} {config.shape}"
    if not np.isfinite(image).all():
        return "has values that are not finite"
    if image.min() < 0 or image.max() > config.data_range:
        return f"has values outside [0, {config.data_range:g}]"
    return None
