"""An organiser hears of every fault of an ONNX challenge before a participant does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goat.errors import Invalid
from goat.kinds.base import NO_OPTIONS, NoOptions, parse_config, parse_options
from goat.kinds.image_reconstruction import KIND as IMAGES
from goat.kinds.onnx.settings import Options
from goat.kinds.onnx_inference import KIND
from goat.readers import write_pt
from tests.goat.kinds.onnx_challenges import SETTINGS, make_challenge


def faults(**settings: Any) -> list[str]:
    return KIND.validate(parse_config(KIND, SETTINGS | settings))


def test_the_source_designs_formula_is_sound() -> None:
    assert faults() == []
    assert faults(formula="depth_rmse", accuracy="", higher_is_better=False, domains={}) == []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"input": {"shape": [3, 0, 4]}}, "input.shape"),
        ({"output": {"shape": []}}, "output.shape"),
        ({"output": {"shape": [1, 2, 3, 4, 5]}}, "output.shape"),
        ({"input": {"shape": [3, 9000, 9000]}}, "elements"),
        ({"metric": "beauty"}, "metric is one of depth_rmse"),
        ({"metric": "top1"}, "output.shape of one size"),
        ({"threads": 0}, "threads"),
        ({"batch_size": 33}, "batch_size"),
        ({"warm_up": -1}, "warm_up"),
        ({"passes": 19}, "passes is between 20"),
        ({"opset_max": 27}, "opset_max"),
        ({"operator_domains": ["evil"]}, "operator_domains"),
        ({"operator_domains": []}, "operator_domains"),
        ({"max_nodes": 0}, "max_nodes"),
        ({"max_size_mb": float("nan")}, "max_size_mb"),
        ({"memory_mb": -1}, "memory_mb"),
        ({"time_limit_s": float("inf")}, "time_limit_s"),
        ({"samples": {"test": 0, "ranked": 8}}, "samples.test"),
        ({"pattern": "../{:d}.pt"}, "pattern"),
        ({"unit": "a\nb"}, "unit"),
        ({"formula": "beauty"}, "formula names beauty"),
        ({"formula": "accuracy", "accuracy": ""}, "formula names accuracy"),
        ({"accuracy": "1 - size_mb"}, "accuracy: formula names size_mb"),
        ({"accuracy": "depth_rmse"}, "accuracy: formula rewards a worse depth_rmse"),
        ({"formula": "accuracy + size_mb"}, "rewards a worse size_mb"),
        ({"formula": "accuracy * seconds"}, "rewards a worse seconds"),
        ({"domains": {"beauty": {"from": 0, "to": 1}}}, "domains names beauty"),
        ({"domains": {"seconds": {"from": 0, "to": 20}}}, "not finite"),
    ],
)  # fmt: skip
def test_each_fault_is_a_sentence(settings: dict[str, Any], says: str) -> None:
    found = faults(**settings)
    assert len(found) == 1
    assert says in found[0]


def test_the_source_designs_two_negative_factors_are_found() -> None:
    # Given domains in which 60 MB at 18 s would have earned a good score
    told = faults(domains={"size_mb": {"from": 0, "to": 60}, "seconds": {"from": 0, "to": 18.6}})
    assert any("rewards a worse size_mb" in fault for fault in told)
    assert any("rewards a worse seconds" in fault for fault in told)


def test_several_faults_are_told_together() -> None:
    assert len(faults(threads=0, passes=3, metric="beauty", unit="x" * 17)) == 4


@pytest.mark.parametrize("settings", [{"device": "tpu"}, {"input": {"shape": [3, 4]}}, {"beauty": 1}])
def test_wrong_types_and_unknown_fields_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="onnx_inference"):
        parse_config(KIND, SETTINGS | settings)


@pytest.mark.parametrize(("device", "lane"), [("cpu", "cpu"), ("gpu", "gpu")])
def test_the_device_is_the_queue(device: str, lane: str) -> None:
    assert KIND.lane(parse_config(KIND, SETTINGS | {"device": device})) == lane


def test_images_wait_where_they_did() -> None:
    config = parse_config(IMAGES, {"shape": [1, 4, 4], "samples": {"test": 1, "ranked": 2}})
    assert IMAGES.lane(config) == "short"


# --- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 32, None])
def test_a_batch_size_can_be_chosen(size: int | None) -> None:
    assert parse_options(KIND, {"batch_size": size}) == Options(size)
    assert parse_options(KIND, {}) == Options()


@pytest.mark.parametrize("size", [0, 33, -1, "8", 1.5, True, [8]])
def test_a_batch_size_out_of_range_names_the_option(size: Any) -> None:
    with pytest.raises(Invalid, match="option batch_size") as caught:
        parse_options(KIND, {"batch_size": size})
    assert caught.value.facts["field"] == "batch_size"


def test_unknown_options_are_refused_with_those_that_there_are() -> None:
    with pytest.raises(Invalid, match=r"unknown option 'speed'.*takes batch_size"):
        parse_options(KIND, {"speed": 1})
    with pytest.raises(Invalid, match="takes no options"):
        parse_options(IMAGES, {"batch_size": 8})
    assert parse_options(IMAGES, {}) == NoOptions() == NO_OPTIONS


# --- data ---------------------------------------------------------------------------------------


def test_sound_data_has_no_faults(tmp_path: Path) -> None:
    challenge = make_challenge(tmp_path)
    assert KIND.validate_data(challenge.root, challenge.config) == []


def test_every_fault_of_the_data_is_told_at_once(tmp_path: Path) -> None:
    challenge = make_challenge(tmp_path)
    names = challenge.config.names("ranked")
    write_pt(tmp_path / "eval" / "inputs" / names[0], np.full((3, 16, 20), 2, np.float32))
    write_pt(tmp_path / "eval" / "inputs" / names[1], np.zeros((3, 16, 20), np.uint8))
    write_pt(tmp_path / "public" / "truth" / names[0], np.full((1, 16, 20), np.nan, np.float32))
    write_pt(tmp_path / "public" / "truth" / names[1], np.zeros((1, 16, 20), np.float32))
    (tmp_path / "sample" / "truth" / challenge.config.names("test")[0]).unlink()
    told = "\n".join(KIND.validate_data(challenge.root, challenge.config))
    for part in (
        f"eval/inputs/{names[0]} has values outside [0, 1]",
        f"eval/inputs/{names[1]} is uint8",
        f"public/truth/{names[0]} has values that are not finite",
        "public/truth and private/truth share 1 files",
        "sample/truth lacks 1 files",
    ):
        assert part in told


def test_labels_outside_the_classes_are_told(tmp_path: Path) -> None:
    challenge = make_challenge(
        tmp_path, output={"shape": [5]}, metric="top1", accuracy="", formula="top1", domains={},
        truth=lambda image: np.array(5, np.int64),
    )  # fmt: skip
    told = KIND.validate_data(challenge.root, challenge.config)
    assert len(told) == 11
    assert "label 5 of 5 classes" in told[0]
