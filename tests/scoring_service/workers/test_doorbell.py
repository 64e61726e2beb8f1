"""The doorbell may lose rings; it never raises and never holds anybody up."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from scoring_service.workers.broker import MAX_TOKENS, wake_key
from scoring_service.workers.doorbell import DramatiqDoorbell, RedisChanges, listen_in_background
from tests.scoring_service.workers.conftest import QueueServer, wait_until

A_MOMENT_S = 5.0
"""Far above the half second that a hanging queue server may cost, far below any client's patience."""


@pytest.fixture
def bell(queue: QueueServer) -> Iterator[DramatiqDoorbell]:
    bell = DramatiqDoorbell(queue.url)
    yield bell
    bell.close()


@pytest.fixture
def changes(queue: QueueServer) -> Iterator[RedisChanges]:
    changes = RedisChanges(queue.url)
    yield changes
    changes.close()


def test_every_ring_waits_in_its_lane_and_carries_only_the_id(
    queue: QueueServer, bell: DramatiqDoorbell
) -> None:
    bell.ring("short", ["a", "b"])
    bell.ring("long", ["c"])
    assert (bell.pending("short"), bell.pending("long"), bell.pending("other")) == (2, 1, 0)
    with queue.client() as client:
        messages = b"".join(client.hvals("goat:long.msgs"))
    assert b'"args":["c"]' in messages
    assert b'"kwargs":{}' in messages


def test_wake_tokens_are_few_and_fade(queue: QueueServer, bell: DramatiqDoorbell) -> None:
    for _ in range(3):
        bell.ring("short", [str(n) for n in range(20)])
    with queue.client() as client:
        assert client.llen(wake_key("short")) <= MAX_TOKENS
        assert client.pttl(wake_key("short")) > 0
    assert bell.pending("short") == 60


def test_a_dead_queue_server_costs_nothing_and_a_new_one_is_found(
    queue: QueueServer, bell: DramatiqDoorbell, changes: RedisChanges, caplog: pytest.LogCaptureFixture
) -> None:
    queue.kill()
    started = time.monotonic()
    for _ in range(100):
        bell.ring("short", ["a"])
        changes.announce()
    assert bell.pending("short") is None
    assert time.monotonic() - started < A_MOMENT_S
    assert len([r for r in caplog.records if "no answer" in r.message]) == 2
    queue.start()

    def rings() -> bool:
        bell.ring("short", ["a"])
        return bool(bell.pending("short"))

    wait_until(rings, "a ring that arrives")


def test_a_hanging_queue_server_holds_nobody_up_for_long(
    queue: QueueServer, bell: DramatiqDoorbell, changes: RedisChanges
) -> None:
    bell.ring("short", ["a"])
    assert queue.process is not None
    queue.process.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    for _ in range(20):
        bell.ring("short", ["b"])
        changes.announce()
    assert time.monotonic() - started < A_MOMENT_S


def test_listeners_hear_of_changes_also_after_the_queue_server_was_replaced(
    queue: QueueServer, changes: RedisChanges
) -> None:
    heard, stop = threading.Semaphore(0), threading.Event()
    thread = listen_in_background(changes, heard.release, stop)

    def announced() -> bool:
        changes.announce()
        return heard.acquire(timeout=0.2)

    assert heard.acquire(timeout=A_MOMENT_S)  # once at the start: look what happened before
    wait_until(announced, "a nudge")
    queue.kill()
    queue.start()
    while heard.acquire(blocking=False):
        pass
    wait_until(announced, "a nudge from the new server")
    stop.set()
    thread.join(timeout=A_MOMENT_S)
    assert not thread.is_alive()
