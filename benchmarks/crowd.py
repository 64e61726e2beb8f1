"""A service with many teams on its board."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from scoring_service.migrations import migrate
from scoring_service.services import Services, build_services
from scoring_service.settings import Settings
from tests.scoring_service.crowd import crowd
from tests.scoring_service.world import PASSWORD, event_file

KEY = "benchmark-key-of-enough-bytes-to-be-allowed"
NO_LIMITS = dict.fromkeys(
    ("per_day", "per_hour", "total", "at_once", "rejections_per_hour", "test_per_hour"), None
)


@contextmanager
def crowded_services(teams: int, *, database_url: str | None = None) -> Iterator[Services]:
    """Services in a temporary home: one open challenge without limits, ``teams`` teams on its board."""
    with TemporaryDirectory(prefix="goat-bench-") as folder:
        home = Path(folder)
        environment = {"GOAT_HOME": str(home)} | ({"DATABASE_URL": database_url} if database_url else {})
        settings = replace(Settings.from_env(environment), secret_key=KEY, free_space_floor=0)
        services = build_services(settings)
        migrate(services.db)
        (home / "event").mkdir()
        services.events.apply(event_file(home / "event", max_bytes=100_000_000, limits=NO_LIMITS))
        services.teams.add("team_0000", PASSWORD)
        crowd(services, teams)
        yield services
        services.db.dispose()
