"""Content-addressed files: what was uploaded, under the digest of its bytes, exactly once.

An upload is written to a temporary file while it is hashed, then made durable in the order that
survives a power cut: file fsync → rename to its digest → fsync of the folder. Nothing here parses
what it stores.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from goat.errors import StorageFull

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
STALE_UPLOAD_S = 24 * 3600.0


@contextlib.contextmanager
def _full_disk_is_storage_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(
                "The server's disk is full; nothing was accepted. Tell the organiser."
            ) from error
        raise


class Upload:
    """One file on its way in. Use as a context: leaving it unfinished removes every trace."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._hash = hashlib.sha256()
        self.size = 0
        with _full_disk_is_storage_full():
            self._path = store.spool / f"{time.time_ns():x}-{os.urandom(6).hex()}"
            # Closed by finish() or abort(): the file lives longer than this call.
            self._file = open(self._path, "xb", buffering=0)  # noqa: SIM115

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.abort()

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append bytes. Raises `goat.errors.StorageFull`."""
        self._hash.update(chunk)
        self.size += len(chunk)
        with _full_disk_is_storage_full():
            view = memoryview(chunk)
            while view:
                view = view[self._file.write(view) :]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of what was written so far."""
        return self._hash.hexdigest()

    def finish(self) -> str:
        """Make the file durable under its SHA-256 and return that digest (hex)."""
        digest = self.digest
        target = self._store.path(digest)
        with _full_disk_is_storage_full():
            os.fsync(self._file.fileno())
            self._file.close()
            if not target.parent.exists():
                target.parent.mkdir(mode=0o700, exist_ok=True)
                fsync_folder(self._store.root)
            self._path.replace(target)
            fsync_folder(target.parent)
        return digest

    def abort(self) -> None:
        """Forget what was written; harmless after `finish`."""
        self._file.close()
        self._path.unlink(missing_ok=True)


class Store:
    """A folder of files named by their SHA-256."""

    def __init__(self, root: Path, *, free_space_floor: int = 0) -> None:
        self.root = root
        self.spool = root / "spool"
        self._floor = free_space_floor
        self.spool.mkdir(mode=0o700, parents=True, exist_ok=True)

    def require_space(self, size: int) -> None:
        """Raise `goat.errors.StorageFull` if ``size`` more bytes would go below the free-space floor."""
        if shutil.disk_usage(self.root).free - size < self._floor:
            raise StorageFull(
                "The server is short of disk space and takes no uploads now. Tell the organiser."
            )

    def open_upload(self) -> Upload:
        return Upload(self)

    def path(self, digest: str) -> Path:
        """Where the file of that digest lies, whether it exists or not."""
        if len(digest) != 64 or not all(c in "0123456789abcdef" for c in digest):
            raise ValueError("a digest is 64 lower-case hexadecimal digits")
        return self.root / digest[:2] / digest

    def add(self, source: Path) -> tuple[str, int]:
        """Store a copy of a local file; returns its digest and size."""
        with self.open_upload() as upload, source.open("rb") as file:
            while chunk := file.read(1 << 20):
                upload.write(chunk)
            return upload.finish(), upload.size

    def holds(self, digest: str) -> bool:
        """True if a file of that digest is there; its bytes are not looked at."""
        return self.path(digest).is_file()

    def remove(self, digest: str) -> None:
        """Remove a file, if it is there. Only for whoever knows that nothing needs it."""
        self.path(digest).unlink(missing_ok=True)

    def verify(self, digest: str) -> bool:
        """True if the file exists and its bytes have that digest."""
        try:
            with self.path(digest).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == digest
        except FileNotFoundError:
            return False

    def clean_spool(self) -> int:
        """Remove what crashed uploads left behind; returns how many files."""
        removed = 0
        for path in self.spool.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > STALE_UPLOAD_S:
                    path.unlink()
                    removed += 1
        return removed


def fsync_folder(folder: Path) -> None:
    """Make the entries of a folder durable (or the bytes of a file)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
