"""Is an organiser's data folder sound? The layout is every kind's, what a truth is like is told here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goat.kinds import dataset
from goat.kinds.images.settings import Config


def dataset_faults(folder: Path, config: Config) -> list[str]:
    """Faults of ``{sample,eval}/inputs`` and ``{sample,public,private}/truth``, as sentences."""

    def truth_fault(image: NDArray[Any]) -> str | None:
        if image.shape != config.shape or image.dtype.name != config.dtype:
            return f"is {image.dtype} {image.shape}, the settings say {config.dtype} {config.shape}"
        if not np.isfinite(image).all():
            return "has values that are not finite"
        if image.min() < 0 or image.max() > config.data_range:
            return f"has values outside [0, {config.data_range:g}]"
        return None

    test, ranked = set(config.names("test")), set(config.names("ranked"))
    return dataset.dataset_faults(folder, test, ranked, truth=truth_fault)
