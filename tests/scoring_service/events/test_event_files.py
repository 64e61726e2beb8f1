"""Event files are checked whole, and applying one is idempotent."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from goat.errors import Conflict, Invalid
from scoring_service.events.spec import end_of, load, start_of
from tests.scoring_service.world import World, event_file


def edit(path: Path, **fields: object) -> Path:
    spec = yaml.safe_load(path.read_text())
    spec["challenges"][0] |= fields
    path.write_text(yaml.safe_dump(spec))
    return path


def test_applying_the_same_file_twice_changes_nothing(world: World) -> None:
    version = world.services.events.challenge("task1")
    again = world.services.events.apply(event_file(world.folder))
    assert again.actions == ["nothing changed"]
    assert world.services.events.challenge("task1").data_version == version.data_version


def test_a_new_scorer_or_new_data_asks_for_a_rejudge(world: World) -> None:
    world.submit(world.team())
    from tests.scoring_service.world import CONFIG

    applied = world.services.events.apply(event_file(world.folder, config=CONFIG | {"psnr_cap": 60.0}))
    assert any("rejudge task1" in action for action in applied.actions)


def test_a_challenge_with_submissions_cannot_vanish(world: World) -> None:
    world.submit(world.team())
    with pytest.raises(Conflict, match="1 submissions"):
        world.services.events.apply(event_file(world.folder, id="task9"))


def test_all_faults_of_a_file_are_listed_at_once(tmp_path: Path) -> None:
    path = event_file(
        tmp_path, id="combined", generator="a:b", max_bytes=0, opens="2027-01-02", deadline="2027-01-01"
    )
    with pytest.raises(Invalid) as refused:
        load(path)
    assert len(refused.value.facts["faults"]) >= 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("event: [", "not valid YAML"),
        ("event: x\ntitle: y\nchallenges: []\nsurprise: 1", "surprise"),
        ("event: x\ntitle: y", "challenges"),
        ("- a list", "object"),
    ],
)
def test_a_file_that_is_no_event_says_where_it_fails(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "event.yaml"
    path.write_text(text)
    with pytest.raises(Invalid, match=said):
        load(path)


def test_a_formula_that_is_not_finite_or_turns_round_is_refused_when_the_file_is_loaded(
    tmp_path: Path,
) -> None:
    from tests.scoring_service.world import CONFIG

    for formula in ("log10(psnr - 1)", "psnr - ", "__import__('os')", "unknown_metric", "(psnr - 20) ** 2"):
        path = event_file(tmp_path, config=CONFIG | {"formula": formula})
        with pytest.raises(Invalid):
            load(path)


def test_a_bare_date_is_a_whole_day_of_the_events_time_zone() -> None:
    assert start_of("2026-07-01", "Europe/Luxembourg") == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert end_of("2026-07-01", "Europe/Luxembourg") == datetime(2026, 7, 1, 22, tzinfo=UTC)
    assert end_of("2026-07-01T18:00", "Europe/Luxembourg") == datetime(2026, 7, 1, 16, tzinfo=UTC)
    assert end_of("2026-07-01T18:00Z", "Europe/Luxembourg") == datetime(2026, 7, 1, 18, tzinfo=UTC)


def test_hidden_data_is_for_the_service_alone_and_never_published(world: World) -> None:
    import zipfile

    record = world.services.events.challenge("task1")
    assert [file.name for file in record.data] == ["sample.zip", "eval.zip"]
    names = []
    for file in record.data:
        with zipfile.ZipFile(world.services.events.published_file("task1", file.name)) as archive:
            names += archive.namelist()
    assert sorted(names) == [
        *(f"inputs/sample_{i:04d}.pt" for i in (0, 0, 1, 1, 2, 3)),
        *(f"truth/sample_{i:04d}.pt" for i in (0, 1)),
    ]
    for path in world.services.settings.data_folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


def test_an_upgrade_tells_teams_the_new_scorer_and_the_organiser_what_to_do(world: World) -> None:
    # Given a challenge whose digest another version of the code had stored
    from scoring_service.events.repository import challenge

    current = world.services.events.challenge("task1").scorer_digest
    with world.services.db.write() as session:
        challenge(session, "task1", "photographs")[0].scorer_digest = "of an older version"
    # When the new version starts, it says so once
    assert "goat-server rejudge photographs:task1" in world.services.events.refresh_scorers()[0]
    assert world.services.events.challenge("task1").scorer_digest == current
    assert world.services.events.refresh_scorers() == []
