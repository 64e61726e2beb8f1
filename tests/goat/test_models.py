"""A participant with an ONNX model: check, rehearse, submit, look at the board."""

from __future__ import annotations

import dataclasses
import json
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import goat
from goat import cli
from goat.client import Client
from goat.identity import save_login
from goat.kinds.base import scorer_digest
from goat.kinds.onnx_inference import KIND
from goat.leaderboard import getLB_chall2
from goat.records import Challenge
from goat.submit import challenge2
from tests.goat import onnx_models as models
from tests.goat.fake_service import FakeService, archive, running
from tests.goat.kinds.onnx_challenges import SETTINGS, make_challenge

SETTINGS_HERE = SETTINGS | {"samples": {"test": 2, "ranked": 3}}
POST = "POST /v1/challenges/task2/submissions"
METRICS = {"score": 2.1, "accuracy": 0.9, "latency_ms": 1.25, "size_mb": 0.5}
Goat = Callable[..., int]


class ModelService(FakeService):
    """The fake with an ONNX challenge ``task2`` in place of its toys."""

    @property
    def challenge(self) -> Challenge:
        config = goat_config()
        return dataclasses.replace(
            super().challenge,
            id="task2",
            kind="onnx_inference",
            config=SETTINGS_HERE,
            scorer_digest=scorer_digest(KIND, config),
            unit="",
            max_bytes=100_000_000,
        )


def goat_config() -> Any:
    from goat.kinds.base import parse_config

    return parse_config(KIND, SETTINGS_HERE)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The published archives of a small depth challenge."""
    root = tmp_path_factory.mktemp("data")
    make_challenge(root, samples=SETTINGS_HERE["samples"])
    found = {}
    for part in ("sample", "eval"):
        members = sorted(path for path in (root / part).rglob("*.pt"))
        found[f"{part}.zip"] = archive(
            {p.relative_to(root / part).as_posix(): p.read_bytes() for p in members}
        )
    return found


@pytest.fixture
def service(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelService]:
    outcome = {"state": "EVALUATED", "score": 2.1, "improved": True, "metrics": METRICS}
    board = {name: METRICS[name] for name in KIND.board_metrics}
    with running(ModelService(files=files, outcome=outcome, board_metrics=board)) as fake:
        monkeypatch.setenv("GOAT_URL", fake.url)
        save_login(fake.url, "good", "team_awesome")
        assert isinstance(fake, ModelService)
        yield fake


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return models.save(models.good(), tmp_path / "mine.onnx")


@pytest.fixture
def goat_command(monkeypatch: pytest.MonkeyPatch) -> Goat:
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: cli.run(list(arguments))


def test_challenge2_returns_what_was_documented(service: ModelService, model: Path) -> None:
    # When the documented call is made with name and password
    result = challenge2(model_path=str(model), team_id="team_awesome", password="my_password")

    # Then it is a plain dict with what was promised, ready for json
    assert type(result) is dict
    assert result["score"] == 2.1
    assert result["inference_time"] == 1.25
    assert result["model_size_mb"] == 0.5
    assert result["accuracy"] == 0.9
    assert result["submission_id"] == "s0001"
    json.dumps(result)


def test_challenge2_without_waiting_has_no_score_yet(service: ModelService, model: Path) -> None:
    result = challenge2(model, wait_for_result=False, batch_size=4)
    assert (result["score"], result["inference_time"], result["accuracy"]) == (None, None, None)
    assert service.submissions["s0001"].options == {"batch_size": 4}


def test_a_chosen_batch_size_travels_with_the_file(service: ModelService, model: Path) -> None:
    assert goat.submit(model, batch_size=8).submission.options == {"batch_size": 8}
    assert goat.submit(model).submission.options == {}


@pytest.mark.parametrize("size", [0, 33, "8"])
def test_a_wrong_batch_size_is_told_before_anything_is_sent(
    service: ModelService, model: Path, size: Any
) -> None:
    with pytest.raises(goat.Invalid, match="batch_size"):
        goat.submit(model, batch_size=size)
    with pytest.raises(goat.Invalid, match="batch_size"):
        goat.dry_run(model, batch_size=size)
    assert service.asked[POST] == 0


def test_every_problem_of_a_model_is_listed_before_anything_is_sent(
    service: ModelService, tmp_path: Path
) -> None:
    bad = models.two_inputs()
    bad.graph.initializer.append(models.external("model.onnx.data"))
    with pytest.raises(goat.Rejection) as caught:
        goat.submit(models.save(bad, tmp_path / "bad.onnx"))
    assert [found.code for found in caught.value.problems] == [
        "external_data_forbidden",
        "signature_mismatch",
    ]
    assert service.asked[POST] == 0


def test_models_go_to_the_second_challenge_by_themselves(service: ModelService, model: Path) -> None:
    assert goat.submit(model).challenge == "task2"
    assert goat.dry_run(model).challenge == "task2"
    with pytest.raises(goat.NotFound, match="task1"):
        goat.submit(model, "task1")


def test_a_model_in_memory_is_as_good_as_a_file(service: ModelService) -> None:
    assert goat.dry_run(models.good()).metrics["accuracy"] == 1.0
    exported = types.SimpleNamespace(model_proto=models.good())  # as torch.onnx.export returns it
    assert goat.submit(exported).submission.size == len(models.good().SerializeToString())
    assert service.submissions["s0001"].filename == "model.onnx"


def test_anything_else_is_refused_in_a_sentence(service: ModelService) -> None:
    for thing in (3, None, b"bytes", object()):
        with pytest.raises(goat.Invalid, match="cannot be submitted"):
            goat.submit(thing)  # type: ignore[arg-type]


def test_a_dry_run_tells_which_part_is_the_servers_number(service: ModelService, model: Path) -> None:
    result = goat.dry_run(model, batch_size=2)
    assert result.exact is False
    assert "accuracy as on the server, speed measured on this machine" in result.sentence()
    assert result.metrics["depth_rmse"] == 0.0
    assert result.metrics["latency_ms"] > 0
    assert result.machine["batch_size"] == 2
    assert "latency (ms)" in result._repr_html_()
    json.dumps(result.as_dict())


def test_a_dry_run_gives_the_services_verdict(service: ModelService, tmp_path: Path) -> None:
    with pytest.raises(goat.Rejection) as caught:
        goat.dry_run(models.save(models.not_a_number(), tmp_path / "nan.onnx"))
    assert caught.value.verdict == "non_finite"


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_the_runtime_it_is_said_what_to_install(
    service: ModelService, model: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    # Given a participant's light install, without one of the packages
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr("importlib.util.find_spec", without(missing))
    for call in (goat.dry_run, goat.submit) if missing == "onnx" else (goat.dry_run,):
        with pytest.raises(goat.MissingPackage, match=r'pip install "mls-goat\[cpu\]"') as caught:
            call(model)
        assert caught.value.facts["package"] == missing
    assert service.asked[POST] == 0


def without(missing: str) -> Callable[[str], object]:
    import importlib.util

    real = importlib.util.find_spec
    return lambda name, *more: None if name == missing else real(name, *more)


def test_the_boards_numbers_are_columns(
    service: ModelService, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a wide terminal
    monkeypatch.setenv("COLUMNS", "160")
    frame = getLB_chall2(team_name="team_awesome")
    assert list(frame.columns)[-3:] == ["accuracy", "latency_ms", "size_mb"]
    assert frame["latency_ms"].tolist() == [1.25, 1.25, 1.25]
    printed = capsys.readouterr().out
    assert "latency (ms)" in printed
    assert "size (MB)" in printed
    html = goat.leaderboard("task2")._repr_html_()
    assert html.count("<td>1.25</td>") == 3


def test_a_board_without_such_numbers_looks_as_before(service: ModelService) -> None:
    service.board_metrics.clear()
    found = goat.leaderboard("task2")
    assert found.metrics == []
    assert list(found.frame.columns)[-1] == "entries"
    assert "latency" not in found._repr_html_()


def test_a_team_without_a_number_has_a_gap(service: ModelService) -> None:
    board = service.board()
    rows = [board.rows[0], dataclasses.replace(board.rows[1], metrics={})]
    found = goat.leaderboard("task2")
    gaps = dataclasses.replace(found, board=dataclasses.replace(board, rows=rows))
    assert gaps.frame["accuracy"].isna().tolist() == [False, True]
    assert "–" in gaps._repr_html_()


def test_the_command_line_takes_models(
    service: ModelService, model: Path, goat_command: Goat, capsys: pytest.CaptureFixture[str]
) -> None:
    assert goat_command("check", str(model), "--batch-size", "4") == 0
    assert "submission to task2" in capsys.readouterr().out
    assert goat_command("dry-run", str(model), "--batch-size", "2", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["metrics"]["accuracy"], found["machine"]["batch_size"]) == (1.0, 2)
    assert goat_command("submit", str(model), "--batch-size", "3") == 0
    assert service.submissions["s0001"].options == {"batch_size": 3}
    printed = capsys.readouterr().out
    assert "latency_ms 1.2500" in printed
    assert goat_command("submit", str(model), "--batch-size", "33") == 2


def test_the_command_line_lists_a_models_problems(
    service: ModelService, tmp_path: Path, goat_command: Goat, capsys: pytest.CaptureFixture[str]
) -> None:
    path = models.save(models.half(), tmp_path / "half.onnx")
    assert goat_command("check", str(path)) == 1
    said = capsys.readouterr().err
    assert said.count("wrong_dtype") == 2
    assert "keep_io_types=True" in said


def test_the_client_sends_options_only_where_there_are_some(service: ModelService, model: Path) -> None:
    with Client() as client:
        client.submit("task2", model, options={"batch_size": 5})
        client.submit("task2", model)
    assert [found.options for found in service.submissions.values()] == [{"batch_size": 5}, {}]
