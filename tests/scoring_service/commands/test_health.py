"""``goat-server health`` tells the truth in one line: what a container's health check believes."""

from __future__ import annotations

import platform

import pytest
from click.testing import CliRunner, Result

from scoring_service.cli import cli
from scoring_service.clock import monotonic
from scoring_service.services import Services
from scoring_service.workers.last_sweep import note_sweep, seconds_since_sweep


@pytest.fixture
def ask(sqlite_services: Services, sqlite_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GOAT_HOME", str(sqlite_services.settings.home))
    monkeypatch.setenv("DATABASE_URL", sqlite_url)

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli, ["health", *words])

    return run


def see_worker(services: Services, lane: str, host: str) -> None:
    now = services.clock.now()
    services.lifecycle.worker_seen(f"{lane}-{host}", lane=lane, host=host, pid=1, started_at=now)


def test_a_worker_is_healthy_while_the_database_hears_of_it(ask, sqlite_services):
    # Given a worker of another host, and one of a lane here
    see_worker(sqlite_services, "gpu", "elsewhere")
    assert ask("worker").exit_code == 1
    see_worker(sqlite_services, "cpu", platform.node())

    # Then only the one here counts, and only for its lane
    assert (ask("worker").exit_code, ask("worker").output) == (0, "healthy\n")
    assert ask("worker", "--lane", "cpu").exit_code == 0
    refused = ask("worker", "--lane", "gpu")
    assert refused.exit_code == 1
    assert "no worker of the lane gpu" in refused.output


def test_a_worker_that_fell_silent_is_not_healthy(ask, sqlite_services, monkeypatch):
    see_worker(sqlite_services, "cpu", platform.node())
    monkeypatch.setattr("scoring_service.submissions.service.WORKER_ALIVE_S", -1.0)
    assert ask("worker").exit_code == 1


def test_the_sweeper_is_healthy_as_long_as_it_sweeps(ask, sqlite_services):
    home = sqlite_services.settings.home
    assert "since this host started" in ask("sweeper").output
    note_sweep(home)
    assert ask("sweeper").exit_code == 0
    (home / "run" / "last-sweep").write_text(str(monotonic() - 100))
    assert "for 100 s" in ask("sweeper").output


@pytest.mark.parametrize("text", ["", "nonsense", "1e300"])
def test_a_sign_that_makes_no_sense_is_none(tmp_path, text):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "last-sweep").write_text(text)
    assert seconds_since_sweep(tmp_path) == float("inf")


def test_a_failure_is_one_line_whatever_it_was(ask, monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", "postgresql://goat@127.0.0.1:1/goat")
    result = ask("worker")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert len(result.output.splitlines()) == 1
    monkeypatch.setenv("GOAT_API_PORT", "1")
    assert "does not answer" in ask("api").output
