"""Maps the images that an inspection found, believing nothing that it says."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goat.errors import Rejection
from goat.kinds.images.inspection import Inspection, Place, inflated_limit
from goat.kinds.images.settings import Config
from goat.readers.archive import inflate
from goat.readers.faults import Fault

Image = NDArray[Any]


def open_images(
    artifact: Path, inspection: Inspection, config: Config, names: tuple[str, ...]
) -> Iterator[tuple[str, Image]]:
    """(name, values) of each of ``names`` that has a place, in that order.

    The values are read-only, C-contiguous and aligned, of the settings' shape and dtype, and valid
    until the next one is asked for. Raises `goat.errors.Rejection` (``bad_tensor_metadata``,
    ``bad_archive``) if a place lies outside the file: an honest inspection never says so.
    """
    if inspection.form == "folder":
        for name in names:
            place = inspection.places.get(name)
            if place is not None:
                yield name, _view(_map(os.path.join(artifact, name)), place, config, name)
        return
    if not inspection.places:
        return
    mapping = _map(artifact)
    for name in names:
        place = inspection.places.get(name)
        if place is not None:
            yield name, _view(mapping, place, config, name)


def _map(path: str | os.PathLike[str]) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        # Closed when the last array over it goes; closing it earlier would raise.
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    finally:
        os.close(descriptor)


def _view(mapping: mmap.mmap, place: Place, config: Config, name: str) -> Image:
    source: mmap.mmap | bytes = mapping
    if place.packed is not None:
        offset, packed, size = place.packed
        _require(offset >= 0 and packed >= 0 and offset + packed <= len(mapping), name)
        try:
            source = inflate(mapping[offset : offset + packed], size, max_bytes=inflated_limit(config))
        except Fault as fault:
            raise Rejection.of(fault.code, f"{name}: {fault.message}", name) from fault
    _require(
        place.nbytes == config.image_bytes and 0 <= place.offset <= len(source) - place.nbytes,
        name,
    )
    image = np.frombuffer(source, config.dtype, config.elements, place.offset).reshape(config.shape)
    # Other people's archives put values anywhere; vector code wants them aligned.
    return image if image.flags.aligned else image.copy()


def _require(sound: bool, name: str) -> None:
    if not sound:
        raise Rejection.of("bad_tensor_metadata", f"{name}: its values lie outside the file", name)
