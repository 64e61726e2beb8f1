"""A start that finds its tables does not wait for the tool that makes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from scoring_service.db import Database
from scoring_service.migrations import alembic_config, head, is_current, migrate, newest
from tests.scoring_service.world import World

START = """
from pathlib import Path
import sys
from scoring_service.db import Database
from scoring_service.migrations import migrate
migrate(Database(sys.argv[1], run_folder=Path(sys.argv[2])))
print("alembic" in sys.modules)
"""


def test_the_newest_revision_is_told_by_its_file() -> None:
    assert newest() == head()


def test_only_a_database_that_is_behind_needs_the_tool(tmp_path: Path) -> None:
    # Given a new database, at its first start and its second
    url = f"sqlite:///{tmp_path / 'goat.sqlite3'}"
    starts = [
        subprocess.run([sys.executable, "-c", START, url, str(tmp_path)], capture_output=True, text=True)
        for _ in range(2)
    ]
    assert [done.stdout.strip() for done in starts] == ["True", "False"], starts[0].stderr

    # Then it has this version's tables, and one that is behind gets them
    db = Database(url, run_folder=tmp_path)
    assert is_current(db)
    with db.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    assert not is_current(db)
    with db.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version")
    assert not is_current(db)
    db.dispose()


def test_a_database_without_tables_is_not_current(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'goat.sqlite3'}", run_folder=tmp_path)
    assert not is_current(db)
    migrate(db)
    assert is_current(db)
    db.dispose()


def test_what_was_stored_before_models_came_is_read_and_judged_afterwards(world: World) -> None:
    from alembic import command

    # Given a scored submission in tables that know no options, samples and metrics
    team = world.team()
    old = world.submit(team, noise=0.1).id
    assert world.score(old)
    db = world.services.db
    with db.engine.execution_options(goat_immediate=True).begin() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0002")
    assert not is_current(db)
    # When this version starts
    migrate(db)
    # Then it shows them, takes the same bytes for the same submission, and can judge it again
    assert world.services.submissions.get(team, old).options == {}
    assert world.submit(team, noise=0.1).id == old
    (row,) = world.services.leaderboard.board("task1", team).rows
    assert row.metrics == {}
    assert world.services.submissions.rejudge(submission_id=old, actor="test") == 1
    assert world.score(old)
