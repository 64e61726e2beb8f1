"""First valid answers to an image reconstruction challenge, written with NumPy alone.

    from goat.baselines.image_reconstruction import reconstruct
    reconstruct("data/eval/inputs", "answers")      # then: goat submit answers

`do_nothing` answers with the damaged images themselves: the score to beat. `reconstruct` restores
them as described in `goat.baselines.restoration`. Both read every ``.pt`` file of a folder, shape
(channels, height, width), float32 in [0, 1] or uint8, and write one file of the same name, shape and
dtype.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goat.baselines.restoration import restore
from goat.errors import Invalid
from goat.readers import read_pt, write_pt

Progress = Callable[[int, int], None]
"""Called after each image with how many are done and how many there are."""

Image = NDArray[Any]

Folder = str | os.PathLike[str]


def do_nothing(inputs: Folder, output: Folder, *, progress: Progress | None = None) -> int:
    """Answer with the inputs as they are. Returns the number of images; errors as `reconstruct`."""
    return _answer(inputs, output, lambda image: image, progress)


def reconstruct(inputs: Folder, output: Folder, *, progress: Progress | None = None) -> int:
    """Restore every image of the folder ``inputs`` into the folder ``output`` (made if missing).

    A value of exactly 0 counts as missing, all others as measured. Takes about 0.1 s per image of
    3 × 96 × 96. Returns the number of images. Raises `goat.errors.Invalid` if there is no image in
    ``inputs`` or one is not such an image, `goat.errors.Rejection` for a broken file.
    """
    return _answer(inputs, output, _restored, progress)


baseline = reconstruct
"""What ``goat baseline`` runs for a challenge of this kind."""


def _restored(image: Image) -> Image:
    if image.dtype == np.uint8:
        scaled = restore((image / np.float32(255.0)).astype(np.float32))
        bytes_: Image = np.rint(scaled * np.float32(255.0)).astype(np.uint8)
        return bytes_
    return restore(image)


def _answer(
    inputs: Folder, output: Folder, method: Callable[[Image], Image], progress: Progress | None
) -> int:
    files = sorted(Path(inputs).glob("*.pt"))
    if not files:
        raise Invalid(f"there is no .pt file in {Path(inputs)}; give the folder of the challenge's inputs")
    Path(output).mkdir(parents=True, exist_ok=True)
    if Path(output).samefile(inputs):
        raise Invalid("the answers must not replace the inputs; give another folder for them")
    for done, file in enumerate(files, start=1):
        image = read_pt(file)
        if image.ndim != 3 or image.dtype.name not in ("float32", "uint8"):
            found = f"{image.dtype}{image.shape}"
            raise Invalid(f"{file.name} is {found}, not float32 or uint8 (channels, height, width)")
        write_pt(Path(output) / file.name, method(image))
        if progress is not None:
            progress(done, len(files))
    return len(files)


baseline = reconstruct
"""What ``goat baseline`` runs for challenges of the kind that this module is named like."""
