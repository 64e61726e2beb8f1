"""Downloading a challenge's data: whole, verified, once, read-only."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import goat
from goat.cache import cache_dir
from goat.client import Client
from goat.datasets import extract
from tests.goat.fake_service import EVAL, SAMPLE, FakeService, Reply, times

GET = "/v1/challenges/task1/data/sample.zip"


def test_data_is_downloaded_once_and_verified(client: Client, logged_in: FakeService) -> None:
    # When the data is asked for twice
    first = goat.data("task1", client=client)
    second = goat.data("task1", client=client)

    # Then it came once, and lies where it says
    assert first == second
    assert logged_in.asked[f"GET {GET}"] == 1
    assert (first.sample_inputs / "a.txt").read_text() == "1"
    assert (first.sample_truth / "b.txt").read_text() == "2.5"
    assert (first.eval_inputs / "b.txt").read_text() == "4"


def test_downloaded_data_is_read_only_and_leaves_nothing_else(client: Client) -> None:
    found = goat.data("task1", client=client)
    assert stat.S_IMODE((found.sample_inputs / "a.txt").stat().st_mode) == 0o444
    assert stat.S_IMODE(found.sample_inputs.stat().st_mode) == 0o555
    leftovers = [name for name in os.listdir(cache_dir() / "data") if not name.startswith("task1-")]
    assert leftovers == []
    assert not list((cache_dir() / "data").glob("*.part"))


def test_a_broken_download_goes_on_where_it_stopped(client: Client, logged_in: FakeService) -> None:
    # Given a connection that breaks after two of three megabytes
    cut = Reply(200, SAMPLE, {}, "application/zip", cut_after=2_000_000)
    logged_in.faults.append(times(1, cut, path=GET))

    # When the data is asked for
    found = goat.data("task1", parts=("sample",), client=client)

    # Then only the rest was asked for again
    assert (found.part("sample") / "big").stat().st_size == 3_000_000
    ranges = [headers["range"] for headers in logged_in.headers if "range" in headers]
    assert len(ranges) == 1
    assert 0 < int(ranges[0].removeprefix("bytes=").rstrip("-")) <= 2_000_000


def test_a_download_of_an_earlier_run_is_resumed(client: Client, logged_in: FakeService) -> None:
    # Given a partial file of a run that was killed
    digest = hashlib.sha256(EVAL).hexdigest()
    part = cache_dir() / "data" / f"task1-eval-{digest[:24]}.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(EVAL[:100])

    # When the data is asked for, Then it starts at its end
    goat.data("task1", parts=("eval",), client=client)
    assert "bytes=100-" in [headers.get("range") for headers in logged_in.headers]


def test_a_damaged_partial_file_is_fetched_anew(client: Client, logged_in: FakeService) -> None:
    digest = hashlib.sha256(EVAL).hexdigest()
    part = cache_dir() / "data" / f"task1-eval-{digest[:24]}.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"garbage" * 10)
    found = goat.data("task1", parts=("eval",), client=client)
    assert (found.eval_inputs / "a.txt").read_text() == "3"


def test_data_that_is_not_what_was_announced_is_refused(client: Client, logged_in: FakeService) -> None:
    damaged = Reply(200, bytes(len(SAMPLE)), {}, "application/zip")
    logged_in.faults.append(times(2, damaged, path=GET))
    with pytest.raises(goat.RequestError, match="damaged"):
        goat.data("task1", client=client)
    assert not list((cache_dir() / "data").glob("task1-*"))


def test_a_part_that_was_not_fetched_says_how(client: Client) -> None:
    found = goat.data("task1", parts=("eval",), client=client)
    with pytest.raises(goat.NotFound, match=r"goat\.data"):
        _ = found.sample_truth


@pytest.mark.parametrize(
    "name", ["../out.txt", "/etc/out.txt", "a/../../out.txt", "c:/out.txt", "a\\..\\out.txt"]
)
def test_an_archive_cannot_write_outside_its_folder(tmp_path: Path, name: str) -> None:
    # Given an archive with a name that points elsewhere
    archive = tmp_path / "bad.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("fine.txt", "fine")
        packed.writestr(name, "out")

    # When it is unpacked, Then it is refused and nothing is left, inside or outside
    with pytest.raises(goat.RequestError, match="unsafe"):
        extract(archive, tmp_path / "in" / "target")
    assert os.listdir(tmp_path / "in") == []
    assert sorted(os.listdir(tmp_path)) == ["bad.zip", "home", "in"] or sorted(os.listdir(tmp_path)) == [
        "bad.zip",
        "in",
    ]


def test_an_archive_cannot_plant_a_link(tmp_path: Path) -> None:
    archive = tmp_path / "bad.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(link, "/etc/passwd")
    with pytest.raises(goat.RequestError, match="no file"):
        extract(archive, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_two_notebooks_of_a_team_download_once(logged_in: FakeService) -> None:
    # Given two programs that want the same data at the same time
    with ThreadPoolExecutor(2) as pool, Client() as one, Client() as two:
        found = list(pool.map(lambda client: goat.data("task1", client=client), (one, two)))

    # Then both have it, and it came once
    assert found[0] == found[1]
    assert logged_in.asked[f"GET {GET}"] == 1


def test_a_lock_left_by_a_crash_does_not_block(client: Client, logged_in: FakeService) -> None:
    digest = hashlib.sha256(EVAL).hexdigest()
    lock = cache_dir() / "data" / f"task1-eval-{digest[:24]}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    os.utime(lock, (0, 0))
    assert goat.data("task1", parts=("eval",), client=client).eval_inputs.is_dir()
