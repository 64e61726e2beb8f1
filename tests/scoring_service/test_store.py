"""Uploaded bytes are kept under their digest, whole or not at all."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import pytest

from goat.errors import StorageFull
from scoring_service.store import Store


def test_what_was_uploaded_is_there_byte_for_byte_under_its_digest(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.open_upload() as upload:
        upload.write(b"first ")
        upload.write(b"second")
        digest = upload.finish()
    assert digest == hashlib.sha256(b"first second").hexdigest()
    assert store.path(digest).read_bytes() == b"first second"
    assert store.verify(digest)
    assert list(store.spool.iterdir()) == []


def test_an_unfinished_upload_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.open_upload() as upload:
        upload.write(b"half")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_damaged_or_missing_file_is_noticed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.open_upload() as upload:
        upload.write(b"good")
        digest = upload.finish()
    store.path(digest).write_bytes(b"evil")
    assert not store.verify(digest)
    store.path(digest).unlink()
    assert not store.verify(digest)


def test_a_full_disk_is_a_clear_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    with store.open_upload() as upload:
        file = upload._file

        class Full:
            def write(self, _chunk: memoryview) -> int:
                raise OSError(errno.ENOSPC, "No space left on device")

            def close(self) -> None:
                file.close()

        monkeypatch.setattr(upload, "_file", Full())
        with pytest.raises(StorageFull, match="disk is full"):
            upload.write(b"x")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_uploads_stop_before_the_disk_is_full(tmp_path: Path) -> None:
    with pytest.raises(StorageFull):
        Store(tmp_path, free_space_floor=1 << 62).require_space(1)
    Store(tmp_path).require_space(1)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "0" * 63])
def test_only_digests_name_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="digest"):
        Store(tmp_path).path(name)
