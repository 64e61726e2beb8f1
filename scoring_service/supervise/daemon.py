"""supervisord, made to survive a full disk.

It reports a log that cannot be written on its standard error, which is a file on the same disk; the
exception of that second failure would end it, and everything that it looks after.
"""

from __future__ import annotations

import contextlib
import io
import sys


class Lenient(io.TextIOBase):
    """Passes text on and shrugs when it cannot."""

    def __init__(self, target: io.TextIOBase) -> None:
        self._target = target

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._target.write(text)
            self._target.flush()
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._target.flush()


def main() -> None:
    from supervisor.supervisord import main as supervise

    sys.stdout, sys.stderr = Lenient(sys.stdout), Lenient(sys.stderr)  # type: ignore[arg-type]
    supervise()


if __name__ == "__main__":
    main()
