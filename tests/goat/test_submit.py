"""Submitting: checked first, sent once, waited for."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

import goat
from goat.client import Client
from goat.submit import challenge1
from goat.transports.backoff import Backoff
from tests.goat.fake_service import NOW, FakeService, Reply, json_reply, problem, times

POST = "/v1/challenges/task1/submissions"


def test_challenge1_returns_a_dict_with_the_score(service: FakeService, answers: Path) -> None:
    # When the documented call is made with name and password
    result = challenge1(folder_path=str(answers), team_id="team_awesome", password="my_password")

    # Then it is a plain dict with what was promised, ready for json
    assert type(result) is dict
    assert result["score"] == 7.25
    assert result["submission_id"] == "s0001"
    assert result["rank"] == 3
    assert result["submitted_at"].startswith("2026-05-01T12:00:00")
    json.dumps(result)


def test_challenge1_without_waiting_has_no_score_yet(service: FakeService, answers: Path) -> None:
    result = challenge1(str(answers), "team_awesome", "my_password", wait_for_result=False)
    assert result["score"] is None
    assert result["state"] == "QUEUED"


def test_every_problem_is_listed_before_anything_is_sent(logged_in: FakeService, tmp_path: Path) -> None:
    # Given a submission with two faults
    empty = tmp_path / "empty"
    empty.mkdir()

    # When it is submitted, Then both are listed and nothing was sent
    with pytest.raises(goat.Rejection) as caught:
        goat.submit(empty)
    assert [found.file for found in caught.value.problems] == ["a.txt", "b.txt"]
    assert logged_in.asked[f"POST {POST}"] == 0


def test_a_lost_reply_never_makes_a_second_submission(
    client: Client, logged_in: FakeService, answers: Path
) -> None:
    # Given a service that accepts a submission twice without its reply arriving
    client.challenges()
    logged_in.faults.append(times(2, "lose", path=POST, method="POST"))

    # When a team submits once
    result = goat.submit(answers, client=client)

    # Then the retries carried the same key, and there is one submission
    assert result.score == 7.25
    assert len(logged_in.keys_seen) == 3
    assert len(set(logged_in.keys_seen)) == 1
    assert len(logged_in.submissions) == 1


def test_submitting_twice_uses_two_keys(client: Client, logged_in: FakeService, answers: Path) -> None:
    goat.submit(answers, client=client)
    goat.submit(answers, client=client)
    assert len(set(logged_in.keys_seen)) == 2


def test_the_upload_is_announced_and_verifiable(
    client: Client, logged_in: FakeService, answers: Path
) -> None:
    # When a submission is sent
    result = goat.submit(answers, client=client)

    # Then its length and digest were announced, so that a damaged upload is noticed
    sent = next(headers for headers in logged_in.headers if "idempotency-key" in headers)
    assert int(sent["content-length"]) == result.submission.size
    assert sent["content-digest"].startswith("sha-256=:")
    assert "transfer-encoding" not in sent


def test_a_rejected_submission_raises_its_problems(
    client: Client, logged_in: FakeService, answers: Path
) -> None:
    logged_in.outcome = {
        "state": "REJECTED",
        "error_code": "non_finite",
        "error": "a.txt holds NaN.",
        "problems": [{"code": "non_finite", "message": "a.txt holds NaN.", "file": "a.txt"}],
    }
    with pytest.raises(goat.Rejection, match="holds NaN") as caught:
        goat.submit(answers, client=client)
    assert caught.value.verdict == "non_finite"
    assert caught.value.facts["submission_id"] == "s0001"


def test_a_failure_of_the_service_says_that_it_costs_nothing(
    client: Client, logged_in: FakeService, answers: Path
) -> None:
    logged_in.outcome = {"state": "FAILED", "error_code": "evaluator_crashed", "error": "the worker died"}
    with pytest.raises(goat.NoResult, match="costs you nothing"):
        goat.submit(answers, client=client)


def test_a_result_that_takes_too_long_says_where_it_will_be(
    client: Client, logged_in: FakeService, answers: Path
) -> None:
    logged_in.score_after = 10**6
    with pytest.raises(goat.ResultPending, match="goat status s0001"):
        goat.submit(answers, client=client, timeout=0.3)


def test_an_interrupt_says_that_the_submission_goes_on(
    client: Client, logged_in: FakeService, answers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given somebody who presses Ctrl-C while waiting
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("goat.waiting._heard", interrupted)

    # When it happens, Then the message says how to see the result, and nothing was cancelled
    with pytest.raises(KeyboardInterrupt, match="goat status s0001"):
        goat.submit(answers, client=client)
    assert logged_in.submissions["s0001"].state == "QUEUED"


def test_a_short_outage_while_waiting_is_survived(
    client: Client, logged_in: FakeService, answers: Path
) -> None:
    logged_in.faults.append(times(20, "drop", path="/v1/submissions/s0001"))
    assert goat.submit(answers, client=client).score == 7.25


def test_a_limit_is_told_and_not_retried(client: Client, logged_in: FakeService, answers: Path) -> None:
    # Given a limit that frees up only in six minutes
    refusal = problem(
        429,
        "limit_reached",
        "5 of 5 submissions per hour used; try again in 6 min.",
        headers={"Retry-After": "360"},
        limit="per_hour",
        left=0,
        retry_after=360,
    )
    logged_in.faults.append(times(9, refusal, path=POST, method="POST"))

    # When a team submits, Then it hears which limit and when, at once
    with pytest.raises(goat.LimitReached, match="per hour") as caught:
        goat.submit(answers, client=client)
    assert caught.value.facts["retry_after"] == 360
    assert logged_in.asked[f"POST {POST}"] == 1


def test_a_busy_service_is_asked_again_after_the_time_it_names(logged_in: FakeService, answers: Path) -> None:
    # Given a service that is busy for a second
    from goat.transports.http import HttpTransport

    pauses: list[float] = []
    busy = Reply(503, b"", {"Retry-After": "1"})
    logged_in.faults.append(times(1, busy, path=POST, method="POST"))
    transport = HttpTransport(logged_in.url, backoff=Backoff(base_s=0.001), sleep=pauses.append)

    # When a team submits, Then it waits at least that long, and the submission is accepted
    with Client(transport=transport) as client:
        assert goat.submit(answers, client=client).score == 7.25
    assert pauses[0] >= 1


def test_too_large_is_noticed_before_the_upload(
    client: Client, logged_in: FakeService, answers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    small = dataclasses.replace(logged_in.challenge, max_bytes=10)
    monkeypatch.setattr(FakeService, "challenge", small)
    with pytest.raises(goat.TooLarge, match="at most 10 B"):
        goat.submit(answers, client=client)
    assert logged_in.asked[f"POST {POST}"] == 0


def test_nobody_logged_in_is_told_first(service: FakeService, answers: Path) -> None:
    with pytest.raises(goat.NotLoggedIn, match="goat login"):
        goat.submit(answers)
    assert not service.asked


def test_progress_counts_every_byte_and_memory_stays_small(
    client: Client, logged_in: FakeService, tmp_path: Path
) -> None:
    import tracemalloc

    # Given a file much larger than a chunk
    large = tmp_path / "large.zip"
    with zipfile.ZipFile(large, "w") as packed:
        packed.writestr("zeros", bytes(24_000_000))
    seen: list[tuple[int, int]] = []
    content = client._transport  # the body is read chunk by chunk, whoever sends it
    assert content is not None
    from goat.client import _reader

    # When its body is made
    tracemalloc.start()
    total = sum(len(chunk) for chunk in _reader(large, large.stat().st_size, lambda *now: seen.append(now))())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # Then progress ends at its size, and only a few chunks were ever held
    assert total == large.stat().st_size == seen[-1][0] == seen[-1][1]
    assert peak < 4_000_000


def test_a_result_reads_like_a_dict_and_shows_nothing_harmful(
    client: Client, logged_in: FakeService, answers: Path
) -> None:
    logged_in.outcome |= {"team_name": "<script>\x1b[2J"}
    result = goat.submit(answers, client=client)
    assert result["score"] == result.score == 7.25
    assert result["submitted_at"] == NOW
    assert "submission" not in dict(result)
    assert "7.2500 points, rank" not in repr(result)  # that team is not on the board
    assert "<script>" not in result._repr_html_()
    assert "\x1b" not in result._repr_html_()


def test_a_file_name_in_any_script_arrives(client: Client, logged_in: FakeService, tmp_path: Path) -> None:
    # Given a file whose name is not ASCII and steers a terminal
    file = tmp_path / "žluťoučký 山羊\u202e.zip"
    file.write_bytes(b"PK")

    # When it is sent, Then its name arrives, with what steers spelled out
    assert client.submit("task1", file).filename == "žluťoučký 山羊\\u202e.zip"


def test_the_same_bytes_again_show_the_earlier_result(
    client: Client, logged_in: FakeService, answers: Path
) -> None:
    goat.submit(answers, client=client)
    first = logged_in.submissions["s0001"]
    logged_in._accept = lambda *args: json_reply(first, 200)  # type: ignore[method-assign]
    assert goat.submit(answers, client=client)["submission_id"] == "s0001"
