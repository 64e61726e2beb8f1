"""fsck finds every way in which rows, files and boards can disagree, and nothing when they agree."""

from __future__ import annotations

import shutil

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from scoring_service.commands.fsck import command
from scoring_service.fsck.service import fsck
from tests.scoring_service.world import World


@pytest.fixture
def busy(world: World) -> World:
    """A service in the middle of everything, on both databases."""
    return make_busy(world)


@pytest.fixture
def sqlite_busy(sqlite_world: World) -> World:
    """The same on SQLite, for what does not depend on the database."""
    return make_busy(sqlite_world)


def make_busy(world: World) -> World:
    """Two teams, scored, rejected, cancelled, judged again, waiting and running submissions."""
    first, second = world.team("first"), world.team("second")
    for number, noise in enumerate((0.2, 0.1, 0.15)):
        world.submit(first, noise=noise, seed=number)
    world.submit(second, noise=0.12)
    world.submit(second, b"not a zip")
    world.submit(second, mode="test")
    world.work()
    cancelled = world.submit(second, noise=0.3)
    world.services.submissions.cancel(second, cancelled.id)
    judged = world.services.submissions.history(first)[0]
    world.services.submissions.rejudge(submission_id=judged.id, actor="admin")
    world.work()
    running = world.submit(first, noise=0.25)
    world.services.lifecycle.claim("w", running.id)
    world.submit(first, noise=0.26)
    return world


def findings(world: World) -> list[str]:
    return [str(finding) for finding in fsck(world.services).findings]


def change(world: World, statement: str) -> None:
    with world.services.db.write() as session:
        assert session.execute(text(statement)).rowcount > 0  # type: ignore[attr-defined]


def test_a_sound_service_has_no_findings(busy: World) -> None:
    report = fsck(busy.services)
    assert report.findings == []
    assert report.submissions == 9
    assert report.files >= 10  # each submission's, and the two published archives


def test_frozen_boards_and_banned_teams_are_no_findings(busy: World) -> None:
    clock = busy.services.clock
    busy.services.events.freeze("task1", clock.now(), actor="admin")
    busy.submit(busy.services.teams.authenticate("second", "correct horse"), noise=0.05)
    busy.work()
    assert findings(busy) == []
    busy.services.teams.ban("first", True)
    assert findings(busy) == []


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("UPDATE standings SET score = score + 1", "the board says"),
        ("UPDATE standings SET entries = entries + 1", "the board says"),
        ("DELETE FROM standings", "the board says None"),
        ("UPDATE submissions SET shown_score = 99 WHERE shown_score IS NOT NULL", "it shows 99"),
        ("UPDATE scores SET value = value + 1 WHERE split = 'public'", "it shows"),
        ("UPDATE evaluations SET is_current = false", "it has no current result"),
        ("UPDATE evaluations SET run_no = run_no + 5", "its runs are numbered"),
        ("DELETE FROM private_scores", "has scores on ['public']"),
        ("UPDATE submissions SET state = 'REJECTED', error_code = 'x' WHERE state = 'EVALUATED'", "current"),
        ("UPDATE submissions SET error_code = NULL WHERE state = 'REJECTED'", "does not say why"),
        ("UPDATE submissions SET lease_until = NULL WHERE state = 'RUNNING'", "runs without a lease"),
        ("UPDATE submissions SET lease_until = changed_at WHERE state = 'QUEUED'", "holds a lease"),
        ("UPDATE submissions SET attempt = 99 WHERE state = 'QUEUED'", "attempt 99 of"),
        ("DELETE FROM outbox", "nobody would ever announce it"),
        ("UPDATE submissions SET state = 'CANCELLED' WHERE state = 'QUEUED'", "does not wait"),
        ("UPDATE submissions SET size = size + 1", "bytes, not"),
    ],
)
def test_every_disagreement_of_rows_is_found(sqlite_busy: World, statement: str, complaint: str) -> None:
    change(sqlite_busy, statement)
    assert any(complaint in finding for finding in findings(sqlite_busy)), findings(sqlite_busy)


def test_missing_and_changed_files_are_found(sqlite_busy: World) -> None:
    digests = sorted(
        {
            s.sha256
            for s in sqlite_busy.services.submissions.history(
                sqlite_busy.services.teams.authenticate("first", "correct horse")
            )
        }
    )
    missing, changed = (sqlite_busy.services.store.path(digest) for digest in digests[:2])
    missing.unlink()
    changed.chmod(0o600)
    changed.write_bytes(bytes(len(changed.read_bytes())))
    found = findings(sqlite_busy)
    assert sum("its file is missing" in finding for finding in found) == 1
    assert sum("not those that were sent" in finding for finding in found) == 1


def test_lost_evaluation_data_is_found(sqlite_busy: World) -> None:
    shutil.rmtree(next(sqlite_busy.services.settings.data_folder.glob("*/task1/*/private")))
    assert any("lacks private" in finding for finding in findings(sqlite_busy))


def test_the_command_ends_with_one_if_there_are_faults(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_world.submit(sqlite_world.team())
    sqlite_world.work()
    monkeypatch.setenv("GOAT_HOME", str(sqlite_world.services.settings.home))
    result = CliRunner().invoke(command)
    assert (result.exit_code, result.output.splitlines()[-1]) == (
        0,
        "1 submissions and 3 files checked: all agree",
    )
    change(sqlite_world, "DELETE FROM standings")
    result = CliRunner().invoke(command)
    assert result.exit_code == 1
    assert "the board says None" in result.output
