"""One ``goat-server up`` per GOAT_HOME: a lock that the kernel frees whatever way its holder ends."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any


class AlreadyRunning(Exception):
    """Somebody holds the lock; ``holder`` is what they wrote into it (``pid``, ``url``), maybe empty."""

    def __init__(self, holder: dict[str, Any]) -> None:
        super().__init__(f"held by process {holder.get('pid', 'unknown')}")
        self.holder = holder


class HomeLock:
    """The lock on one folder, as a context manager.

    The lock proper is ``flock``: it cannot go stale. The file's content only tells who has it, and,
    when it is still there although nobody has it, that the last run ended without cleaning up.
    """

    def __init__(self, home: Path, **facts: Any) -> None:
        self.path = home / "up.lock"
        self.crashed: dict[str, Any] | None = None
        """What the previous holder wrote, if it never cleaned up."""
        self._facts = {"pid": os.getpid(), **facts}
        self._descriptor = -1

    def __enter__(self) -> HomeLock:
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = self._read()
            os.close(self._descriptor)
            raise AlreadyRunning(holder) from None
        self.crashed = self._read() or None
        self._write(json.dumps(self._facts))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The file stays: unlinking it would let two processes lock two different files of one name.
        self._write("")
        os.close(self._descriptor)

    def _read(self) -> dict[str, Any]:
        with contextlib.suppress(ValueError):
            content = json.loads(os.pread(self._descriptor, 4096, 0) or b"{}")
            return content if isinstance(content, dict) else {}
        return {"pid": "unknown"}

    def _write(self, text: str) -> None:
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode(), 0)
