"""The sweeper: once a second, repeat lost announcements and take back jobs that fell silent.

It needs nothing but the database to know what is due, so it repairs whatever the queue server forgot
and whoever was killed. Where several run on one host, one works and the others wait for its lock; on
several hosts they all work, which costs a few doubled messages and changes no result.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from pathlib import Path

from scoring_service.services import Services
from scoring_service.submissions.lifecycle import Swept
from scoring_service.workers.last_sweep import note_sweep

log = logging.getLogger(__name__)

SWEEP_EVERY_S = 1.0
TIDY_EVERY_S = 3600.0
NOTABLE_DRIFT_S = 5.0


class Sweeper:
    """`run` returns after ``stop`` was set."""

    def __init__(self, services: Services, stop: threading.Event) -> None:
        self._services = services
        self._stop = stop
        self._tidied = -TIDY_EVERY_S
        self._drifted = False

    def run(self) -> None:
        """Wait for the lock, then sweep every second."""
        lock = self._services.settings.home / "run" / "sweeper.lock"
        lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while not _locked(descriptor, lock):
                if self._stop.wait(SWEEP_EVERY_S):
                    return
            log.info("the sweeper is ready")
            while not self._stop.wait(SWEEP_EVERY_S):
                self.once()
        finally:
            os.close(descriptor)

    def once(self) -> None:
        """One round; a fault is logged and the next round tries again."""
        try:
            swept = self._services.lifecycle.sweep()
            if swept != Swept():
                log.info("%s", swept)
            note_sweep(self._services.settings.home)
            self._watch_clock()
            if time.monotonic() - self._tidied > TIDY_EVERY_S:
                self._services.store.clean_spool()
                self._tidied = time.monotonic()
        except Exception:
            log.exception("this sweep failed; the next one tries again")

    def _watch_clock(self) -> None:
        drift = self._services.clock.drift()
        drifted = abs(drift) > NOTABLE_DRIFT_S
        if drifted and not self._drifted:
            log.warning(
                "this machine's clock is %.1f s off the service's time; "
                "deadlines and leases follow the service's time",
                drift,
            )
        self._drifted = drifted


def _locked(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log.info("another sweeper holds %s; waiting for it", path)
        return False
    return True
