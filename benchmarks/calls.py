"""What a timed call costs beyond the runtime's own: the part of `benchmarks.evaluation` on single calls."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from onnx import ModelProto

from benchmarks.common import Report, Spread
from benchmarks.models import WIDTHS, depth_network, identity
from goat.kinds.base import Device
from goat.kinds.onnx.calls import prepare_call
from goat.kinds.onnx.latency import measure
from goat.kinds.onnx.runtime import open_session


class Alone:
    """A workload whose call does what the kind's does, without inputs to bring."""

    def __init__(self, model: ModelProto, side: int, channels: int, device: Device) -> None:
        session = open_session(model.SerializeToString(), device, sizes={"batch": 1})
        shapes = (1, channels, side, side), (1, 1, side, side)
        self.call = prepare_call(device, session, ("x", "y"), *shapes)
        self.gpu = device == "gpu"

    def prepare(self, index: int) -> None:
        """Nothing to bring."""

    def run(self) -> None:
        self.call.run()

    def collect(self, index: int) -> None:
        """Nothing to look at."""


def call_overhead(report: Report, device: Device, rounds: int) -> None:
    """What the harness's clock reads beyond a bare loop of the runtime's own calls.

    Bare and timed calls take turns, a few at a time, and each side's median is taken: other processes on
    the machine meet both, and rarely enough to leave a median of short calls alone. Calls of a millisecond
    they do meet; on the CPU those are counted in processor time on both sides.
    """
    nothing = Alone(identity(8), 8, 1, device)
    bare, added = _turns(nothing, time.perf_counter, batch=20, rounds=rounds)
    report.add("a call of nothing, bare", Spread.of(bare), unit="µs")
    report.add("a call of nothing: added by the harness", Spread.of(added), unit="µs", at_most=3)
    millisecond = Alone(depth_network(WIDTHS["small"], 64), 64, 3, device)
    clock = time.thread_time if device == "cpu" else time.perf_counter
    bare, added = _turns(millisecond, clock, batch=1, rounds=rounds)
    percent = [100 * more / one for more, one in zip(added, bare, strict=True)]
    report.add("a call of about 1 ms, bare", Spread.of(bare), unit="µs")
    report.add("a call of about 1 ms: added by the harness", Spread.of(percent), unit="%", at_most=0.5)


def _turns(
    work: Alone, clock: Callable[[], float], *, batch: int, rounds: int
) -> tuple[list[float], list[float]]:
    """Per round: microseconds of a bare call, and how many more the harness tells for one."""
    session, binding = work.call._session, work.call._binding  # type: ignore[attr-defined]

    def bare() -> float:
        started = clock()
        for _ in range(batch):
            session.run_with_iobinding(binding)
            if work.gpu:
                binding.synchronize_outputs()
        return 1e6 * (clock() - started) / batch

    def timed() -> float:
        return 1e6 * sum(measure(work, warm_up=0, passes=batch, clock=clock)) / batch

    measure(work, warm_up=20, passes=20)
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        taken: dict[Callable[[], float], list[float]] = {bare: [], timed: []}
        for turn in range(100):
            for side in (timed, bare) if turn % 2 else (bare, timed):
                taken[side].append(side())
        middle = statistics.median(taken[bare])
        found[0].append(middle)
        found[1].append(statistics.median(taken[timed]) - middle)
    return found
