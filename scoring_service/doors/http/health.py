"""Health: does the service work now? Its database and its queue are really asked."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

logger = logging.getLogger(__name__)
FRESH_S = 1.0
PATIENCE_S = 3.0

Check = Callable[[], None]
"""Raises when the thing it checks does not work; may block."""


class Health:
    """Runs the checks, at most once a second however many ask."""

    def __init__(self, checks: Mapping[str, Check], *, vital: str = "database") -> None:
        self._checks = checks
        self._vital = vital
        self._running: asyncio.Task[dict[str, str]] | None = None
        self._found: dict[str, str] = {}
        self._found_at = float("-inf")

    async def report(self) -> tuple[int, dict[str, Any]]:
        """HTTP status and body. Without the queue the service still accepts (``degraded``, 200); without
        the database it does not (``unhealthy``, 503)."""
        if time.monotonic() - self._found_at > FRESH_S:
            if self._running is None or self._running.done():
                self._running = asyncio.create_task(self._look())
            await asyncio.shield(self._running)
        found = self._found
        if found.get(self._vital) != "ok":
            status, word = 503, "unhealthy"
        else:
            status, word = 200, "healthy" if all(value == "ok" for value in found.values()) else "degraded"
        return status, {"status": word, "timestamp": datetime.now(UTC), **found}

    async def _look(self) -> dict[str, str]:
        results = await asyncio.gather(*(self._one(name, check) for name, check in self._checks.items()))
        self._found = dict(zip(self._checks, results, strict=True))
        self._found_at = time.monotonic()
        return self._found

    async def _one(self, name: str, check: Check) -> str:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.to_thread(check)
        except Exception as error:  # noqa: BLE001  # whatever it is, it means "does not work"
            logger.warning("health: %s does not answer: %r", name, error)
            return "unreachable"
        return "ok"
