"""The metrics of models, against somebody else's implementation."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import mean_squared_error, normalized_root_mse, peak_signal_noise_ratio

from goat.scoring.outputs import METRICS, PSNR_CAP, SAME, depth_rmse, mae, psnr, rmse, stretched, top1

RNG = np.random.default_rng(3)
ONE, OTHER = (RNG.random((1, 12, 9), dtype=np.float32) for _ in range(2))


def test_rmse_and_psnr_agree_with_scikit_image() -> None:
    one, other = ONE.astype(np.float64), OTHER.astype(np.float64)
    assert rmse(ONE, OTHER) == pytest.approx(np.sqrt(mean_squared_error(one, other)), rel=1e-12)
    assert psnr(ONE, OTHER) == pytest.approx(peak_signal_noise_ratio(other, one, data_range=1), rel=1e-12)


def test_depth_rmse_agrees_with_scikit_image_on_stretched_maps() -> None:
    one, other = stretched(ONE), stretched(OTHER)
    expected = normalized_root_mse(other, one, normalization="min-max")
    assert depth_rmse(ONE, OTHER) == pytest.approx(expected, rel=1e-12)
    assert depth_rmse(7 * ONE - 3, OTHER) == pytest.approx(expected, rel=1e-6)


def test_extreme_values_stay_finite() -> None:
    huge = np.array([[[-3.4e38, 3.4e38]]], np.float32)
    truth = np.array([[[0.0, 1.0]]], np.float32)
    assert depth_rmse(huge, truth) == 0.0
    assert np.isfinite(rmse(huge, truth))
    assert np.isfinite(mae(huge, truth))
    assert np.isfinite(psnr(huge, truth))
    assert psnr(truth, truth) == PSNR_CAP


def test_top1_takes_the_first_of_equal_scores() -> None:
    scores = np.array([0.1, 0.7, 0.7], np.float32)
    assert top1(scores, np.array(1)) == 1.0
    assert top1(scores, np.array(2)) == 0.0


def test_other_shapes_are_refused() -> None:
    for name in ("rmse", "mae", "psnr", "depth_rmse"):
        with pytest.raises(ValueError, match="operands differ"):
            METRICS[name].function(ONE, OTHER[:, :5])


def test_a_worse_prediction_moves_every_metric_in_its_declared_direction() -> None:
    for name in ("rmse", "mae", "psnr", "depth_rmse"):
        metric = METRICS[name]
        close, far = (metric.function(OTHER + part * (ONE - OTHER), OTHER) for part in (0.1, 0.9))
        assert (close > far) == (metric.better == "up")


def test_rounding_is_the_same_answer_and_another_answer_is_not() -> None:
    for name in ("rmse", "mae", "psnr", "depth_rmse"):
        deviation = METRICS[name].deviation
        noise = 1e-5 * RNG.standard_normal(ONE.shape).astype(np.float32)
        assert deviation(ONE, ONE) == 0.0
        assert deviation(ONE + noise, ONE) < SAME
        assert deviation(ONE * 0.9 + 0.05 * OTHER, ONE) > SAME
        assert deviation(np.full_like(ONE, np.nan), ONE) == np.inf


def test_an_enormous_value_hides_nothing_elsewhere() -> None:
    one, other = (np.array([value, 1e9], np.float32) for value in (0.0, 0.5))
    assert METRICS["rmse"].deviation(one, other) == 0.5
    scores, others = np.array([0.2, 0.3, -1e9], np.float32), np.array([0.3, 0.2, -1e9], np.float32)
    assert METRICS["top1"].deviation(scores, others) == 1.0
    assert METRICS["top1"].deviation(scores * 2, scores) == 0.0
