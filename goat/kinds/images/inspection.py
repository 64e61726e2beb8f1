"""The part that reads a participant's bytes: what is there, where, and everything wrong with it.

On the server this runs in a child process and needs neither NumPy nor truth. What it returns is
small, and the parent believes none of it without checking (`goat.kinds.images.opening`).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal, NamedTuple

from goat.errors import Problem
from goat.kinds.images.findings import Findings, ranges
from goat.kinds.images.settings import Config
from goat.readers.archive import Collection, Member, list_collection, member_window, open_window
from goat.readers.faults import Fault, some
from goat.readers.pt import inspect_pt
from goat.readers.pt_layout import TensorPlace
from goat.readers.window import Window
from goat.records import Mode

_ROOM = 64
"""A file may be so many times larger than its image before it is not even measured."""
_OVERHEAD = 1 << 20


class Place(NamedTuple):
    """Where the values of one image lie."""

    offset: int
    """In the file, or in the inflated bytes if ``packed`` is given."""
    nbytes: int
    packed: tuple[int, int, int] | None = None
    """A deflated entry of the archive: (offset, packed bytes, bytes)."""


class Inspection(NamedTuple):
    form: Literal["folder", "zip", "stacked"]
    places: dict[str, Place]
    """Of the files that are as they should be, by name."""
    problems: list[Problem]


def inspect(path: Path, config: Config, mode: Mode) -> Inspection:
    """Look at a folder, a zip or a stacked `.pt`; all its problems are found at once.

    Raises OSError only if ``path`` cannot be read at all.
    """
    try:
        collection = list_collection(path, max_bytes=config.count(mode) * inflated_limit(config))
    except Fault as fault:
        return Inspection("zip", {}, [Problem(fault.code, f"the submission cannot be read: {fault.message}")])
    if collection.form == "stacked":
        return _inspect_stacked(path, config, mode)
    findings = Findings(config.names(mode))
    _judge_layout(collection, config, mode, findings)
    places = _inspect_members(path, collection, config, mode, findings)
    return Inspection(collection.form, places, findings.problems())


def inflated_limit(config: Config) -> int:
    """Bytes that one deflated file may have: room for a wrong dtype or shape to be named as such."""
    return 8 * config.image_bytes + _OVERHEAD


def _judge_layout(collection: Collection, config: Config, mode: Mode, findings: Findings) -> None:
    expected = config.names(mode)
    order = {name: index for index, name in enumerate(expected)}
    present = {member.name for member in collection.members}
    missing = [name for name in expected if name not in present]
    extra = [member.name for member in collection.members if member.name not in order]
    hint = _other_mode_hint(present, config, mode)
    if missing:
        findings.add(
            "missing_files",
            f"{len(missing)} of {len(expected)} files are missing: {ranges(missing, order)}{hint}",
        )
    counts = Counter(name.rpartition("/")[2] for name in present)
    doubled = [name for name, count in counts.items() if count > 1 and name in order]
    if doubled:
        findings.add("bad_layout", f"files occur twice, in different folders: {ranges(doubled, order)}")
    if extra:
        findings.add("bad_layout", f"{len(extra)} files do not belong here: {some(extra)}{hint}")


def _other_mode_hint(present: set[str], config: Config, mode: Mode) -> str:
    other: Mode = "ranked" if mode == "test" else "test"
    if present == set(config.names(mode)) or present != set(config.names(other)):
        return ""
    name = "test run" if other == "test" else "ranked submission"
    return f"; these are the {len(present)} files of a {name}: submit them as one (mode='{other}')"


def _inspect_members(
    path: Path, collection: Collection, config: Config, mode: Mode, findings: Findings
) -> dict[str, Place]:
    expected = set(config.names(mode))
    members = [member for member in collection.members if member.name in expected]
    places: dict[str, Place] = {}
    if collection.form == "folder":
        for member in members:
            try:
                with open_window(member.path) as window:
                    _inspect_member(window, member, config, findings, places)
            except OSError as error:
                findings.add_file(member.name, "unreadable", f"it cannot be read: {error.strerror}")
    else:
        with open_window(path) as window:
            for member in members:
                _inspect_member(window, member, config, findings, places)
    return places


def _inspect_member(
    window: Window, member: Member, config: Config, findings: Findings, places: dict[str, Place]
) -> None:
    try:
        inner = member_window(window, member, max_bytes=inflated_limit(config))
        tensor = inspect_pt(inner, max_elements=_ROOM * config.elements)
    except Fault as fault:
        findings.add_file(member.name, fault.code, fault.message)
        return
    wrong = _wrong_tensor(tensor, config.shape, config)
    if wrong:
        findings.add_file(member.name, *wrong)
    elif member.deflated:
        packed = (member.offset, member.packed, member.size)
        places[member.name] = Place(tensor.offset, tensor.nbytes, packed)
    else:
        places[member.name] = Place(member.offset + tensor.offset, tensor.nbytes)


def _inspect_stacked(path: Path, config: Config, mode: Mode) -> Inspection:
    names = config.names(mode)
    shape = (len(names), *config.shape)
    try:
        with open_window(path) as window:
            tensor = inspect_pt(window, max_elements=_ROOM * config.elements * len(names))
    except Fault as fault:
        return Inspection("stacked", {}, [Problem(fault.code, f"the stacked file: {fault.message}")])
    wrong = _wrong_tensor(tensor, shape, config)
    if wrong:
        hint = ""
        other: Mode = "ranked" if mode == "test" else "test"
        if tensor.shape == (config.count(other), *config.shape):
            hint = f"; that is mode '{other}', submit it with mode='{other}'"
        code, message = wrong
        return Inspection("stacked", {}, [Problem(code, f"the stacked file: {message}{hint}")])
    step = config.image_bytes
    places = {name: Place(tensor.offset + index * step, step) for index, name in enumerate(names)}
    return Inspection("stacked", places, [])


def _wrong_tensor(tensor: TensorPlace, shape: tuple[int, ...], config: Config) -> tuple[str, str] | None:
    if tensor.shape != shape:
        return (
            "wrong_shape",
            f"shape is {_text(tensor.shape)}, expected {_text(shape)}{_advice(tensor, shape)}",
        )
    if tensor.dtype != config.dtype:
        method = ".float()" if config.dtype == "float32" else ".to(torch.uint8)"
        return "wrong_dtype", f"dtype is {tensor.dtype}, expected {config.dtype}; convert with {method}"
    return None


def _advice(tensor: TensorPlace, shape: tuple[int, ...]) -> str:
    if tensor.shape == (1, *shape):
        return "; drop the first dimension with .squeeze(0)"
    if len(shape) > 1 and tensor.shape == (*shape[1:], shape[0]):
        return "; the bands come first, use .movedim(-1, 0).contiguous()"
    return ""


def _text(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ")" if len(shape) <= 8 else f"of {len(shape)} dimensions"
