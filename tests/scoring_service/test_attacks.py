"""What two who act at the same moment, or one who means harm, must not bring about."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import event

from goat.errors import Conflict, Forbidden, GoatError, Invalid, LimitReached, Rejection, UploadIncomplete
from goat.kinds.base import Measure, Outcome
from scoring_service.events.spec import check, load
from scoring_service.fsck.service import fsck
from scoring_service.submissions.acceptance import UploadTicket
from scoring_service.teams.identity import Identity
from tests.scoring_service.world import PASSWORD, World, event_file, submission_zip

OPEN = {"per_day": None, "per_hour": None, "at_once": None}


def outcome(public: float, private: float = 1.0) -> Outcome:
    return Outcome(
        {"public": {"score": Measure.exact(public)}, "private": {"score": Measure.exact(private)}}, {}
    )


def stored(world: World, content: bytes) -> str:
    with world.services.store.open_upload() as upload:
        upload.write(content)
        return upload.finish()


def opened(world: World, team: Identity, content: bytes) -> tuple[UploadTicket, str, int]:
    ticket = world.services.acceptance.open_upload(team, "task1", "ranked", len(content))
    return ticket, stored(world, content), len(content)


def at_once(actions: list[Callable[[], Any]]) -> list[Any]:
    """Results or exceptions of all, started as close together as can be."""
    barrier = threading.Barrier(len(actions))

    def act(action: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return action()
        except Exception as error:  # noqa: BLE001  # the test judges it
            return error

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(act, actions))


def score(world: World, submission_id: str, public: float, private: float = 1.0) -> None:
    claim = world.services.lifecycle.claim("w", submission_id)
    assert claim is not None
    assert world.services.lifecycle.record(claim, outcome(public, private), machine={}, sandbox="none")


# --- at the same moment -----------------------------------------------------------------------------


def test_forty_uploads_of_a_team_at_once_do_not_wait_for_each_others_connections(world: World) -> None:
    world.apply(limits=OPEN)
    team = world.team()
    uploads = [opened(world, team, submission_zip(seed=seed)) for seed in range(40)]
    accept = world.services.acceptance.accept
    started = datetime.now(UTC)
    results = at_once(
        [lambda u=u: accept(u[0], sha256=u[1], size=u[2], filename="a.zip") for u in uploads]  # type: ignore[misc]
    )
    assert [result for result in results if isinstance(result, Exception)] == []
    assert datetime.now(UTC) - started < timedelta(seconds=20)
    assert len({record.id for record, _ in results}) == 40


def test_the_same_bytes_or_key_at_once_are_one_submission_and_a_limit_holds(world: World) -> None:
    world.apply(limits=OPEN | {"total": 3})
    team = world.team()
    accept = world.services.acceptance.accept
    one = opened(world, team, submission_zip())
    results = at_once([lambda: accept(one[0], sha256=one[1], size=one[2], filename="a")] * 8)
    assert len({record.id for record, _ in results}) == 1
    assert sum(new for _, new in results) == 1
    # One key for different bytes: one is accepted, the others are told of the conflict
    others = [opened(world, team, submission_zip(seed=seed)) for seed in range(10, 16)]
    results = at_once(
        [
            lambda u=u: accept(u[0], sha256=u[1], size=u[2], filename="a", idempotency_key="k")  # type: ignore[misc]
            for u in others
        ]
    )
    assert sum(isinstance(result, Conflict) for result in results) == 5
    # The limit has one place left
    last = [opened(world, team, submission_zip(seed=seed)) for seed in range(20, 26)]
    results = at_once(
        [lambda u=u: accept(u[0], sha256=u[1], size=u[2], filename="a") for u in last]  # type: ignore[misc]
    )
    assert sum(isinstance(result, LimitReached) for result in results) == 5
    # And nothing of what was refused stays on the disk, and all that was accepted does
    files = list(world.services.store.root.glob("??/*"))
    assert len(files) == 3 + len(world.services.events.challenge("task1").data)
    assert fsck(world.services).findings == []


def test_results_freezes_and_bans_at_once_leave_the_board_that_the_results_say(world: World) -> None:
    world.apply(limits=OPEN)
    services, teams = world.services, [world.team(f"team{number}") for number in range(4)]
    for turn in range(4):  # without the order of locks, PostgreSQL gets about every second one wrong
        ids = [
            world.submit(team, b"answer %d of %d" % (number, turn)).id
            for team in teams
            for number in range(2)
        ]
        actions: list[Callable[[], Any]] = [
            partial(score, world, submission, float((turn * 7 + number * 13) % 50))
            for number, submission in enumerate(ids)
        ]
        actions += [
            lambda: services.events.freeze("task1", services.clock.now(), actor="x"),
            lambda: services.events.freeze("task1", None, actor="x"),
            lambda turn=turn: services.events.reveal("task1", turn % 2 == 0, actor="x"),  # type: ignore[misc]
            lambda: services.teams.ban("team3", True),
            lambda turn=turn: services.events.apply(  # type: ignore[misc]
                event_file(world.folder, limits=OPEN, ladder_step=float(turn))
            ),
        ]
        results = at_once(actions)
        assert [result for result in results if isinstance(result, Exception)] == []
        assert fsck(services).findings == []
        services.teams.ban("team3", False)


def test_no_more_finals_are_chosen_at_once_than_the_challenge_takes(world: World) -> None:
    world.apply(limits=OPEN)
    team = world.team()
    ids = [world.submit(team, seed=seed).id for seed in range(6)]
    for number, submission_id in enumerate(ids):
        score(world, submission_id, float(number))
    select = world.services.submissions.select
    results = at_once([lambda sid=sid: select(team, sid, True) for sid in ids])  # type: ignore[misc]
    assert sum(isinstance(result, Conflict) for result in results) == 4


def test_a_name_taken_at_once_is_a_conflict_for_all_but_one(world: World) -> None:
    results = at_once([lambda: world.services.teams.add("twice", PASSWORD)] * 6)
    assert sum(isinstance(result, Conflict) for result in results) == 5
    assert not [r for r in results if isinstance(r, Exception) and not isinstance(r, GoatError)]


# --- uploads ----------------------------------------------------------------------------------------


def test_a_refused_upload_leaves_no_file_unless_something_needs_it(world: World) -> None:
    team = world.team()
    first = world.submit(team, key="k")
    refused = submission_zip(noise=0.3)
    with pytest.raises(Conflict):
        world.submit(team, refused, key="k")
    store = world.services.store
    assert store.holds(first.sha256)
    assert len(list(store.root.glob("??/*"))) == 1 + len(world.services.events.challenge("task1").data)
    # The same bytes, refused under a key that is taken, are another submission's: they stay
    with pytest.raises(Conflict):
        world.submit(team, submission_zip(), mode="test", key="k")
    assert store.holds(first.sha256)
    # A file that vanished before its submission was accepted is not acknowledged
    ticket, digest, size = opened(world, team, refused)
    store.remove(digest)
    with pytest.raises(UploadIncomplete):
        world.services.acceptance.accept(ticket, sha256=digest, size=size, filename="a")


def test_a_team_that_is_banned_or_deleted_during_its_upload_is_refused(world: World) -> None:
    banned, deleted = world.team("banned"), world.team("deleted")
    accept = world.services.acceptance.accept
    uploads = [opened(world, team, submission_zip(seed=n)) for n, team in enumerate((banned, deleted))]
    world.services.teams.ban("banned", True)
    world.services.teams.delete("deleted")
    for ticket, digest, size in uploads:
        with pytest.raises(Forbidden):
            accept(ticket, sha256=digest, size=size, filename="a")


def test_a_retry_of_an_accepted_upload_is_answered_whatever_the_limits_say_by_now(world: World) -> None:
    world.apply(limits={"at_once": 1})
    team = world.team()
    first = world.submit(team, key="k")
    service = world.services.acceptance
    with pytest.raises(LimitReached):
        service.open_upload(team, "task1", "ranked", 10)
    ticket = service.open_upload(team, "task1", "ranked", 10, "k")
    again, new = service.accept(
        ticket, sha256=first.sha256, size=first.size, filename="a", idempotency_key="k"
    )
    assert (again.id, new) == (first.id, False)


def test_a_verdict_of_the_moment_does_not_bar_the_same_bytes(world: World) -> None:
    team = world.team()
    for code, again in (("time_limit", True), ("wrong_shape", False)):
        content = submission_zip(seed=len(code))
        first = world.submit(team, content)
        claim = world.services.lifecycle.claim("w", first.id)
        assert claim is not None
        world.services.lifecycle.reject(claim, Rejection.of(code, "no"))
        assert (world.submit(team, content).id != first.id) is again


# --- organisers' changes ----------------------------------------------------------------------------


def test_a_rejudge_of_a_challenge_starts_what_runs_anew(world: World) -> None:
    team = world.team()
    accepted = world.submit(team)
    lifecycle = world.services.lifecycle
    old = lifecycle.claim("w", accepted.id)
    assert old is not None
    assert world.services.submissions.rejudge(submission_id=accepted.id, actor="x") == 0
    assert world.services.submissions.rejudge(challenge="task1", actor="x") == 1
    # What the old run found on the old data is dropped
    assert not lifecycle.heartbeat(old)
    assert not lifecycle.record(old, outcome(99.0), machine={}, sandbox="none")
    score(world, accepted.id, 20.0)
    assert world.services.submissions.get(team, accepted.id).score == 20.0
    assert fsck(world.services).findings == []


def test_restarts_of_the_service_give_no_submission_up(world: World) -> None:
    team = world.team()
    accepted = world.submit(team)
    for _ in range(5):
        claim = world.services.lifecycle.claim("w", accepted.id)
        assert claim is not None
        world.services.lifecycle.release(claim)
    assert world.services.submissions.get(team, accepted.id).state == "QUEUED"


def test_a_chosen_submission_that_a_rejudge_rejects_takes_no_place(world: World) -> None:
    team = world.team()
    ids = [world.submit(team, seed=seed).id for seed in range(3)]
    for number, submission_id in enumerate(ids):
        score(world, submission_id, 10.0 + number, private=10.0 - number)
    select = world.services.submissions.select
    select(team, ids[0], True)
    select(team, ids[1], True)
    world.services.submissions.rejudge(submission_id=ids[0], actor="x")
    claim = world.services.lifecycle.claim("w", ids[0])
    assert claim is not None
    world.services.lifecycle.reject(claim, Rejection.of("non_finite", "no"))
    assert select(team, ids[2], True).selected
    # It can be taken back, too; and judged good again it makes no third final
    assert not select(team, ids[0], False).selected
    with pytest.raises(Conflict, match="Only a scored"):
        select(team, ids[0], True)


def test_more_chosen_than_allowed_count_no_more_than_allowed(world: World) -> None:
    team = world.team()
    ids = [world.submit(team, seed=seed).id for seed in range(2)]
    score(world, ids[0], 10.0, private=50.0)
    score(world, ids[1], 11.0, private=5.0)
    for submission_id in ids:
        world.services.submissions.select(team, submission_id, True)
    world.apply(finals=1)
    board = world.services.leaderboard.board("task1", world.organiser(), "private")
    assert [row.score for row in board.rows] == [5.0]


def test_the_combined_version_never_goes_back(world: World) -> None:
    combined = {"combined": [{"challenge": "task1", "weight": 1, "from": 0, "to": 1}]}
    path = event_file(world.folder, event_fields=combined)
    world.services.events.apply(_with_second_challenge(path))
    for _ in range(3):
        world.services.events.freeze("task2", None, actor="x")
    before = world.services.leaderboard.combined(None).version
    world.apply(event_fields=combined)
    assert world.services.leaderboard.combined(None).version > before


def _with_second_challenge(path: Path) -> Path:
    spec = yaml.safe_load(path.read_text())
    spec["challenges"].append(spec["challenges"][0] | {"id": "task2"})
    path.write_text(yaml.safe_dump(spec))
    return path


def test_a_limit_of_none_closes_and_never_promises_a_time(world: World) -> None:
    team = world.team()
    world.submit(team)
    world.apply(limits={"per_day": 0, "test_per_hour": 0})
    service = world.services.acceptance
    with pytest.raises(LimitReached, match="does not come back") as refused:
        service.open_upload(team, "task1", "ranked", 10)
    assert refused.value.facts["retry_after"] is None
    with pytest.raises(LimitReached):
        service.open_upload(team, "task1", "test", 10)


@pytest.mark.parametrize(
    "fields",
    [
        {"limits": {"per_day": -1}},
        {"limits": {"at_once": 0}},
        {"limits": {"min_gap_s": float("nan")}},
        {"limits": {"min_gap_s": 1e9}},
        {"grace_s": float("inf")},
        {"grace_s": float("nan")},
        {"ladder_step": float("nan")},
        {"deadline": "9999-12-31T23:59"},
        {"lane": "no lane"},
        {"title": "t" * 256},
        {"event_fields": {"title": "t" * 256}},
        {"event_fields": {"timezone": "Europe"}},
        {"event_fields": {"combined": [{"challenge": "task1", "weight": float("inf"), "from": 0, "to": 1}]}},
        {"event_fields": {"combined": [{"challenge": "task1", "weight": 1, "from": float("nan"), "to": 1}]}},
    ],
)
def test_settings_that_would_fail_at_every_submission_are_refused_when_the_file_is_loaded(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    with pytest.raises(Invalid):
        load(event_file(tmp_path, **fields))
    assert check(load(event_file(tmp_path))) == []


def test_a_yaml_file_of_a_thousand_levels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "event.yaml"
    path.write_text("[" * 1000)
    with pytest.raises(Invalid):
        load(path)


# --- text and time ----------------------------------------------------------------------------------


def test_a_csv_of_any_line_end_is_read_and_a_broken_one_is_refused(world: World) -> None:
    teams = world.services.teams.import_csv("old_mac,password\rother,password\r")
    assert [team.name for team in teams] == ["old_mac", "other"]
    for text in ('wide,"' + "x" * 200_000 + '"', "long," + "p" * 300 + "\nfine,password"):
        with pytest.raises(Invalid, match="not imported"):
            world.services.teams.import_csv(text)
    assert len(world.services.teams.list()) == 2


@pytest.mark.parametrize(
    "moment",
    [
        datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-12))),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    ],
)
def test_a_moment_at_either_end_of_time_is_as_good_as_any(world: World, moment: datetime) -> None:
    team = world.team()
    world.submit(team)
    world.work()
    history = world.services.submissions.history(team, before=moment)
    assert len(history) == (1 if moment.year == 9999 else 0)
    world.services.events.freeze("task1", moment, actor="x")
    rows = world.services.leaderboard.board("task1", None).rows
    assert len(rows) == (1 if moment.year == 9999 else 0)


def test_a_long_history_costs_a_handful_of_queries(world: World) -> None:
    world.apply(limits=OPEN)
    team = world.team()
    for seed in range(12):
        world.submit(team, seed=seed)
        if seed % 2:
            world.work()
    statements: list[str] = []
    event.listen(world.services.db.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    assert len(world.services.submissions.history(team)) == 12
    assert len(statements) <= 8
