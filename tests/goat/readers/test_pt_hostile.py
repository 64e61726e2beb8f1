"""T7 and T8: hostile and mistaken `.pt` files get a typed verdict, run nothing and allocate nothing."""

from __future__ import annotations

import io
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goat.errors import Rejection
from goat.readers import read_pt
from tests.goat.readers.hostile import exploit_pickle, pt_entries, tensor, write_pickle, zip_bytes

# torch warns about what these tests save on purpose (quantised and nested tensors, scripts).
pytestmark = pytest.mark.filterwarnings("ignore")


VERDICTS = {
    *("unsupported_container", "bad_tensor_metadata", "compressed_entry", "forbidden_global", "wrong_dtype"),
    *("not_a_plain_tensor", "not_contiguous", "too_many_elements", "too_many_entries", "pickle_too_complex"),
}


def verdict(path: Path, **options: Any) -> str:
    with pytest.raises(Rejection) as refusal:
        read_pt(path, **options)
    assert len(str(refusal.value)) < 400
    assert str(refusal.value).isprintable()
    return refusal.value.verdict


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_t7_code_in_a_pickle_is_refused_and_never_run(tmp_path: Path, protocol: int) -> None:
    # Given a pickle that creates a file when it is loaded
    canary = tmp_path / "canary"
    path = write_pickle(tmp_path / "x.pt", exploit_pickle(f"touch {canary}", protocol))
    # Then
    assert verdict(path) == "forbidden_global"
    assert not canary.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R.",
        b"(S'id'\nios\nsystem\n.",
        b"(cos\nsystem\nS'id'\no.",
        b"\x80\x02cbuiltins\neval\n)\x81.",
        b"\x80\x02\x82\x01.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        b"\x80\x02ctorch.hub\nload\n.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}b.",
        b"\x80\x02ccollections\nOrderedDict\n)RX\x01\x00\x00\x00a)R.",
        b"\x80\x02ctorch\nFloatStorage\n)R.",
        b"Pos.system\n.",
    ],
)
def test_t7_every_way_to_call_something_is_refused(tmp_path: Path, data: bytes) -> None:
    assert verdict(write_pickle(tmp_path / "x.pt", data)) in ("forbidden_global", "not_a_plain_tensor")


def test_t7_names_in_verdicts_are_harmless(tmp_path: Path) -> None:
    path = write_pickle(tmp_path / "x.pt", b"c\x1b[31m<img onerror=x>\n" + b"a" * 9000 + b"\n.")
    assert verdict(path) == "forbidden_global"


def test_t7_containers_of_other_times_and_kinds_say_how_to_resave(tmp_path: Path) -> None:
    # Given every container that torch once wrote, and files that are no container at all
    path = tmp_path / "x.pt"
    torch.save(torch.rand(3), path, _use_new_zipfile_serialization=False)
    contents = {"legacy": path.read_bytes()}
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
    contents["TorchScript"] = path.read_bytes()
    contents["tar"] = b"storages".ljust(257, b"\0") + b"ustar\x0000" + b"\0" * 2000
    contents["pickle"] = pickle.dumps([1.0])
    contents["zip of other things"] = zip_bytes({"a/b.txt": b"hello"})
    contents["two top folders"] = zip_bytes({**pt_entries(tensor()), "other/data.pkl": b"."})
    contents["nothing"] = b""
    contents["text"] = b"hello"
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    contents["npy"] = buffer.getvalue()
    big_endian = pt_entries(tensor())
    big_endian["archive/byteorder"] = b"big"
    contents["big-endian"] = zip_bytes(big_endian)
    for what, content in contents.items():
        # When
        path.write_bytes(content)
        with pytest.raises(Rejection) as refusal:
            read_pt(path)
        # Then
        assert refusal.value.verdict == "unsupported_container", what
        assert "torch.save(" in str(refusal.value), what


def test_t8_tensors_that_are_not_plain_are_named(tmp_path: Path) -> None:
    dense = torch.rand(3, 4)
    marked = torch.rand(2)
    marked.note = 1  # type: ignore[attr-defined]
    tensors = {
        "sparse": dense.to_sparse(),
        "csr": dense.to_sparse_csr(),
        "nested": torch.nested.nested_tensor([dense, dense[:2]]),
        "meta": torch.empty(3, 4, device="meta"),
        "quantised": torch.quantize_per_tensor(dense, 0.1, 0, torch.quint8),
        "complex": torch.randn(3, dtype=torch.complex64),
        "lazily negated": torch.randn(3, dtype=torch.complex64).conj().imag,
        "with attributes": marked,
        "dict": {"image": dense},
        "list": [dense, dense],
        "tuple": (dense,),
        "number": 3,
        "nothing": None,
        "text": "hello",
        "state dict": torch.nn.Linear(2, 2).state_dict(),
    }
    for what, value in tensors.items():
        torch.save(value, tmp_path / "x.pt")
        assert verdict(tmp_path / "x.pt") == "not_a_plain_tensor", what


def test_t8_a_numpy_array_is_refused_with_advice(tmp_path: Path) -> None:
    torch.save(np.zeros(3), tmp_path / "x.pt")
    with pytest.raises(Rejection, match="from_numpy"):
        read_pt(tmp_path / "x.pt")


def test_t8_views_that_are_not_contiguous_are_refused_whatever_they_expand_to(tmp_path: Path) -> None:
    dense = torch.rand(3, 4)
    views = {
        "transposed": dense.T,
        "strided": dense[:, ::2],
        "expanded": dense[:1].expand(5, 4),
        "expanded to terabytes": torch.rand(1).expand(1 << 30),
        "overlapping": torch.rand(4).as_strided((3, 2), (1, 1)),
    }
    for what, view in views.items():
        torch.save(view, tmp_path / "x.pt")
        assert verdict(tmp_path / "x.pt") == "not_contiguous", what


@pytest.mark.parametrize(
    "lie",
    [
        {"numel": 13},
        {"numel": 0},
        {"numel": 1 << 61, "shape": (1 << 20, 4)},
        {"offset": 1},
        {"offset": 1 << 61},
        {"offset": -1},
        {"shape": (3, 5), "strides": (5, 1)},
        {"shape": (-3, -4)},
        {"strides": (-4, -1)},
        {"shape": (3,)},
        {"shape": (1 << 100, 1 << 100)},
        {"shape": (1,) * 65, "strides": (1,) * 65},
        {"key": "1"},
        {"key": "../0"},
        {"key": ""},
        {"key": "0" * 5000},
        {"storage": "DoubleStorage"},
    ],
    ids=str,
)
def test_t8_sizes_that_lie_are_found_before_anything_is_allocated(
    tmp_path: Path, lie: dict[str, Any]
) -> None:
    path = write_pickle(tmp_path / "x.pt", tensor(**lie))
    tracemalloc.start()
    code = verdict(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert code in ("bad_tensor_metadata", "not_contiguous")
    assert peak < 1 << 20


def test_t8_a_storage_that_is_cut_short_is_found(tmp_path: Path) -> None:
    assert verdict(write_pickle(tmp_path / "x.pt", tensor(), storage=b"\0" * 47)) == "bad_tensor_metadata"


def test_t8_more_elements_than_asked_for_are_refused(tmp_path: Path) -> None:
    assert verdict(write_pickle(tmp_path / "x.pt", tensor()), max_elements=11) == "too_many_elements"
    huge = tensor(numel=1 << 40, shape=(1 << 20, 1 << 20), strides=(1 << 20, 1))
    assert verdict(write_pickle(tmp_path / "x.pt", huge)) == "too_many_elements"


def test_t8_compressed_entries_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    path.write_bytes(zip_bytes(pt_entries(tensor()), zipfile.ZIP_DEFLATED))
    assert verdict(path) == "compressed_entry"


def test_t8_200_000_entries_are_refused_by_their_number_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(70_000):
            archive.writestr(zipfile.ZipInfo(f"archive/data/{index}"), b"")
    assert verdict(path) == "too_many_entries"


def test_t8_pickles_that_are_too_much_work_are_refused(tmp_path: Path) -> None:
    depth, memo = b"\x80\x02" + b"]" * 2_000_000 + b"a" * 1_999_999 + b".", b"\x80\x02"
    doubling = (
        b"\x80\x02"
        + b"]q\x00"
        + b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86q" + bytes([i + 1]) for i in range(200))
    )
    memo += b"".join(b"K\x00r" + struct.pack("<I", i * 9_999_991 % (1 << 32)) for i in range(5_000)) + b"."
    pickles = {
        "2 M lists in each other": depth,
        "60 lists in each other": b"\x80\x02" + b"]" * 60 + b"a" * 59 + b".",
        "tuples that double": doubling + b".",
        "5000 memo slots": memo,
        "10 MB of text": b"\x80\x02X" + struct.pack("<I", 10_000_000) + b"a" * 10_000_000 + b".",
        "100,000 constants": b"\x80\x02" + b"N0" * 50_000 + b".",
    }
    for what, data in pickles.items():
        assert verdict(write_pickle(tmp_path / "x.pt", data)) == "pickle_too_complex", what


@pytest.mark.parametrize(
    "data",
    [
        *(
            b"",
            b".",
            b"\x80\x02",
            b"\x80\x02N",
            b"h\x05.",
            b"t.",
            b"\x80\x02(.",
            b"\x80\x02R.",
            b"\xff.",
            b"a.",
        ),
        *(b"\x94.", b"\x80\x02]}s.", b"\x80\x02X\xff\xff\xff\x7fabc.", b"\x8b\xff\xff\xff\x7f."),
        b"I99999" + b"9" * 5000 + b"\n.",
    ],
)
def test_t8_damaged_pickles_are_refused(tmp_path: Path, data: bytes) -> None:
    assert verdict(write_pickle(tmp_path / "x.pt", data)) in ("bad_tensor_metadata", "not_a_plain_tensor")


def test_t8_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    # Given a zip that shows another pickle to a reader that takes the first
    twice = zip_bytes({**pt_entries(tensor()), "archive/data.qkl": exploit_pickle("id")})
    (tmp_path / "x.pt").write_bytes(twice.replace(b"data.qkl", b"data.pkl"))
    assert verdict(tmp_path / "x.pt") == "bad_tensor_metadata"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.integers(0, 2000), st.binary(min_size=1, max_size=4))
def test_damage_anywhere_is_a_verdict_or_harmless(tmp_path: Path, position: int, damage: bytes) -> None:
    # Given a file of torch's with a few bytes overwritten
    path = tmp_path / "x.pt"
    torch.save(torch.zeros(3, 4), path)
    content = bytearray(path.read_bytes())
    position %= len(content)
    content[position : position + len(damage)] = damage
    path.write_bytes(bytes(content))
    # Then it is read as a tensor within the file, or refused; never anything else
    code = None
    try:
        nbytes = read_pt(path).nbytes
    except Rejection as refusal:
        code, nbytes = refusal.verdict, 0
    assert nbytes <= len(content)
    assert code in {None, *VERDICTS}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.integers(0, 1200))
def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "x.pt"
    torch.save(torch.zeros(3, 4), path)
    content = path.read_bytes()
    path.write_bytes(content[: length % len(content)])
    assert verdict(path) in ("unsupported_container", "bad_tensor_metadata")
