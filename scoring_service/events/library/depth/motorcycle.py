"""The one real scene: a motorcycle in a garage, with its measured depth, cut into six tiles.

NOTICE. The left picture of the pair and its disparity ship inside the wheel of scikit-image and are not
redistributed by us; see `scoring_service.events.library.wheel_images`. They come from the Middlebury
2014 stereo benchmark: D. Scharstein, H. Hirschmüller, Y. Kitajima, G. Krathwohl, N. Nesic, X. Wang,
P. Westling, "High-resolution stereo datasets with subpixel-accurate ground truth", GCPR 2014.

Each third of the picture belongs to one split, with two tiles of 224 × 224 pixels above one another;
34 pixels between two thirds belong to none. Tiles are cut before they are scaled, so no pixel of a split
takes part in a pixel of another.

Where no disparity was measured (infinite: 2 to 12 % of a tile, mostly background that only one camera
saw), the depth is that of the farther of the two nearest measured pixels of the row, which is what an
occluded background most likely has. Those pixels count in the score like the others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from goat.records import Split
from scoring_service.events.library import wheel_images

PICTURE = "skimage/motorcycle_left.png"
DISPARITY = "skimage/motorcycle_disp.npz"

TILE = 224
COLUMNS: dict[Split, int] = {"sample": 17, "public": 275, "private": 500}
"""Left edge of each split's tiles."""
ROWS = (24, 272)

# Calibration of the pair at this size, from scikit-image's documentation: pixels, and metres.
_FOCAL, _OFFSET, _BASELINE = 994.978, 31.086, 0.193001


def tiles(split: Split, size: int) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """The two tiles of a split as `render` gives them: picture (3, size, size), depth in metres (1, …).

    Raises `goat.errors.Invalid` if the wheel of scikit-image is missing.
    """
    with Image.open(wheel_images.find(PICTURE)) as picture:
        colours = picture.convert("RGB")
    far = depth()
    left = COLUMNS[split]
    return [(_scaled(colours, left, top, size), _sampled(far, left, top, size)) for top in ROWS]


def depth() -> NDArray[np.float32]:
    """Depth along the camera's axis of the whole picture (500, 741), in metres, without holes."""
    with np.load(wheel_images.find(DISPARITY)) as archive:
        disparity = archive[archive.files[0]].astype(np.float64)
    return (_FOCAL * _BASELINE / (filled(disparity) + _OFFSET)).astype(np.float32)


def filled(disparity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each hole (not finite) takes the smaller of the nearest values to its left and right in the row."""
    known = np.isfinite(disparity)
    column = np.arange(disparity.shape[1])
    left = np.maximum.accumulate(np.where(known, column, -1), axis=1)
    right = np.minimum.accumulate(np.where(known, column, disparity.shape[1])[:, ::-1], axis=1)[:, ::-1]
    # A column of "infinitely near" at both ends stands for what lies beyond the picture.
    fenced = np.pad(np.where(known, disparity, 0.0), ((0, 0), (1, 1)), constant_values=np.inf)
    row = np.arange(len(disparity))[:, None]
    return np.asarray(np.minimum(fenced[row, left + 1], fenced[row, right + 1]))


def _scaled(picture: Image.Image, left: int, top: int, size: int) -> NDArray[np.uint8]:
    """A tile of the picture; Pillow resamples in integers, so the bytes do not depend on the machine."""
    tile = picture.crop((left, top, left + TILE, top + TILE))
    pixels = np.asarray(tile.resize((size, size), Image.Resampling.LANCZOS))
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _sampled(far: NDArray[np.float32], left: int, top: int, size: int) -> NDArray[np.float32]:
    """A tile of the depth: the pixel in the middle of each new one, since a mean of edges lies nowhere."""
    middle = (2 * np.arange(size) + 1) * TILE // (2 * size)
    return np.ascontiguousarray(far[top + middle][:, left + middle][None])
