"""Formulas of event files: safe, finite, and never rewarding what is worse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goat.scoring.formula import MAX_LENGTH, Domain, Formula

METRICS = {"psnr": Domain(0, 50), "ssim": Domain(-1, 1), "sam": Domain(0, 180, "down")}
WEIGHTED = "0.7*psnr/50 + 0.15*ssim + 0.15*(1 - sam/90)"

# The source design's product: 4/(4+(10 rmse)²) times size times time, size in MB, t in seconds.
PRODUCT = "accuracy * (50 - size)/20 * (0.16 + log10(7 - (2/5.33)*t))"


def test_the_weighted_form_of_the_2026_event_can_be_said() -> None:
    formula = Formula(WEIGHTED, METRICS)
    assert formula.faults() == []
    assert formula({"psnr": 40.0, "ssim": 0.9, "sam": 9.0}) == pytest.approx(0.56 + 0.135 + 0.135)


def test_values_beyond_the_domain_are_clamped_as_declared() -> None:
    formula = Formula("psnr/50", METRICS)
    assert formula({"psnr": 80.0}) == formula({"psnr": 50.0}) == 1.0


def test_values_beyond_the_domain_are_refused_as_declared() -> None:
    formula = Formula("psnr", {"psnr": Domain(0, 50, outside="reject")})
    with pytest.raises(ValueError, match="outside"):
        formula({"psnr": 80.0})


def test_defect_5_the_product_is_refused_over_the_domain_where_it_goes_wrong() -> None:
    # Given the published product over everything that can be measured
    wide = {"accuracy": Domain(0, 1), "size": Domain(0, 100, "down"), "t": Domain(0, 18.6, "down")}
    # Then loading the event says so: two negative factors would reward 60 MB at 18.6 s
    faults = Formula(PRODUCT, wide).faults()
    assert faults
    assert any("rewards a worse" in fault for fault in faults)


def test_defect_5_a_logarithm_outside_its_domain_is_refused() -> None:
    wide = {"accuracy": Domain(0, 1), "size": Domain(0, 50, "down"), "t": Domain(0, 20, "down")}
    faults = Formula(PRODUCT, wide).faults()
    assert faults
    assert "not finite" in faults[0]


def test_defect_5_over_a_proper_domain_60_mb_at_18_6_s_are_worth_nothing() -> None:
    # Given the domain in which both factors are at least 0; the rest is clamped to its edge
    proper = {"accuracy": Domain(0, 1), "size": Domain(0, 50, "down"), "t": Domain(0, 16.8, "down")}
    formula = Formula(PRODUCT, proper)
    assert formula.faults() == []
    # Then
    assert formula({"accuracy": 1.0, "size": 60.0, "t": 18.6}) == 0.0
    assert formula({"accuracy": 1.0, "size": 10.0, "t": 18.7}) >= 0.0
    assert formula({"accuracy": 1.0, "size": 5.0, "t": 1.0}) > 1.0


@given(st.floats(-100, 200), st.floats(-5, 5), st.floats(-10, 400), st.floats(0, 50))
def test_a_checked_formula_never_rewards_worse_values(
    psnr: float, ssim: float, sam: float, more: float
) -> None:
    formula = Formula(WEIGHTED, METRICS)
    base = formula({"psnr": psnr, "ssim": ssim, "sam": sam})
    assert formula({"psnr": psnr + more, "ssim": ssim, "sam": sam}) >= base
    assert formula({"psnr": psnr, "ssim": ssim, "sam": sam + more}) <= base


def test_a_formula_in_the_wrong_direction_is_refused() -> None:
    (fault,) = Formula("100 - psnr", METRICS).faults()
    assert "psnr" in fault


def test_lower_can_be_better_if_declared() -> None:
    assert Formula("sam", METRICS, higher_is_better=False).faults() == []
    assert Formula("psnr", METRICS, higher_is_better=False).faults()


def test_a_formula_without_a_metric_is_refused() -> None:
    assert Formula("42", METRICS).faults() == ["formula names no metric"]


@pytest.mark.parametrize(
    "domain", [Domain(1, 1), Domain(2, 1), Domain(0, float("inf")), Domain(float("nan"), 1)]
)
def test_an_impossible_domain_is_refused(domain: Domain) -> None:
    (fault,) = Formula("x", {"x": domain}).faults()
    assert "x has an empty or infinite domain" in fault


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('id')",
        "psnr.__class__",
        "().__class__.__bases__[0]",
        "[x for x in (1,2)]",
        "(lambda: 1)()",
        "psnr if psnr == 'a' else 0",
        "'a' * 1000000000",
        "f'{psnr}'",
        "open('x')",
        "max(*[psnr])",
        "log(psnr, base=2)",
        "psnr := 3",
        "psnr[0]",
        "psnr and ssim",
        "psnr << 1000000",
        "psnr % 7",
        "1e300",
        "True",
        "",
        "   ",
        "psnr +",
        "(" * 300,
        "psnr" + " + 1" * MAX_LENGTH,
        "-" * 399 + "1",
        "psnr\x00",
    ],
)
def test_only_arithmetic_is_a_formula(text: str) -> None:
    with pytest.raises(ValueError, match="formula"):
        Formula(text, METRICS)


@pytest.mark.parametrize(
    "text", ["9**9**9**9 + psnr", "psnr**65", "2**psnr**4", "exp(exp(psnr))", "(0-2)**0.5*psnr"]
)
def test_powers_are_bounded(text: str) -> None:
    (fault,) = Formula(text, METRICS).faults()
    assert "not finite" in fault


def test_unknown_metrics_are_named_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match=r"formula names pnsr; known here: psnr, sam, ssim"):
        Formula("pnsr / 50", METRICS)


def test_a_metric_that_is_not_a_number_has_no_score() -> None:
    with pytest.raises(ValueError, match="psnr is not a number"):
        Formula("psnr", METRICS)({"psnr": float("nan")})
