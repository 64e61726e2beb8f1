"""T10: collections are listed where they lie; hostile archives get `bad_archive` and write nothing."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goat.readers.archive import inflate, list_collection, member_window, open_window
from goat.readers.faults import Fault
from tests.goat.readers.hostile import zip_bytes

FILES = {"b.pt": b"bb" * 100, "a.pt": b"aaa" * 100}


def refusal(path: Path, **options: Any) -> str:
    """The code that refuses it; nothing may appear on disk meanwhile."""
    before = sorted(p for p in path.parent.rglob("*"))
    with pytest.raises(Fault) as fault:
        list_collection(path, max_bytes=options.pop("max_bytes", 1 << 20), **options)
    assert sorted(p for p in path.parent.rglob("*")) == before
    assert fault.value.message.isprintable()
    return fault.value.code


def archive(tmp_path: Path, entries: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    path = tmp_path / "x.zip"
    path.write_bytes(zip_bytes(entries, method))
    return path


def contents(path: Path, **options: Any) -> dict[str, bytes]:
    collection = list_collection(path, max_bytes=options.pop("max_bytes", 1 << 20), **options)
    result = {}
    for member in collection.members:
        with open_window(member.path) as window:
            inner = member_window(window, member, max_bytes=1 << 20)
            result[member.name] = inner.read(0, inner.size)
    return result


def test_a_folder_a_zip_and_a_deflated_zip_hold_the_same_files(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    assert contents(folder) == FILES
    assert contents(archive(tmp_path, FILES)) == FILES
    assert contents(archive(tmp_path, FILES, zipfile.ZIP_DEFLATED)) == FILES


def test_files_are_sorted_by_name(tmp_path: Path) -> None:
    members = list_collection(archive(tmp_path, FILES), max_bytes=0).members
    assert [member.name for member in members] == ["a.pt", "b.pt"]


def test_the_litter_of_operating_systems_and_one_top_folder_are_tolerated(tmp_path: Path) -> None:
    # Given what Finder and Explorer make of a folder
    entries = {f"results/{name}": data for name, data in FILES.items()}
    litter = {
        "__MACOSX/results/._a.pt": b"x",
        "results/.DS_Store": b"x",
        "results/Thumbs.db": b"x",
        "results/": b"",
    }
    # Then only the files count, without the folder
    assert contents(archive(tmp_path, {**entries, **litter})) == FILES


def test_files_in_several_folders_keep_their_folders(tmp_path: Path) -> None:
    path = archive(tmp_path, {"one/a.pt": b"1", "two/a.pt": b"2"})
    assert contents(path) == {"one/a.pt": b"1", "two/a.pt": b"2"}


def test_a_zip_with_a_comment_or_written_as_a_stream_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as target:
        target.comment = b"PK\x05\x06 is not the end " + b"c" * 3000
        target.writestr("a.pt", FILES["a.pt"])
    assert contents(path) == {"a.pt": FILES["a.pt"]}

    class Pipe(io.RawIOBase):
        """Cannot seek, so sizes follow the data."""

        def __init__(self, target: io.BytesIO) -> None:
            self.target = target

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            return self.target.write(data)

    buffer = io.BytesIO()
    with zipfile.ZipFile(Pipe(buffer), "w", zipfile.ZIP_DEFLATED) as target:  # type: ignore[call-overload]
        target.writestr("a.pt", FILES["a.pt"])
    path.write_bytes(buffer.getvalue())
    assert contents(path) == {"a.pt": FILES["a.pt"]}


def test_zip64_archives_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as target, target.open("a.pt", "w", force_zip64=True) as entry:
        entry.write(b"hello")
    assert contents(path) == {"a.pt": b"hello"}


@pytest.mark.parametrize(
    "name",
    [
        *("../evil.pt", "a/../../evil.pt", "/etc/passwd", "C:/evil.pt", "..\\evil.pt", "a//b.pt", "./a.pt"),
        *("a\nb.pt", "con\x1b[31m.pt", "../", "//", "a.pt\x7f"),
    ],
)
def test_t10_names_that_could_slip_out_are_refused(tmp_path: Path, name: str) -> None:
    # zipfile repairs some names, so they are put in by hand, in both places
    raw = zip_bytes({"N" * len(name): b""}).replace(b"N" * len(name), name.encode())
    path = tmp_path / "x.zip"
    path.write_bytes(raw)
    assert refusal(path) == "bad_archive"


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_t10_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    info = zipfile.ZipInfo("a.pt")
    info.create_system = 3
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as target:
        target.writestr(info, "/etc/passwd")
    assert refusal(tmp_path / "x.zip") == "bad_archive"


def test_t10_a_bomb_is_refused_by_what_it_announces(tmp_path: Path) -> None:
    path = archive(tmp_path, {f"{i}.pt": b"\0" * 1_000_000 for i in range(5)}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10_000
    assert refusal(path, max_bytes=4_000_000) == "bad_archive"


def test_t10_a_bomb_that_lies_about_its_size_is_stopped_at_that_size() -> None:
    packed = zip_deflate(b"\0" * 50_000_000)
    with pytest.raises(Fault) as fault:
        inflate(packed, 1000, max_bytes=1000)
    assert fault.value.code == "bad_archive"


@pytest.mark.parametrize("size", [999, 1001])
def test_t10_announced_sizes_must_be_right(size: int) -> None:
    with pytest.raises(Fault):
        inflate(zip_deflate(b"x" * 1000), size, max_bytes=2000)


def test_t10_damaged_compressed_data_are_refused() -> None:
    with pytest.raises(Fault):
        inflate(b"\xff\xff\xff", 10, max_bytes=2000)


def test_t10_a_file_larger_than_allowed_is_not_inflated() -> None:
    with pytest.raises(Fault, match="at most 500"):
        inflate(zip_deflate(b"x" * 1000), 1000, max_bytes=500)


def test_t10_too_many_files_are_refused_in_zip_and_folder(tmp_path: Path) -> None:
    path = archive(tmp_path, {f"{i}.pt": b"" for i in range(11)})
    assert refusal(path, max_entries=10) == "too_many_entries"
    folder = tmp_path / "folder"
    folder.mkdir()
    for index in range(11):
        (folder / str(index)).touch()
    assert refusal(folder, max_entries=10) == "too_many_entries"


def test_t10_double_names_are_refused(tmp_path: Path) -> None:
    raw = zip_bytes({"a.pt": b"1", "b.pt": b"2"}).replace(b"b.pt", b"a.pt")
    (tmp_path / "x.zip").write_bytes(raw)
    assert refusal(tmp_path / "x.zip") == "bad_archive"


def patched(raw: bytes, mark: bytes, offset: int, layout: str, value: int, which: int = 0) -> bytes:
    """The archive with one number overwritten, counted from the n-th record with that mark."""
    at = -1
    for _ in range(which + 1):
        at = raw.index(mark, at + 1)
    content = bytearray(raw)
    struct.pack_into(layout, content, at + offset, value)
    return bytes(content)


LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


@pytest.mark.parametrize(
    ("what", "mark", "offset", "layout", "value"),
    [
        ("encrypted", CENTRAL, 8, "<H", 1),
        ("strongly encrypted", CENTRAL, 8, "<H", 0x40),
        ("unusual method", CENTRAL, 10, "<H", 12),
        ("another method inside", LOCAL, 8, "<H", 8),
        ("another size inside", LOCAL, 22, "<L", 7),
        ("another name length inside", LOCAL, 26, "<H", 3),
        ("data reach into the directory", LOCAL, 28, "<H", 60_000),
        ("larger than the file", CENTRAL, 20, "<L", 1 << 30),
        ("two sizes", CENTRAL, 24, "<L", 7),
        ("header beyond the file", CENTRAL, 42, "<L", 1 << 30),
        ("header is not one", CENTRAL, 42, "<L", 1),
        ("zip64 promised, not there", CENTRAL, 24, "<L", 0xFFFFFFFF),
        ("name longer than the directory", CENTRAL, 28, "<H", 60_000),
        ("more entries than there are", END, 10, "<H", 9),
        ("fewer entries than there are", END, 10, "<H", 1),
        ("directory elsewhere", END, 16, "<L", 3),
        ("directory of another size", END, 12, "<L", 3),
        ("second disk", END, 4, "<H", 1),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_t10_archives_that_lie_are_refused(
    tmp_path: Path, what: str, mark: bytes, offset: int, layout: str, value: int
) -> None:
    raw = patched(zip_bytes(FILES), mark, offset, layout, value)
    if mark == END and offset == 10:
        raw = patched(raw, END, 8, layout, value)
    if what == "larger than the file":
        raw = patched(raw, CENTRAL, 24, layout, value)
    (tmp_path / "x.zip").write_bytes(raw)
    assert refusal(tmp_path / "x.zip") == "bad_archive"


def test_t10_entries_that_share_bytes_are_refused(tmp_path: Path) -> None:
    # Given two directory entries of one name length over one local entry, as in a nested bomb
    raw = zip_bytes({"a.pt": b"x" * 50, "b.pt": b"x" * 50})
    first = raw.index(LOCAL)
    raw = patched(raw, CENTRAL, 42, "<L", first, which=1)
    raw = raw.replace(b"b.pt", b"a.pt")
    (tmp_path / "x.zip").write_bytes(raw)
    assert refusal(tmp_path / "x.zip") == "bad_archive"


def test_t10_bytes_before_the_archive_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(LOCAL + b"junk" * 10 + zip_bytes(FILES))
    assert refusal(tmp_path / "x.zip") == "bad_archive"


@pytest.mark.parametrize(
    "start", [b"\x1f\x8b\x08", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"hello", b"", b"PK"]
)
def test_other_archives_are_refused_with_what_to_send(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(start + b"\0" * 500 if start not in (b"", b"PK") else start)
    with pytest.raises(Fault, match=r"\.zip"):
        list_collection(path, max_bytes=0)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes, which Windows does not have")
def test_a_pipe_in_a_folder_is_refused_rather_than_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    os.mkfifo(folder / "a.pt")
    assert refusal(folder) == "bad_archive"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.integers(0, 2000), st.binary(min_size=1, max_size=4), st.booleans())
def test_damage_anywhere_is_a_verdict_or_harmless(
    tmp_path: Path, position: int, damage: bytes, deflated: bool
) -> None:
    raw = bytearray(zip_bytes(FILES, zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED))
    position %= len(raw)
    raw[position : position + len(damage)] = damage
    path = tmp_path / "x.zip"
    path.write_bytes(bytes(raw))
    code = None
    try:
        sizes = [len(data) for data in contents(path).values()]
    except Fault as fault:
        code, sizes = fault.code, []
    assert code in (None, "bad_archive", "too_many_entries")
    assert all(size <= 1 << 20 for size in sizes)


def zip_deflate(data: bytes) -> bytes:
    import zlib

    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush()


def test_t10_a_negative_size_does_not_lift_the_bound() -> None:
    with pytest.raises(Fault, match="unpacks"):
        inflate(zip_deflate(b"x" * 1000), -1, max_bytes=10)
