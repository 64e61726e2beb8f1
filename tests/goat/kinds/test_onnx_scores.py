"""What an honest model gets: metrics that can be computed by hand, its speed with all samples, a score."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from goat.errors import Rejection
from goat.kinds.base import Measure, get_kind, parse_config, scorer_digest
from goat.kinds.local import LocalRunner
from goat.kinds.onnx_inference import KIND
from goat.kinds.truth import CACHE
from goat.records import Split
from scoring_service.evaluation.runner import ChildRunner
from tests.goat import onnx_models as models
from tests.goat.kinds.onnx_challenges import Challenge, make_challenge


@pytest.fixture(scope="module")
def challenge(tmp_path_factory: pytest.TempPathFactory) -> Challenge:
    return make_challenge(tmp_path_factory.mktemp("depth"))


def sample(challenge: Challenge, model: Any, runner: ChildRunner, **options: Any) -> dict[str, Measure]:
    return dict(challenge.evaluate(model, runner=runner, **options).scores["sample"])


def test_the_kind_is_found_by_its_name() -> None:
    assert get_kind("onnx_inference") is KIND


def test_a_perfect_model_has_no_error_and_full_accuracy(challenge: Challenge, child: ChildRunner) -> None:
    outcome = challenge.evaluate(models.good(), "ranked", runner=child)
    assert set(outcome.scores) == {"public", "private"}
    for metrics in outcome.scores.values():
        assert metrics["depth_rmse"] == Measure.exact(0.0)
        assert metrics["accuracy"].value == 1.0


def test_every_metric_but_the_score_is_what_its_name_says(challenge: Challenge, child: ChildRunner) -> None:
    # When a model of known size is evaluated
    outcome = challenge.evaluate(models.scaled(1.0, parameters=50_000), "ranked", runner=child)
    metrics = outcome.scores["public"]
    latency = outcome.samples["latency_s"]

    # Then its size is that of its file, its latency the median of all timed calls, per sample
    size = (challenge.root / "model.onnx").stat().st_size
    assert metrics["size_mb"] == Measure.exact(round(size / 1e6, 6))
    assert len(latency) == challenge.config.passes == 20
    assert metrics["latency_ms"].value == pytest.approx(1e3 * float(np.median(latency)), abs=1e-6)
    assert min(latency) <= metrics["latency_ms"].low / 1e3 + 1e-9
    assert metrics["latency_ms"].low < metrics["latency_ms"].high <= 1e3 * max(latency) + 1e-6
    # the seconds are those of all ranked samples, and the score is the event's formula over them
    seconds = metrics["seconds"].value
    assert seconds == pytest.approx(float(np.median(latency)) * 8, abs=1e-6)
    expected = 1.0 * (50 - size / 1e6) / 20 * (0.16 + math.log10(7 - 0.37523 * seconds))
    assert metrics["score"].value == pytest.approx(expected, abs=2e-6)
    assert metrics["score"].low <= metrics["score"].value <= metrics["score"].high
    # both hidden splits tell the same of speed and size
    for name in ("size_mb", "seconds", "latency_ms"):
        assert outcome.scores["private"][name] == metrics[name]


def unit(values: np.ndarray) -> np.ndarray:
    return (values - values.min()) / np.ptp(values)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("rmse", lambda p, t: np.sqrt(((p - t) ** 2).mean())),
        ("mae", lambda p, t: np.abs(p - t).mean()),
        ("psnr", lambda p, t: 10 * np.log10(1 / ((p - t) ** 2).mean())),
        ("depth_rmse", lambda p, t: np.sqrt(((unit(p) - unit(t)) ** 2).mean())),
    ],
)
def test_metrics_agree_with_their_definition(
    tmp_path: Path, child: ChildRunner, metric: str, expected: Any
) -> None:
    # Given a model that answers half the mean, and truth that is the first channel
    better = {"higher_is_better": metric == "psnr"}
    challenge = make_challenge(
        tmp_path,
        metric=metric,
        accuracy="",
        formula=metric,
        domains={},
        truth=lambda image: image[:1],
        **better,
    )
    found = sample(challenge, models.scaled(0.5), child)
    # Then the split's metric is the mean over its samples of the definition
    inputs = CACHE.get(challenge.part("sample") / "inputs", shape=models.SHAPE, dtype="float32").values
    values = [expected(0.5 * image.astype(np.float64).mean(axis=0), image[0]) for image in inputs]
    assert found[metric].value == pytest.approx(np.mean(values), abs=1e-6)
    assert found["score"].value == found[metric].value
    assert "accuracy" not in found


def test_depth_is_judged_without_scale_and_shift(challenge: Challenge, child: ChildRunner) -> None:
    # A constant times the truth is as good as the truth; its mirror image is the worst
    assert sample(challenge, models.scaled(0.01), child)["depth_rmse"].value < 1e-6
    assert sample(challenge, models.scaled(-1.0), child)["depth_rmse"].value > 0.3


def test_a_constant_answer_counts_as_all_zeros(challenge: Challenge, child: ChildRunner) -> None:
    found = sample(challenge, models.scaled(0.0), child)
    truth = CACHE.get(challenge.part("sample") / "truth", shape=models.ANSWER, dtype="float32").values
    stretched = [(t - t.min()) / np.ptp(t) for t in truth.astype(np.float64)]
    assert found["depth_rmse"].value == pytest.approx(np.mean([np.sqrt((t**2).mean()) for t in stretched]))


@pytest.mark.parametrize("batch", [1, 2, 3, 5, 8, 32])
def test_the_batch_size_changes_no_answer(challenge: Challenge, child: ChildRunner, batch: int) -> None:
    # Given models that take any batch, and models that fix it: eight samples are no multiple of most
    for model, options in ((models.good(), {"batch_size": batch}), (models.good(batch), {})):
        outcome = challenge.evaluate(model, "ranked", runner=child, **options)
        assert outcome.scores["private"]["depth_rmse"].value == 0.0
        assert outcome.machine["batch_size"] == batch


def test_the_challenges_batch_size_is_used_where_nobody_chose(tmp_path: Path, child: ChildRunner) -> None:
    challenge = make_challenge(tmp_path, batch_size=4)
    assert challenge.evaluate(models.good(), runner=child).machine["batch_size"] == 4
    assert challenge.evaluate(models.good(), runner=child, batch_size=2).machine["batch_size"] == 2
    assert challenge.evaluate(models.good(1), runner=child).machine["batch_size"] == 1


def test_what_it_was_measured_on_is_recorded(challenge: Challenge, child: ChildRunner) -> None:
    machine = challenge.evaluate(models.good(), runner=child).machine
    assert machine["provider"] == "CPUExecutionProvider"
    assert machine["onnxruntime"].split(".")[0].isdigit()
    assert (machine["device"], machine["threads"], machine["passes"]) == ("cpu", 1, 20)


def test_stored_bytes_reach_the_model_between_0_and_1(tmp_path: Path, child: ChildRunner) -> None:
    challenge = make_challenge(tmp_path, input={"shape": list(models.SHAPE), "dtype": "uint8"}, metric="rmse",
                               accuracy="", formula="rmse", domains={}, higher_is_better=False)  # fmt: skip
    assert KIND.validate_data(challenge.root, challenge.config) == []
    assert sample(challenge, models.good(), child)["rmse"].value < 1e-6


def test_an_answer_without_the_channel_axis_is_the_same_answer(
    challenge: Challenge, child: ChildRunner
) -> None:
    flat = models.build(
        [onnx.helper.make_node("ReduceMean", ["x"], ["y"], axes=[1], keepdims=0)],
        outputs=[models.value("y", ("batch", *models.ANSWER[1:]))],
    )
    assert sample(challenge, flat, child)["depth_rmse"].value == 0.0


def test_a_slower_model_gets_less(tmp_path: Path, child: ChildRunner) -> None:
    challenge = make_challenge(
        tmp_path, formula="10 - latency_ms", domains={"latency_ms": {"from": 0, "to": 10}}
    )
    fast, slow = sample(challenge, models.good(), child), sample(challenge, models.slow(400), child)
    assert slow["latency_ms"].low > fast["latency_ms"].high
    assert slow["score"].high < fast["score"].low


def test_a_model_beyond_the_declared_size_gets_nothing(tmp_path: Path, child: ChildRunner) -> None:
    domains = {"size_mb": {"from": 0, "to": 0.1}}
    challenge = make_challenge(tmp_path, formula="accuracy * (0.1 - size_mb)", domains=domains)
    assert sample(challenge, models.scaled(1.0, parameters=100_000), child)["score"].value == 0.0
    assert sample(challenge, models.good(), child)["score"].value > 0.09


def test_a_refused_size_is_told_and_a_refused_accuracy_is_not(tmp_path: Path, child: ChildRunner) -> None:
    # Given a challenge that refuses what lies outside the domains
    reject = {"size_mb": {"from": 0, "to": 0.1, "outside": "reject"}}
    sizes = make_challenge(tmp_path / "size", formula="accuracy * (0.1 - size_mb)", domains=reject)
    with pytest.raises(Rejection, match=r"size_mb = 0\.4") as caught:
        sizes.evaluate(models.scaled(1.0, parameters=100_000), "ranked", runner=child)
    assert caught.value.verdict == "out_of_domain"

    errors = {"depth_rmse": {"from": 0, "to": 0.01, "outside": "reject"}}
    hidden = make_challenge(tmp_path / "error", formula="-depth_rmse", accuracy="", domains=errors)
    with pytest.raises(Rejection) as caught:
        hidden.evaluate(models.scaled(-1.0), "ranked", runner=child)
    assert caught.value.verdict == "out_of_domain"
    assert "depth_rmse" not in str(caught.value)
    with pytest.raises(Rejection, match="depth_rmse = 0"):
        hidden.evaluate(models.scaled(-1.0), "test", runner=child)


def test_the_participants_own_machine_gives_the_same_accuracy(
    challenge: Challenge, child: ChildRunner
) -> None:
    here = challenge.evaluate(models.scaled(-0.3), runner=LocalRunner(), batch_size=2).scores["sample"]
    there = sample(challenge, models.scaled(-0.3), child, batch_size=2)
    for name in ("depth_rmse", "accuracy", "size_mb"):
        assert here[name] == there[name]


def test_settings_and_code_make_the_digest(challenge: Challenge) -> None:
    raw = {"metric": "rmse", "formula": "rmse", "input": {"shape": [3, 4, 4]}, "output": {"shape": [1, 4, 4]},
           "samples": {"test": 1, "ranked": 2}}  # fmt: skip
    one = scorer_digest(KIND, parse_config(KIND, raw))
    assert one == scorer_digest(KIND, parse_config(KIND, raw))
    assert one != scorer_digest(KIND, parse_config(KIND, raw | {"passes": 21}))


LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
QUICK = ("light_shufflenet", "light_squeezenet")


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Challenge:
    """Two labelled pictures of 224 × 224 in each mode."""
    return make_challenge(
        tmp_path_factory.mktemp("classes"), input={"shape": [3, 224, 224]}, output={"shape": [1000]},
        metric="top1", accuracy="top1", formula="top1 - seconds/1000", domains={},
        samples={"test": 2, "ranked": 2}, memory_mb=4000, time_limit_s=280,
        truth=lambda image: np.array(7, np.int64),
    )  # fmt: skip


def run_architecture(classes: Challenge, child: ChildRunner, name: str) -> None:
    outcome = classes.evaluate(LIGHT / f"{name}.onnx", runner=child)
    metrics = outcome.scores["sample"]
    assert metrics["top1"].value in (0.0, 0.5, 1.0)
    assert metrics["latency_ms"].value > 0
    assert outcome.machine["batch_size"] == 1


@pytest.mark.parametrize("name", QUICK)
def test_real_architectures_run(classes: Challenge, child: ChildRunner, name: str) -> None:
    run_architecture(classes, child, name)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", sorted(LIGHT.glob("light_*.onnx")), ids=lambda path: path.stem)
def test_all_nine_architectures_of_the_onnx_wheel_run(
    classes: Challenge, child: ChildRunner, path: Path
) -> None:
    run_architecture(classes, child, path.stem)


def test_there_are_nine_architectures() -> None:
    assert len(list(LIGHT.glob("light_*.onnx"))) == 9


def test_labels_decide_top1(tmp_path: Path, child: ChildRunner) -> None:
    # Given a model whose answer is largest where the picture's row is brightest
    challenge = make_challenge(
        tmp_path, output={"shape": [16]}, metric="top1", accuracy="", formula="top1", domains={},
        truth=lambda image: np.array(int(image.mean(axis=(0, 2)).argmax()), np.int64),
    )  # fmt: skip
    right = models.build(
        [onnx.helper.make_node("ReduceMean", ["x"], ["y"], axes=[1, 3], keepdims=0)],
        outputs=[models.value("y", ("batch", 16))],
    )
    assert sample(challenge, right, child)["top1"].value == 1.0
    wrong = models.build(
        [
            onnx.helper.make_node("ReduceMean", ["x"], ["m"], axes=[1, 3], keepdims=0),
            onnx.helper.make_node("Neg", ["m"], ["y"]),
        ],
        outputs=[models.value("y", ("batch", 16))],
    )
    assert sample(challenge, wrong, child)["top1"].value == 0.0


def test_nothing_of_a_single_sample_leaves_the_kind(challenge: Challenge, child: ChildRunner) -> None:
    outcome = challenge.evaluate(models.scaled(-1.0), "ranked", runner=child)
    splits: dict[Split, Any] = dict(outcome.scores)
    names = {"score", "depth_rmse", "accuracy", "size_mb", "seconds", "latency_ms"}
    assert all(set(metrics) == names for metrics in splits.values())
    assert set(outcome.samples) == {"latency_s"}
