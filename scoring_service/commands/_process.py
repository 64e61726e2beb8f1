"""What the commands share that run until they are told to stop."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable


def log_to_stderr() -> None:
    """One line per message on stderr, where the supervisor picks it up."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    logging.getLogger("dramatiq").setLevel(logging.WARNING)


def on_stop(stop: Callable[[], None]) -> None:
    """Call ``stop`` on Ctrl-C and SIGTERM instead of ending at once."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop())
