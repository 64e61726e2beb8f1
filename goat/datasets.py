"""A challenge's published data on this machine: downloaded once, verified, read-only.

Each archive lies under the cache folder in a directory named by its SHA-256, so a new version of the
data has a new path and what was fetched before stays valid. It appears there in one step, whole.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from goat.cache import alone, cache_dir, keep_alive, known_challenge
from goat.client import Client
from goat.errors import Invalid, NotFound, RequestError
from goat.progress import Display
from goat.records import Challenge, DataFile
from goat.text import markup, plain, size

PARTS = ("sample", "eval")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Dataset:
    """Where the parts of a challenge's data lie. A part that was not asked for has no path."""

    challenge: str
    data_version: str
    folders: dict[str, Path]
    """Part (``sample``, ``eval``) → its folder."""

    @property
    def sample_inputs(self) -> Path:
        """Folder of the sample split's inputs: to develop with."""
        return self.part("sample") / "inputs"

    @property
    def sample_truth(self) -> Path:
        """Folder of the sample split's truth, one file per input."""
        return self.part("sample") / "truth"

    @property
    def eval_inputs(self) -> Path:
        """Folder of the inputs that a ranked submission answers, one file each."""
        return self.part("eval") / "inputs"

    def part(self, name: str) -> Path:
        if name not in self.folders:
            raise NotFound(f"part {name!r} was not fetched: call goat.data({self.challenge!r})")
        return self.folders[name]

    def __repr__(self) -> str:
        shown = "".join(f"\n  {name}: {folder}" for name, folder in self.folders.items())
        return f"<Dataset {plain(self.challenge)}, version {plain(self.data_version)}{shown}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{markup(name)}</th>"
            f"<td style='text-align:left'><code>{markup(folder)}</code></td></tr>"
            for name, folder in self.folders.items()
        )
        return f"<table>{rows}</table>"


def fetch_data(
    client: Client,
    challenge: str,
    *,
    parts: tuple[str, ...] = PARTS,
    display: Display | None = None,
    about: Challenge | None = None,
) -> Dataset:
    """The data of a challenge, downloaded where it is not here yet.

    Raises `goat.errors.Invalid` for an unknown part, `goat.errors.NotFound` for one that the challenge
    does not publish, and the client's errors when something must be downloaded and cannot.
    """
    display = display or Display(quiet=True)
    if about is None:
        about, _ = known_challenge(client, challenge)
    published = {file.name.removesuffix(".zip"): file for file in about.data}
    folders: dict[str, Path] = {}
    for part in parts:
        if part not in PARTS:
            raise Invalid(f"unknown part {part!r}: the parts are {', '.join(PARTS)}")
        if part not in published:
            raise NotFound(f"{challenge} publishes no part {part!r}.")
        folders[part] = _part(client, challenge, about, part, published[part], display)
    return Dataset(challenge, about.data_version, folders)


def _part(
    client: Client, challenge: str, about: Challenge, part: str, file: DataFile, display: Display
) -> Path:
    home = cache_dir() / "data" / _folder_name(about, part, file)
    if not home.exists():
        archive = home.with_name(f"{home.name}.zip.part")
        lock = home.with_name(f"{home.name}.lock")
        with alone(lock):
            if not home.exists():
                _download(client, challenge, file, archive, lock, display)
                display.say(f"downloaded {part} ({size(file.size)})")
                with display.spinner(f"unpacking {part}"):
                    extract(archive, home)
                archive.unlink()
    # Archives of either style are understood: rooted in the part's folder, or holding it.
    inner = home / part
    return inner if inner.is_dir() else home


def _folder_name(about: Challenge, part: str, file: DataFile) -> str:
    if len(file.sha256) != 64 or not file.sha256.isalnum():
        raise RequestError(f"the service announces no SHA-256 for {plain(file.name)}")
    safe = "".join(char if char.isascii() and (char.isalnum() or char in "-_") else "_" for char in about.id)
    return f"{safe}-{part}-{file.sha256[:24]}"


def _download(
    client: Client, challenge: str, file: DataFile, archive: Path, lock: Path, display: Display
) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with display.bar(f"downloading {file.name}") as advance:

        def progress(so_far: int, whole: int) -> None:
            keep_alive(lock)
            advance(so_far, whole)

        client.download(challenge, file, archive, progress)


def extract(archive: Path, target: Path) -> None:
    """Unpack a zip so that ``target`` appears whole and read-only, or not at all.

    Raises `goat.errors.RequestError` for an archive that would write anywhere else, holds links, or
    is larger unpacked than its members say.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with zipfile.ZipFile(archive) as source:
            for member, place in _members(source, temporary):
                _unpack(source, member, place)
        _make_read_only(temporary)
        # Somebody may have been faster; theirs has the same content, for the name is its digest.
        with contextlib.suppress(OSError):
            temporary.rename(target)
        if not target.is_dir():
            raise OSError(f"cannot write {target}")
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise RequestError(f"{archive.name} is not a sound zip ({error}): tell the organiser.") from None
    finally:
        if temporary.exists():
            remove(temporary)


def _members(source: zipfile.ZipFile, root: Path) -> Iterator[tuple[zipfile.ZipInfo, Path]]:
    for member in source.infolist():
        path = PurePosixPath(member.filename)
        kind = stat.S_IFMT(member.external_attr >> 16)
        clean = not path.is_absolute() and ".." not in path.parts and path.parts
        if not clean or "\\" in member.filename or ":" in member.filename or "\0" in member.filename:
            raise RequestError(f"the archive holds an unsafe name: {plain(member.filename)!r}")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise RequestError(f"the archive holds something that is no file: {plain(member.filename)!r}")
        yield member, root.joinpath(*path.parts)


def _unpack(source: zipfile.ZipFile, member: zipfile.ZipInfo, place: Path) -> None:
    if member.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    # zipfile checks the CRC and never yields more than the member's declared size.
    with source.open(member) as packed, place.open("xb") as out:
        shutil.copyfileobj(packed, out, _CHUNK)


def _make_read_only(folder: Path) -> None:
    """A slip of the pen in a notebook must not change the data that everything is measured against."""
    for root, _, files in os.walk(folder, topdown=False):
        for name in files:
            os.chmod(os.path.join(root, name), 0o444)
        # The top folder stays writable for its owner: some systems refuse to rename it otherwise.
        os.chmod(root, 0o755 if Path(root) == folder else 0o555)


def remove(folder: Path) -> None:
    """Delete a folder that `extract` made read-only."""
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chmod(os.path.join(root, name), 0o700)
    shutil.rmtree(folder, ignore_errors=True)
