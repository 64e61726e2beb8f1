"""Honest `.pt` files: everything torch saves as one plain tensor is read as torch reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from goat.errors import Rejection
from goat.readers import read_pt, write_pt, write_stacked_pt
from goat.readers.pt import inspect_pt
from goat.readers.pt_writer import STORAGE_OF_DTYPE
from goat.readers.window import FileWindow

DTYPES = [
    torch.float32,
    torch.float64,
    torch.float16,
    torch.uint8,
    torch.int8,
    torch.int64,
    torch.bool,
    torch.uint16,
]
SHAPES = [(3, 4, 5), (7,), (), (0, 3), (1, 1, 1), (2, 3, 4, 5)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_torch_saved_is_read_bit_for_bit(
    tmp_path: Path, dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    # Given
    saved = (torch.rand(shape) * 100).to(dtype)
    torch.save(saved, tmp_path / "x.pt")
    # When
    read = read_pt(tmp_path / "x.pt")
    # Then
    assert read.shape == saved.shape
    assert read.dtype == saved.numpy().dtype
    assert np.array_equal(read, saved.numpy())
    assert not read.flags.writeable


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_pickle_protocol_of_torch_is_read(tmp_path: Path, protocol: int) -> None:
    saved = torch.rand(3, 4)
    torch.save(saved, tmp_path / "x.pt", pickle_protocol=protocol)
    assert np.array_equal(read_pt(tmp_path / "x.pt"), saved.numpy())


def test_a_parameter_is_the_tensor_that_it_holds(tmp_path: Path) -> None:
    saved = torch.nn.Parameter(torch.rand(3, 4))
    torch.save(saved, tmp_path / "x.pt")
    assert np.array_equal(read_pt(tmp_path / "x.pt"), saved.detach().numpy())


def test_a_contiguous_view_of_a_larger_storage_is_read_at_its_offset(tmp_path: Path) -> None:
    whole = torch.rand(10, 3, 4)
    torch.save(whole[6], tmp_path / "x.pt")
    assert np.array_equal(read_pt(tmp_path / "x.pt"), whole[6].numpy())


def test_the_strides_of_single_element_dimensions_do_not_matter(tmp_path: Path) -> None:
    odd = torch.rand(12).as_strided((1, 3, 1, 4), (99, 4, 77, 1))
    torch.save(odd, tmp_path / "x.pt")
    assert np.array_equal(read_pt(tmp_path / "x.pt"), odd.numpy())


def test_requires_grad_does_not_matter(tmp_path: Path) -> None:
    torch.save(torch.ones(3, requires_grad=True), tmp_path / "x.pt")
    assert read_pt(tmp_path / "x.pt").tolist() == [1, 1, 1]


def test_bfloat16_is_known_but_has_no_numpy_form(tmp_path: Path) -> None:
    torch.save(torch.ones(3, dtype=torch.bfloat16), tmp_path / "x.pt")
    with pytest.raises(Rejection) as refusal:
        read_pt(tmp_path / "x.pt")
    assert refusal.value.verdict == "wrong_dtype"


def test_the_values_lie_where_the_inspection_says(tmp_path: Path) -> None:
    # Given a file whose storage is mapped by offset alone
    saved = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    path = tmp_path / "x.pt"
    torch.save(saved, path)
    # When
    with open(path, "rb") as file:
        place = inspect_pt(FileWindow(file.fileno(), 0, path.stat().st_size))
    # Then
    raw = path.read_bytes()[place.offset : place.offset + place.nbytes]
    assert raw == saved.numpy().tobytes()
    assert place.offset % 64 == 0


@pytest.mark.parametrize("dtype", sorted(STORAGE_OF_DTYPE))
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_torch_opens_what_write_pt_wrote(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    # Given
    array = np.asarray(np.random.default_rng(0).random(shape) * 100).astype(dtype)
    # When
    write_pt(tmp_path / "x.pt", array)
    # Then torch reads it, also mapped, and so do we
    for mapped in (False, True):
        loaded = torch.load(tmp_path / "x.pt", weights_only=True, mmap=mapped)
        assert np.array_equal(loaded.numpy(), array)
        assert str(loaded.dtype) == f"torch.{dtype}"
        assert loaded.is_contiguous()
    assert np.array_equal(read_pt(tmp_path / "x.pt"), array)


def test_equal_arrays_are_equal_files(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    write_pt(tmp_path / "one.pt", array)
    write_pt(tmp_path / "other.pt", array.copy())
    write_pt(tmp_path / "turned.pt", np.asfortranarray(array))
    write_pt(tmp_path / "swapped.pt", array.astype(">f4"))
    contents = {path.read_bytes() for path in tmp_path.iterdir()}
    assert len(contents) == 1


def test_an_array_without_a_torch_dtype_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="dtype"):
        write_pt(tmp_path / "x.pt", np.zeros(3, dtype=np.complex64))
    assert list(tmp_path.iterdir()) == []


def test_a_stack_is_written_image_by_image(tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((5, 3, 8, 8)).astype(np.float32)
    write_stacked_pt(tmp_path / "stack.pt", iter(images), 5, dtype="float32", shape=(3, 8, 8))
    assert np.array_equal(torch.load(tmp_path / "stack.pt", weights_only=True).numpy(), images)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((4, 3, 8, 8), np.float32),
        np.zeros((5, 3, 8, 9), np.float32),
        np.zeros((5, 3, 8, 8), np.float64),
    ],
    ids=["too few", "wrong shape", "wrong dtype"],
)
def test_a_stack_that_is_not_as_announced_leaves_no_file(tmp_path: Path, images: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="image"):
        write_stacked_pt(tmp_path / "stack.pt", iter(images), 5, dtype="float32", shape=(3, 8, 8))
    assert list(tmp_path.iterdir()) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.data())
def test_writing_and_reading_is_the_identity(tmp_path: Path, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(sorted(STORAGE_OF_DTYPE)))
    array = data.draw(arrays.arrays(dtype, arrays.array_shapes(max_dims=4, max_side=6)))
    write_pt(tmp_path / "x.pt", array)
    assert read_pt(tmp_path / "x.pt").tobytes() == array.tobytes()
