"""The baseline as a participant runs it: a folder of inputs in, a folder of answers out."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import goat.baselines
from goat.baselines.image_reconstruction import do_nothing, reconstruct
from goat.errors import Invalid
from goat.kinds.base import kinds
from goat.readers import read_pt, write_pt


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    folder = tmp_path / "inputs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(3):
        write_pt(folder / f"sample_{number:04d}.pt", rng.random((3, 16, 16), dtype=np.float32))
    return folder


def test_every_input_gets_an_answer_of_its_name_shape_and_type(inputs: Path, tmp_path: Path) -> None:
    # When
    seen: list[tuple[int, int]] = []
    count = reconstruct(inputs, tmp_path / "out" / "answers", progress=lambda *step: seen.append(step))

    # Then
    answers = sorted((tmp_path / "out/answers").iterdir())
    assert [file.name for file in answers] == ["sample_0000.pt", "sample_0001.pt", "sample_0002.pt"]
    assert {(read_pt(file).shape, read_pt(file).dtype.name) for file in answers} == {((3, 16, 16), "float32")}
    assert count == 3
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_doing_nothing_returns_the_inputs(inputs: Path, tmp_path: Path) -> None:
    do_nothing(inputs, tmp_path / "answers")

    for file in inputs.iterdir():
        assert (read_pt(tmp_path / "answers" / file.name) == read_pt(file)).all()


def test_bytes_stay_bytes(tmp_path: Path) -> None:
    (tmp_path / "inputs").mkdir()
    image = np.full((1, 16, 16), 200, np.uint8)
    image[:, 5, 5] = 0
    write_pt(tmp_path / "inputs/sample_0000.pt", image)

    reconstruct(tmp_path / "inputs", tmp_path / "answers")

    answer = read_pt(tmp_path / "answers/sample_0000.pt")
    assert answer.dtype == np.uint8
    assert (np.abs(answer.astype(int) - 200) <= 2).all()


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"no \.pt file in"):
        reconstruct(tmp_path, tmp_path / "answers")


def test_inputs_are_never_overwritten(inputs: Path) -> None:
    with pytest.raises(Invalid, match="another folder"):
        do_nothing(inputs, inputs)


def test_a_file_that_is_no_image_is_named(inputs: Path, tmp_path: Path) -> None:
    write_pt(inputs / "sample_0001.pt", np.zeros((3, 16, 16)))

    with pytest.raises(Invalid, match=r"sample_0001\.pt is float64"):
        reconstruct(inputs, tmp_path / "answers")


def test_every_kind_with_a_baseline_offers_it_under_the_name_that_the_command_calls() -> None:
    installed = set(kinds())

    modules = {module.name for module in pkgutil.iter_modules(goat.baselines.__path__)} & installed

    assert "image_reconstruction" in modules
    for name in modules:
        assert callable(importlib.import_module(f"goat.baselines.{name}").baseline)


def test_a_participant_needs_no_image_library() -> None:
    script = (
        "import sys, goat.baselines.image_reconstruction;"
        "sys.exit(','.join({'skimage', 'sklearn', 'PIL', 'torch', 'cv2'} & set(sys.modules)) or None)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert (result.returncode, result.stderr) == (0, "")
