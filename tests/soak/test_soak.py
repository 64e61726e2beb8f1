"""Whatever is killed, whenever: nothing acknowledged is lost, nothing counts twice."""

from __future__ import annotations

import os

import pytest

from tests.soak.postgres import postgres
from tests.soak.soak import Soak

PROCESSES = {"api", "worker", "child", "sweeper", "queue"}


def require_word_kept(soak: Soak) -> None:
    assert soak.found == []
    assert soak.accepted > 0


@pytest.mark.timeout(600)
def test_a_minute_of_kills_loses_nothing_and_counts_nothing_twice() -> None:
    soak = Soak(60)
    soak.run()
    require_word_kept(soak)
    assert soak.kills.keys() == PROCESSES


@pytest.mark.timeout(600)
def test_kills_on_postgresql_those_of_the_database_included_lose_nothing() -> None:
    with postgres() as (url, pid):
        soak = Soak(25, database_url=url, database_pid=pid)
        soak.run()
    require_word_kept(soak)
    assert soak.kills.keys() == PROCESSES | {"database"}


@pytest.mark.soak
def test_kills_for_as_long_as_asked() -> None:
    soak = Soak(float(os.environ.get("GOAT_SOAK_SECONDS", "600")))
    soak.run()
    require_word_kept(soak)
