"""How fast a model answers: prepared calls, warmed up, timed one by one, every single time kept.

This is the one interface between what runs a model and what measures it. A call is prepared and
looked at outside the clock; only the call itself is timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class Workload(Protocol):
    """Something that can be called again and again, each time with other inputs."""

    def prepare(self, index: int) -> None:
        """Bring the inputs of call ``index`` into place. Not timed."""
        ...

    def run(self) -> None:
        """The call; returns when its result is there. Timed."""
        ...

    def collect(self, index: int) -> None:
        """Look at the result of call ``index``. Not timed."""
        ...


def measure(
    workload: Workload, *, warm_up: int, passes: int, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Seconds of each of ``passes`` calls, in the order they were made, after ``warm_up`` others."""
    for index in range(warm_up):
        workload.prepare(index)
        workload.run()
        workload.collect(index)
    seconds = []
    for index in range(warm_up, warm_up + passes):
        workload.prepare(index)
        started = clock()
        workload.run()
        seconds.append(clock() - started)
        workload.collect(index)
    return seconds
