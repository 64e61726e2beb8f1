"""Rehearsing on this machine."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import goat
from goat.client import Client
from goat.transports.backoff import Backoff
from tests.goat.fake_service import FakeService


def test_a_dry_run_scores_against_the_published_truth(
    client: Client, logged_in: FakeService, answers: Path
) -> None:
    result = goat.dry_run(answers, client=client)
    assert result.score == result["score"] == -0.5
    assert result.unit == "points"
    assert not result.offline


def test_a_dry_run_works_offline_once_the_data_is_here(
    client: Client, logged_in: FakeService, answers: Path
) -> None:
    # Given a first dry run with a connection
    online = goat.dry_run(answers, client=client)

    # When the service is away
    logged_in.faults.append(lambda method, path: "drop")
    with Client(logged_in.url, backoff=Backoff(base_s=0.001)) as alone:
        offline = goat.dry_run(answers, client=alone)

    # Then the number is the same, and it says so
    assert offline.score == online.score
    assert offline.offline
    assert "offline" in repr(offline)


def test_another_scorer_is_refused(
    client: Client, logged_in: FakeService, answers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = dataclasses.replace(logged_in.challenge, scorer_digest="0" * 64)
    monkeypatch.setattr(FakeService, "challenge", other)
    with pytest.raises(goat.ScorerMismatch, match="update goat"):
        goat.dry_run(answers, client=client)


def test_a_dry_run_lists_every_problem(client: Client, answers: Path) -> None:
    (answers / "a.txt").unlink()
    (answers / "b.txt").unlink()
    with pytest.raises(goat.Rejection) as caught:
        goat.dry_run(answers, client=client)
    assert len(caught.value.problems) == 2


def test_a_truth_of_ones_own_can_be_given(client: Client, answers: Path, tmp_path: Path) -> None:
    truth = tmp_path / "own" / "truth"
    truth.mkdir(parents=True)
    (truth / "a.txt").write_text("1")
    (truth / "b.txt").write_text("4")
    for given in (truth, truth.parent):
        assert goat.dry_run(answers, truth=given, client=client).score == -1
    with pytest.raises(goat.Invalid, match="truth/"):
        goat.dry_run(answers, truth=tmp_path, client=client)


def test_never_seen_and_no_connection_is_said_plainly(service: FakeService, answers: Path) -> None:
    service.faults.append(lambda method, path: "drop")
    with pytest.raises(goat.ServiceUnreachable, match="GOAT_URL"):
        goat.dry_run(answers)
