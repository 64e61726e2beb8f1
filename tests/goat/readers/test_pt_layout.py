"""The memory of layouts is only a short cut: it never finds what the reader would not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from goat.errors import Rejection
from goat.readers import pt, read_pt, write_pt
from goat.readers.pt_layout import LayoutMemory, TensorPlace
from goat.readers.window import BytesWindow
from tests.goat.readers.hostile import exploit_pickle, pt_entries, tensor, zip_bytes


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> LayoutMemory:
    fresh = LayoutMemory()
    monkeypatch.setattr(pt, "_LAYOUTS", fresh)
    return fresh


def remembered(content: bytes) -> TensorPlace | None:
    return pt._LAYOUTS.recall(BytesWindow(content))


def outcome(content: bytes, memory: LayoutMemory) -> TensorPlace | str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pt, "_LAYOUTS", memory)
        try:
            return pt.inspect_pt(BytesWindow(content))
        except pt.Fault as fault:
            return fault.code


def save_with_torch(path: Path, image: np.ndarray) -> None:
    torch.save(torch.from_numpy(image), path)


@pytest.mark.parametrize("write", [write_pt, save_with_torch])
def test_the_second_file_of_a_program_is_recognised_and_read_right(
    tmp_path: Path, write: Callable[[Path, np.ndarray], None]
) -> None:
    # Given two images of one shape under two names of one length
    images = np.random.default_rng(0).random((2, 3, 32, 32)).astype(np.float32)
    for index, image in enumerate(images):
        write(tmp_path / f"sample_{index}.pt", image)
    assert np.array_equal(read_pt(tmp_path / "sample_0.pt"), images[0])
    # Then the second needs no parsing, and has its own values
    assert remembered((tmp_path / "sample_1.pt").read_bytes()) is not None
    assert np.array_equal(read_pt(tmp_path / "sample_1.pt"), images[1])


def test_another_shape_or_dtype_of_the_same_size_is_not_mistaken(tmp_path: Path) -> None:
    # Given tensors whose files have the same size
    tensors = [torch.zeros(3, 4), torch.zeros(4, 3), torch.zeros(12, 1), torch.zeros(3, 4, dtype=torch.int32)]
    for saved in (tensors * 2)[:7]:
        # When they are read one after the other
        torch.save(saved, tmp_path / "x.pt")
        read = read_pt(tmp_path / "x.pt")
        # Then each is what it is
        assert (read.shape, str(read.dtype)) == (saved.shape, str(saved.dtype).removeprefix("torch."))


def test_a_hostile_file_of_the_same_size_is_still_refused(tmp_path: Path) -> None:
    # Given an honest file, remembered, and one in which only the pickle differs
    honest = tensor(numel=1200)
    hostile = exploit_pickle("id").ljust(len(honest), b".")
    assert len(hostile) == len(honest)
    path = tmp_path / "x.pt"
    path.write_bytes(zip_bytes(pt_entries(honest, bytes(4800))))
    read_pt(path)
    assert remembered(path.read_bytes()) is not None
    path.write_bytes(zip_bytes(pt_entries(hostile, bytes(4800))))
    # Then
    with pytest.raises(Rejection) as refusal:
        read_pt(path)
    assert refusal.value.verdict in ("forbidden_global", "bad_tensor_metadata")


def test_a_limit_on_elements_holds_for_remembered_files_too(tmp_path: Path) -> None:
    write_pt(tmp_path / "x.pt", np.zeros((3, 32, 32), np.float32))
    read_pt(tmp_path / "x.pt")
    assert remembered((tmp_path / "x.pt").read_bytes()) is not None
    with pytest.raises(Rejection) as refusal:
        read_pt(tmp_path / "x.pt", max_elements=100)
    assert refusal.value.verdict == "too_many_elements"


def test_the_memory_is_bounded(memory: LayoutMemory, tmp_path: Path) -> None:
    for size in range(300, 400):
        write_pt(tmp_path / "x.pt", np.zeros(size, np.float32))
        read_pt(tmp_path / "x.pt")
    assert len(memory._of_size) <= 32


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=3), st.booleans())
@example(14, b"\1\1\1", False)
def test_whatever_is_damaged_the_short_cut_and_the_reader_agree(
    tmp_path: Path, position: int, damage: bytes, from_end: bool
) -> None:
    # Given a remembered file, and a damaged copy
    torch.save(torch.zeros(3, 20, 20), tmp_path / "x.pt")
    honest = (tmp_path / "x.pt").read_bytes()
    warm = LayoutMemory()
    expected = outcome(honest, warm)
    position = len(honest) - 1 - position % 1100 if from_end else position % 1100
    content = (honest[:position] + damage + honest[position + len(damage) :])[: len(honest)]
    # When it is read with and without the memory
    with_memory, without = outcome(content, warm), outcome(content, LayoutMemory())
    # Then they agree, but for damaged names of the top folder, of which the memory takes no notice
    if with_memory != without:
        assert with_memory == expected
        assert without in ("bad_tensor_metadata", "unsupported_container")
        assert content.count(b"x/") != honest.count(b"x/")
