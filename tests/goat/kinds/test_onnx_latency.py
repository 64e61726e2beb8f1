"""How calls are timed: prepared and looked at outside the clock, warmed up, every time kept."""

from __future__ import annotations

from goat.kinds.onnx.latency import measure


class Recorder:
    """Remembers what happened, on a clock that only its own work moves."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.now = 0.0

    def prepare(self, index: int) -> None:
        self.events.append(f"prepare {index}")
        self.now += 100

    def run(self) -> None:
        self.events.append("run")
        self.now += 2 + len(self.events) / 1000

    def collect(self, index: int) -> None:
        self.events.append(f"collect {index}")
        self.now += 1000


def test_only_the_call_is_timed() -> None:
    work = Recorder()
    seconds = measure(work, warm_up=2, passes=3, clock=lambda: work.now)
    assert len(seconds) == 3
    assert all(2 < value < 2.1 for value in seconds)


def test_every_call_has_inputs_of_its_own_and_is_looked_at() -> None:
    work = Recorder()
    measure(work, warm_up=1, passes=2, clock=lambda: work.now)
    assert work.events == [
        "prepare 0", "run", "collect 0", "prepare 1", "run", "collect 1", "prepare 2", "run", "collect 2",
    ]  # fmt: skip


def test_times_come_in_the_order_of_the_calls() -> None:
    work = Recorder()
    seconds = measure(work, warm_up=0, passes=4, clock=lambda: work.now)
    assert seconds == sorted(seconds)
