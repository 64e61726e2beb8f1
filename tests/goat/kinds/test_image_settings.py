"""What an organiser declares: settings, data folder, and what is packed for upload."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goat.errors import Invalid, Rejection
from goat.kinds.base import get_kind, parse_config, scorer_digest
from goat.kinds.image_reconstruction import KIND
from goat.readers import write_pt
from goat.readers.archive import list_collection
from tests.goat.kinds.challenges import SHAPE, WEIGHTED, make_challenge, write_folder

SOUND: dict[str, Any] = {"shape": [3, 16, 20], "samples": {"test": 3, "ranked": 8}}


def test_the_registry_finds_the_kind() -> None:
    assert get_kind("image_reconstruction") is KIND


@pytest.mark.parametrize(
    "settings",
    [
        SOUND,
        {
            "shape": [29, 96, 96],
            "samples": {"test": 30, "ranked": 300},
            "psnr_cap": 50,
            "formula": WEIGHTED,
            "unit": "",
        },
        {**SOUND, "dtype": "uint8", "data_range": 255},
        {**SOUND, "formula": "sam", "higher_is_better": False, "unit": "°"},
    ],
)
def test_sound_settings_are_accepted(settings: dict[str, Any]) -> None:
    assert KIND.validate(parse_config(KIND, settings)) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"shape": [3]}, "shape"),
        ({"shape": [3, 0, 16]}, "shape"),
        ({"shape": [70000, 70000]}, "elements"),
        ({"data_range": 0}, "data_range"),
        ({"dtype": "uint8", "data_range": 256}, "uint8"),
        ({"range_tolerance": -1}, "range_tolerance"),
        ({"psnr_cap": 0}, "psnr_cap"),
        ({"samples": {"test": 0, "ranked": 8}}, "samples.test"),
        ({"samples": {"test": 3, "ranked": 1}}, "samples.ranked"),
        ({"pattern": "sample.pt"}, "pattern"),
        ({"pattern": "../{:04d}.pt"}, "pattern"),
        ({"pattern": "{:999999999d}.pt"}, "pattern"),
        ({"pattern": "x_{0.__class__}.pt"}, "pattern"),
        ({"unit": "\x1b[31m"}, "unit"),
        ({"formula": "psnrr"}, "psnrr"),
        ({"formula": "0 - psnr"}, "rewards a worse psnr"),
        ({"formula": "log10(psnr)"}, "finite"),
        ({"formula": "ssim", "shape": [16, 20]}, "bands"),
        ({"domains": {"rmse": {"from": 0, "to": 1}}}, "rmse"),
        ({"domains": {"psnr": {"from": 5, "to": 5}}}, "domain"),
    ],
)
def test_unsound_settings_are_named(change: dict[str, Any], word: str) -> None:
    faults = KIND.validate(parse_config(KIND, {**SOUND, **change}))
    assert any(word in fault for fault in faults)


@pytest.mark.parametrize(
    "change", [{"dtype": "complex64"}, {"shap": [1]}, {"samples": {"test": 3}}, {"psnr_cap": "x"}]
)
def test_unknown_fields_and_wrong_types_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="image_reconstruction"):
        parse_config(KIND, {**SOUND, **change})


def test_the_scorers_digest_follows_the_settings() -> None:
    digests = {scorer_digest(KIND, parse_config(KIND, {**SOUND, "psnr_cap": cap})) for cap in (40, 40.0, 50)}
    assert len(digests) == 2


def test_a_sound_data_folder_has_no_faults(tmp_path: Path) -> None:
    for dtype in ("uint8", "float32"):
        challenge = make_challenge(tmp_path / dtype, dtype)
        assert KIND.validate_data(tmp_path / dtype, challenge.config) == []


def test_every_fault_of_a_data_folder_is_said(tmp_path: Path) -> None:
    # Given
    challenge = make_challenge(tmp_path)
    names = list(challenge.truth["public"])
    shutil.copy(tmp_path / "public/truth" / names[0], tmp_path / "private/truth" / names[0])
    (tmp_path / "public/truth" / names[1]).unlink()
    write_pt(tmp_path / "sample/truth/sample_0000.pt", np.zeros(3, np.float32))
    write_pt(tmp_path / "sample/truth/sample_0001.pt", np.full(SHAPE, np.nan, np.float32))
    write_pt(tmp_path / "sample/truth/sample_0002.pt", np.full(SHAPE, 2, np.float32))
    (tmp_path / "private/truth/sample_0001.pt").write_bytes(b"not a tensor")
    (tmp_path / "eval/inputs/notes.txt").touch()
    (tmp_path / "eval/truth").mkdir()
    shutil.rmtree(tmp_path / "sample/inputs")
    # When
    faults = "\n".join(KIND.validate_data(tmp_path, challenge.config))
    # Then
    for word in (
        "sample/inputs does not exist",
        "sample/inputs lacks 3 files",
        "eval/truth exists",
        "eval/inputs has 1 files that the settings do not name: notes.txt",
        f"share 1 files: {names[0]}",
        f"together lacks 1 files: {names[1]}",
        "sample/truth/sample_0000.pt is float32 (3,)",
        "sample/truth/sample_0001.pt has values that are not finite",
        "sample/truth/sample_0002.pt has values outside [0, 1]",
        "private/truth/sample_0001.pt cannot be read",
    ):
        assert word in faults, word


def test_a_packed_folder_is_a_stored_aligned_zip_of_the_same_bytes_every_time(tmp_path: Path) -> None:
    # Given
    challenge = make_challenge(tmp_path / "data")
    folder = write_folder(tmp_path / "my_reconstructions", challenge.good_images("test"))
    (folder / ".DS_Store").touch()
    # When it is packed twice
    with KIND.pack(folder, challenge.config, "test") as upload:
        first = upload.path.read_bytes()
        assert upload.filename == "my_reconstructions.zip"
        assert upload.size == len(first)
        members = list_collection(upload.path, max_bytes=0).members
    (folder / "sample_0000.pt").touch()
    with KIND.pack(folder, challenge.config, "test") as upload:
        again = upload.path.read_bytes()
    # Then the bytes are equal, other programs read them, nothing is compressed, all is aligned
    assert first == again
    assert not upload.path.exists()
    (tmp_path / "x.zip").write_bytes(first)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.testzip() is None
        assert [info.filename for info in archive.infolist()] == list(challenge.config.names("test"))
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    assert all(member.offset % 64 == 0 for member in members)


def test_a_file_is_uploaded_as_it_is(tmp_path: Path) -> None:
    challenge = make_challenge(tmp_path / "data")
    path = tmp_path / "mine.zip"
    path.write_bytes(b"whatever")
    with KIND.pack(path, challenge.config, "test") as upload:
        assert (upload.path, upload.filename, upload.size) == (path, "mine.zip", 8)
    assert path.exists()


def test_a_folder_that_cannot_be_packed_says_so(tmp_path: Path) -> None:
    challenge = make_challenge(tmp_path / "data")
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "loop").symlink_to(folder)
    with pytest.raises(Rejection), KIND.pack(folder, challenge.config, "test"):
        pass
