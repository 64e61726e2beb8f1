"""One sweeper works, others wait; a fault in one round does not end it."""

from __future__ import annotations

import logging
import threading

import pytest

from scoring_service.services import Services
from scoring_service.submissions.lifecycle import Lifecycle, Swept
from scoring_service.workers import sweeper
from scoring_service.workers.sweeper import Sweeper
from tests.scoring_service.workers.conftest import PATIENCE_S, wait_until


def run(services: Services) -> tuple[threading.Event, threading.Thread]:
    stop = threading.Event()
    thread = threading.Thread(target=Sweeper(services, stop).run)
    thread.start()
    return stop, thread


def end(stop: threading.Event, thread: threading.Thread) -> None:
    stop.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_a_second_sweeper_waits_until_the_first_is_gone(
    sqlite_services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(sweeper, "SWEEP_EVERY_S", 0.05)
    first = run(sqlite_services)
    wait_until(lambda: caplog.text.count("is ready") == 1, "the first")
    second = run(sqlite_services)
    wait_until(lambda: "another sweeper holds" in caplog.text, "the second's turn")
    assert caplog.text.count("is ready") == 1
    end(*first)
    wait_until(lambda: caplog.text.count("is ready") == 2, "the second")
    end(*second)


def test_a_round_that_fails_is_logged_and_the_next_one_tries_again(
    sqlite_services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rounds = iter([OSError("disk"), Swept(announced=1)])

    def sweep(_self: Lifecycle) -> Swept:
        found = next(rounds)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(Lifecycle, "sweep", sweep)
    caplog.set_level(logging.INFO)
    one = Sweeper(sqlite_services, threading.Event())
    one.once()
    assert "the next one tries again" in caplog.text
    one.once()
    assert "announced=1" in caplog.text


def test_a_clock_that_jumped_is_reported_once(
    sqlite_services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(type(sqlite_services.clock), "drift", lambda _self: 600.0)
    one = Sweeper(sqlite_services, threading.Event())
    one.once()
    one.once()
    assert caplog.text.count("600.0 s off") == 1
