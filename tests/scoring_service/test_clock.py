"""One clock for all processes, deaf to jumps of the wall clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scoring_service.clock import HostClock, reset_host_clock
from scoring_service.services import Services


def test_the_services_time_is_the_true_time(services: Services) -> None:
    assert abs(services.clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert abs(services.clock.drift()) < 5


@pytest.mark.parametrize("jump", [600.0, -600.0])
def test_a_jump_of_the_wall_clock_changes_no_decision_and_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    # Given a service that runs, and then a wall clock that jumps by ten minutes
    running = HostClock(tmp_path)
    before = running.now()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    # When a new process of the same service starts after the jump
    started_later = HostClock(tmp_path)
    # Then both still tell the same, unmoved time, and say how far the wall clock is off
    for clock in (running, started_later):
        assert abs(clock.now() - before) < timedelta(seconds=60)
        assert clock.drift() == pytest.approx(jump, abs=60)


def test_a_fresh_start_takes_the_wall_clock_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    HostClock(tmp_path)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 600)
    reset_host_clock(tmp_path)
    assert abs(HostClock(tmp_path).drift()) < 60
