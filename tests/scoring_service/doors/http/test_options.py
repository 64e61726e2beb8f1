"""Options by both doors, the documented commands of the second task, and metrics on every board."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.scoring_service import scripted
from tests.scoring_service.doors.http.conftest import Site

MODEL = json.dumps({"score": 1.5, "metrics": {"accuracy": 0.7, "latency_ms": 30.0, "rmse": 0.1}}).encode()


@pytest.fixture
def models(site: Site, tmp_path: Path) -> Iterator[Site]:
    """The site with a challenge that measures and takes a batch size."""
    with scripted.installed(tmp_path / "site"):
        site.world.apply(kind="measured", config={"device": "cpu"})
        yield site


def send_form(site: Site, headers: dict[str, str], **fields: str) -> httpx.Response:
    files = {"file": ("model.onnx", MODEL)}
    return site.http.post("/submit/task1", headers=headers, files=files, data=fields)


def send(site: Site, headers: dict[str, str], options: object) -> httpx.Response:
    sent = options if isinstance(options, str) else json.dumps(options)
    query = {"options": sent}
    return site.http.post("/v1/challenges/task1/submissions", params=query, headers=headers, content=MODEL)


def test_a_model_is_accepted_at_once_and_asked_for_later(models: Site) -> None:
    headers = models.team()
    # When a model is sent as documented
    reply = send_form(models, headers, batch_size="8")
    # Then the reply does not wait for the measurement
    body = reply.json()
    assert (reply.status_code, body["state"], body["queue_position"]) == (202, "QUEUED", 1)
    assert body["options"] == {"batch_size": 8}
    assert models.http.get("/submit/queue/status").json()["length"] == 1
    # And its place to ask gives score and metrics once it is there
    models.world.work()
    later = models.http.get(body["status_url"], headers=headers).json()
    assert (later["submission_id"], later["score"]) == (body["submission_id"], 1.5)
    assert later["metrics"] == {"accuracy": 0.7, "latency_ms": 30.0, "rmse": 0.1}


def test_a_waiting_model_is_cancelled(models: Site) -> None:
    headers = models.team()
    body = send_form(models, headers).json()
    reply = models.http.delete(f"/submit/task1/{body['submission_id']}", headers=headers)
    assert reply.json()["state"] == "CANCELLED"


@pytest.mark.parametrize("position", ["before", "after"])
def test_a_field_counts_before_and_after_the_file(models: Site, position: str) -> None:
    parts: list[tuple[str, object]] = [("batch_size", (None, "4")), ("file", ("model.onnx", MODEL))]
    ordered = parts if position == "before" else parts[::-1]
    reply = models.http.post("/submit/task1", headers=models.team(), files=ordered)
    assert reply.json()["options"] == {"batch_size": 4}


@pytest.mark.parametrize("value", ["0", "33", "eight", "2.5", "[8]", "true", "9" * 400])
def test_a_batch_size_out_of_range_is_named_and_leaves_nothing(models: Site, value: str) -> None:
    reply = send_form(models, models.team(), batch_size=value)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid")
    assert reply.json()["field"] == "batch_size"
    folder = models.world.services.settings.store_folder
    kept = [path for path in folder.rglob("*") if path.is_file() and path.read_bytes() == MODEL]
    assert kept == []


def test_an_empty_field_and_fields_that_mean_nothing_here_are_no_options(models: Site) -> None:
    reply = send_form(models, models.team(), batch_size="", team_name="x", note="y" * 5000)
    assert (reply.status_code, reply.json()["options"]) == (202, {})


def test_other_kinds_do_not_mind_a_batch_size(site: Site) -> None:
    files = {"file": ("answers.zip", b"not a zip")}
    reply = site.http.post("/submit/task1?wait=0", headers=site.team(), files=files, data={"batch_size": "8"})
    assert (reply.status_code, reply.json()["options"]) == (202, {})


def test_v1_takes_options_as_json(models: Site) -> None:
    headers = models.team()
    first = send(models, headers, {"batch_size": 8})
    assert (first.status_code, first.json()["options"]) == (201, {"batch_size": 8})
    assert send(models, headers, {"batch_size": 8}).status_code == 200
    assert send(models, headers, {"batch_size": 9}).status_code == 201


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"batch_size": 99}, "batch_size"),
        ({"turbo": True}, "turbo"),
        ("[8]", "options"),
        ("{", "options"),
        ('{"batch_size": NaN}', "options"),
        ("[" * 1500, "options"),
    ],
    ids=["range", "unknown", "list", "broken", "NaN", "deep"],
)
def test_options_that_do_not_fit_are_named(models: Site, options: object, field: str) -> None:
    reply = send(models, models.team(), options)
    assert (reply.status_code, reply.json()["code"], reply.json()["field"]) == (422, "invalid", field)


def test_metrics_stand_on_the_whole_board_and_in_the_documented_list(models: Site) -> None:
    headers = models.team()
    send_form(models, headers, batch_size="8")
    models.world.work()
    models.forget()
    shown = {"accuracy": 0.7, "latency_ms": 30.0}
    whole = models.http.get("/v1/challenges/task1/leaderboard").json()
    listing = models.http.get("/leaderboard/task1?team_name=team_awesome").json()
    private = models.http.get("/admin/leaderboard/private/task1", headers=models.organiser()).json()
    for rows in (whole["rows"], listing, private["rows"]):
        assert [row["metrics"] for row in rows] == [shown]
