"""Panel, board and history of a challenge that takes models, clicked without a kernel."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from goat.client import Client
from goat.errors import MissingPackage
from goat.kinds import onnx_inference
from goat.results import Result
from goat.text import amount
from goat.transports.backoff import Backoff
from goat.transports.sse import ServerEvent
from goat.widgets.board import BoardWidget
from goat.widgets.form import candidates
from goat.widgets.numbers import result_numbers
from goat.widgets.panel import Panel
from goat.widgets.rows import Table, apply
from tests.goat import onnx_models as models
from tests.goat.fake_service import json_reply
from tests.goat.test_models import ModelService, files, service  # noqa: F401  # fixtures
from tests.goat.widgets.conftest import StillLive, board


def quick() -> Client:
    return Client(backoff=Backoff(attempts=2, first_contact_attempts=2, base_s=0.001, cap_s=0.002))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    models.save(models.good(), folder / "mine.onnx")
    return folder


@pytest.fixture
def panel(
    comms: Callable[..., Any],
    service: ModelService,  # noqa: F811
    still: StillLive,
    here: Path,
) -> Panel:
    service.faults.append(lambda method, path: json_reply([]) if path.endswith("/limits") else None)
    found = Panel("task2", live=still, connect=quick)
    found.path.value = "mine.onnx"
    return found


def click(panel: Panel, button: Any) -> str:
    button.click()
    time.sleep(0.02)
    panel.wait(60)
    return str(panel.verdict.value)


def test_the_panel_asks_for_one_model_and_a_batch_size(panel: Panel) -> None:
    assert "Your model" in panel.handed.value
    assert panel.upload.accept == ".onnx"
    assert ".onnx" in panel.path.placeholder
    assert panel.batches.layout.display is None
    assert panel.batch.value == 0, "the first choice is chosen"
    assert [panel.batch.options[at] for at in (0, 1, 32)] == [
        ("as the model says, else 1", 0),
        ("1", 1),
        ("32", 32),
    ]
    assert panel.path.options == ("mine.onnx",)
    # And a model can be tried here whatever the mode is
    panel.mode.value = "ranked"
    assert not panel.rehearse.disabled


def test_a_dry_run_says_what_is_the_servers_number_and_what_is_this_machines(panel: Panel) -> None:
    said = click(panel, panel.rehearse)
    assert "accuracy as on the server, speed measured on this machine" in said
    assert re.search(r"accuracy 1\.0000 · latency [\d.]+ ms \([\d.]+ to [\d.]+\) · size 0\.\d+ MB", said)


def test_the_chosen_batch_size_travels_and_the_result_has_its_numbers(
    panel: Panel,
    service: ModelService,  # noqa: F811
) -> None:
    panel.mode.value = "ranked"
    panel.batch.value = 8
    said = click(panel, panel.send)
    assert "public score 2.1000" in said
    assert "accuracy 0.9000 · latency 1.25 ms · size 0.500 MB" in said
    assert service.submissions["s0001"].options == {"batch_size": 8}
    assert "uploaded" in panel.steps.lines.value
    # And the history has them as columns
    assert [name for name, *_ in panel.own.about["metrics"]] == ["accuracy", "latency_ms", "size_mb"]
    with quick() as client:
        panel.own.switch("task2", client)
    assert panel.own.rows[0][9:] == [0.9, 1.25, 0.5]


def test_a_fixed_batch_that_differs_is_a_sentence(panel: Panel, here: Path) -> None:
    models.save(models.good(batch=2), here / "mine.onnx")
    panel.batch.value = 8
    assert "batch is fixed at 2" in click(panel, panel.check)


@pytest.mark.parametrize(
    ("given", "said"),
    [("", "Choose your .onnx file first."), (".", "this is a folder"), ("broken.onnx", "bad_protobuf")],
)
def test_what_is_no_model_is_a_sentence(panel: Panel, here: Path, given: str, said: str) -> None:
    (here / "broken.onnx").write_bytes(b"\x93PICKLE")
    panel.path.value = given
    assert said in click(panel, panel.check)


def test_a_laptop_without_the_runtime_is_told_what_to_install(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(device: str) -> None:
        raise MissingPackage(
            'Running ONNX models needs onnxruntime: pip install "mls-goat[cpu]"', package="onnxruntime"
        )

    monkeypatch.setattr(onnx_inference, "require_runtime", missing)
    assert "pip install &quot;mls-goat[cpu]&quot;" in click(panel, panel.rehearse)


def test_only_models_are_offered_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for at, name in enumerate(("old.onnx", "runs/new.onnx", "notes.md", ".hidden/x.onnx", "answers.zip")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
        os.utime(path, (1000 + at, 1000 + at))
    (tmp_path / "folder.onnx").mkdir()
    assert candidates(Path(), (".onnx",)) == ["runs/new.onnx", "old.onnx"]


def test_numbers_of_the_best_submission_are_said_to_be_its(service: ModelService) -> None:  # noqa: F811
    from goat import submit

    path = models.save(models.good(), Path("m.onnx").absolute())
    result = submit(path, "task2", quiet=True)
    path.unlink()
    worse = Result.of(replace(result.submission, improved=False))
    assert result_numbers(worse, "onnx_inference") == (
        "accuracy 0.9000 (of your best) · latency 1.25 ms · size 0.500 MB"
    )


@pytest.fixture
def client(service: ModelService) -> Iterator[Client]:  # noqa: F811
    with quick() as found:
        yield found


# --- the board ----------------------------------------------------------------------------------


def with_metrics(count: int, version: int = 1, **scores: float) -> Any:
    found = board(count, version, **scores)
    rows = [
        replace(
            row,
            metrics={
                "accuracy": row.score / 50,
                "latency_ms": 1 + row.rank / 7,
                "size_mb": 0.25 + row.entries,
            },
        )
        for row in found.rows
    ]
    return replace(found, challenge="task2", rows=rows)


def test_the_numbers_of_a_board_change_with_its_rows() -> None:
    table = Table("task2", "Depth")
    table.show(with_metrics(60))
    before = table.rows
    change = table.show(replace(with_metrics(60, 2, t40=41.0), rows=moved(with_metrics(60), "t40", 41.0)))
    assert change is not None
    assert len(change["m"]) == 3
    assert apply(before, json.loads(json.dumps(change))) == table.rows
    assert table.rows[0].metrics == (0.99, 0.123, 0.5)


def moved(found: Any, name: str, score: float) -> list[Any]:
    """The rows when one team takes the lead and nobody else's numbers change."""
    own = next(row for row in found.rows if row.team_name == name)
    metrics = {"accuracy": 0.99, "latency_ms": 0.123, "size_mb": 0.5}
    rest = [row for row in found.rows if row is not own]
    rows = [replace(own, score=score, metrics=metrics, entries=2), *rest]
    return [replace(row, rank=at) for at, row in enumerate(rows, 1)]


def test_the_first_team_with_numbers_brings_the_columns() -> None:
    table = Table("task2", "Depth")
    table.show(board(0))
    assert table.state()["metrics"] == []
    assert table.show(with_metrics(1)) is None, "the whole board is sent"
    assert table.state()["metrics"] == [
        ["accuracy", "Accuracy", False, "Accuracy"],
        ["latency_ms", "Latency (ms)", True, "Latency (ms)"],
        ["size_mb", "Size (MB)", True, "Size (MB)"],
    ]
    assert table.state()["rows"][0][7:] == [pytest.approx(0.80667), pytest.approx(1.1429), 1.25]


def test_a_board_of_models_offers_accuracy_and_speed_and_sends_its_lines_once(
    comms: Callable[..., Any],
    service: ModelService,  # noqa: F811
    still: StillLive,
    client: Client,
) -> None:
    still._known["task2"] = service.board()
    widget = BoardWidget(("task2",), live=still, client=client)
    assert widget.tables[0]["figures"] == ["time", "speed", "distribution"]
    surface = widget.surfaces["task2"]
    assert (surface["across"], surface["up"]) == ("latency_ms", "accuracy")
    assert surface["said"] == "score at your size of 0.500 MB"
    # When a team moves, the rows change and the lines do not travel again
    comms(widget).sent.clear()
    rows = [replace(row, score=9.5) for row in service.board().rows[:1]]
    event = {"challenge": "task2", "from": 4, "to": 5, "rows": rows, "removed": []}
    still._hear(client, ServerEvent("board", msgspec.json.encode(event).decode()))
    updates = [data for data, _ in comms(widget).sent if "surfaces" in data.get("state", {})]
    assert updates == []
    assert len(comms(widget).custom()) == 1
    # When the own model gets smaller, they are drawn anew
    rows = [replace(service.board().rows[2], metrics={"accuracy": 0.9, "latency_ms": 1.25, "size_mb": 0.25})]
    event = {"challenge": "task2", "from": 5, "to": 6, "rows": rows, "removed": []}
    still._hear(client, ServerEvent("board", msgspec.json.encode(event).decode()))
    assert widget.surfaces["task2"]["said"] == "score at your size of 0.250 MB"


@pytest.mark.parametrize(
    "value", [None, 0.0, 0.00312, 0.09, 0.123, 0.999, 1.0, 9.996, 12.34, 99.7, 123.4, 45678.0]
)
def test_amounts_are_short_in_every_size(value: float | None) -> None:
    shown = amount("latency_ms", value)
    assert len(shown) <= 6
    assert value is None or float(shown) == pytest.approx(value, rel=0.06, abs=1e-4)
