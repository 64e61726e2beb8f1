"""Damaged truth is the organiser's fault: it must never become the verdict on a submission."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from goat.kinds.truth import read_truth
from goat.readers import write_pt


def test_a_truth_file_that_cannot_be_read_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "sample_0000.pt").write_bytes(b"not a tensor")
    with pytest.raises(ValueError, match=r"truth sample_0000\.pt cannot be read"):
        read_truth(tmp_path, shape=(1, 4, 4), dtype="float32")


def test_truth_of_another_shape_is_an_error_of_ours(tmp_path: Path) -> None:
    write_pt(tmp_path / "sample_0000.pt", np.zeros((1, 4, 5), np.float32))
    with pytest.raises(ValueError, match="truth"):
        read_truth(tmp_path, shape=(1, 4, 4), dtype="float32")
