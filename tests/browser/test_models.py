"""A team with ONNX models in JupyterLab: the panel, the board's numbers and figure, the combined board."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, helper

from tests.browser.chromium import artefacts
from tests.browser.hackathon import Hackathon
from tests.browser.lab import Lab
from tests.goat import onnx_models as models
from tests.goat.kinds.onnx_challenges import SETTINGS, make_challenge
from tests.scoring_service.world import CONFIG

SHAPE, ANSWER = (3, 96, 96), (1, 96, 96)
MODELS: dict[str, Any] = SETTINGS | {
    "input": {"shape": list(SHAPE)},
    "output": {"shape": list(ANSWER)},
    "formula": "accuracy * (4 - size_mb)/1.6 * (0.16 + log10(7 - latency_ms/5))",
    "domains": {"size_mb": {"from": 0, "to": 4}, "latency_ms": {"from": 0, "to": 31.5}},
}
COMBINED = [
    {"challenge": "task1", "weight": 0.6, "from": 0, "to": 50},
    {"challenge": "task2", "weight": 0.3, "from": 0, "to": 2.5},
    {"manual": "talk", "weight": 0.1, "from": 0, "to": 10},
]
RIVALS = {"deep_blue": (64, 0.1), "quick-one": (2, 2.6), "in_between": (16, 0.6), "heavy.metal": (120, 0.05)}
"""Channels, which make a model large and slow, and how wrong it is."""

CUT = """e => [...e.querySelectorAll('.goat-head .goat-cell, .goat-own .goat-name, .goat-body .goat-score')]
  .filter((cell) => cell.checkVisibility() && cell.scrollWidth > cell.clientWidth + 1)
  .map((cell) => cell.textContent)"""
"""Headings, scores and the own team's name that there is no room for."""


def model(channels: int, wrong: float) -> ModelProto:
    """Answers the mean over the channels, which is the truth, with an error from convolutions."""
    draw = np.random.default_rng(channels)
    first = draw.normal(0, 0.2, (channels, 3, 3, 3))
    middle = draw.normal(0, 0.6 / channels, (channels, channels, 3, 3))
    last = draw.normal(0, wrong / channels, (1, channels, 3, 3))
    weights = [("a", first), ("b", middle), ("c", last)]
    same = {"pads": [1, 1, 1, 1]}
    return models.build(
        [
            helper.make_node("Conv", ["x", "a"], ["p"], **same),
            helper.make_node("Relu", ["p"], ["q"]),
            helper.make_node("Conv", ["q", "b"], ["r"], **same),
            helper.make_node("Conv", ["r", "c"], ["e"], **same),
            models.mean(target="m"),
            helper.make_node("Add", ["m", "e"], ["y"]),
        ],
        initializers=[models.constant(name, values, np.float32) for name, values in weights],
        inputs=[models.value("x", ("batch", *SHAPE))],
        outputs=[models.value("y", ("batch", *ANSWER))],
    )


def compete(site: Hackathon, name: str, channels: int, wrong: float) -> None:
    content = model(channels, wrong).SerializeToString()
    site.world.submit(site.team(name), content, challenge="task2")


@pytest.fixture
def second(site: Hackathon, tmp_path: Path) -> Hackathon:
    """The hackathon with a second challenge for models, and rivals on its board."""
    make_challenge(site.world.folder / "depth", **MODELS)
    entries = [
        {"id": "task1", "title": "Photographs", "kind": "image_reconstruction", "data": "./data"}
        | {"config": CONFIG, "max_bytes": 1_000_000},
        {"id": "task2", "title": "Depth from one picture", "kind": "onnx_inference", "data": "./depth"}
        | {"config": MODELS, "max_bytes": 4_000_000},
    ]
    site.world.apply(event_fields={"challenges": entries, "combined": COMBINED})
    for name, (channels, wrong) in RIVALS.items():
        compete(site, name, channels, wrong)
    site.result("deep_blue", 0.05)
    site.result("only-pictures", 0.04)
    return site


@pytest.mark.timeout(400)
def test_a_model_goes_from_the_panel_to_a_board_that_shows_how_good_and_how_fast_it_is(
    lab: Lab, second: Hackathon
) -> None:
    page = lab.page
    models.save(model(8, 0.9), lab.folder / "mine.onnx")
    lab.open(
        "import goat\ngoat.panel('task2')",
        "goat.board('task2', 'combined')",
        "goat.leaderboard('task2').speed_figure",
    )
    lab.command("notebook:run-all-cells")
    panel, board = page.locator(".goat-panel"), page.locator(".goat-board")
    # Given a panel that asks for one model
    panel.get_by_text("Your model").wait_for(timeout=60_000)
    assert panel.locator("input[type=file]").get_attribute("accept") == ".onnx"
    panel.get_by_placeholder("path of your .onnx file").fill("mine.onnx")
    panel.get_by_placeholder("path of your .onnx file").press("Tab")
    panel.get_by_label("Batch size").select_option("4")
    chosen = panel.locator("select").first.evaluate("e => e.selectedOptions[0].text")
    assert chosen.split() == ["Depth", "from", "one", "picture"]
    # When it is tried here, and then submitted for the board
    page.get_by_role("button", name="Ranked").click()
    page.get_by_role("button", name="2 · Dry run").click()
    verdict = panel.locator(".goat-good-box")
    verdict.get_by_text("speed measured on this machine").wait_for(timeout=60_000)
    assert re.search(r"accuracy 0\.\d{4} · latency [\d.]+ ms \([\d.]+ to [\d.]+\)", verdict.inner_text())
    page.get_by_role("button", name="3 · Submit").click()
    verdict.get_by_text("public score").wait_for(timeout=60_000)
    # Then its numbers are said, stand in the history and on the board, which moved by itself
    assert re.search(r"accuracy 0\.\d{4} · latency [\d.]+ ms · size 0\.\d+ MB", verdict.inner_text())
    assert panel.locator(".goat-history .goat-metric-0").nth(1).inner_text().startswith("0.")
    board.locator("[aria-current=true]").wait_for(timeout=30_000)
    headers = board.get_by_role("columnheader").all_inner_texts()
    assert headers[3:8] == ["Score", "Accuracy", "Latency (ms)", "Size (MB)", "Tries"]
    own = board.locator("[aria-current=true] .goat-metric").all_inner_texts()
    assert all(re.fullmatch(r"\d[\d.]*", value) for value in own), own
    # And the figure says the same in words, and follows the board
    board.get_by_role("tab", name="Accuracy and speed").click()
    page.wait_for_selector(".goat-board .goat-chart .main-svg", timeout=60_000)
    picture = board.get_by_role("img").first
    said = picture.get_attribute("aria-label")
    assert "Accuracy against Latency (ms) of 5 teams; the lines are the score at your size of" in said
    assert board.locator(".contourlines path").count() > 3
    compete(second, "late.comer", 4, 0.2)
    page.wait_for_selector("[role=img][aria-label*='of 6 teams']", timeout=30_000)
    # And all of it fits, at every width and in both themes
    page.add_style_tag(content=".Toastify { display: none }")
    lab.command("application:toggle-left-area")
    for theme in ("Light", "Dark"):
        lab.theme(theme)
        for width in (1200, 760, 520, 400):
            page.set_viewport_size({"width": width, "height": 1300})
            for view in ("Table", "Accuracy and speed"):
                board.get_by_role("tab", name=view).click()
                page.wait_for_timeout(400)
                board.screenshot(path=str(artefacts() / f"task2-{view[:5]}-{theme}-{width}.png"))
                assert board.evaluate("e => e.scrollWidth <= e.clientWidth + 1"), (view, width)
                if view == "Table":
                    assert board.evaluate(CUT) == panel.evaluate(CUT) == [], width
            panel.screenshot(path=str(artefacts() / f"task2-panel-{theme}-{width}.png"))
            assert panel.evaluate("e => e.scrollWidth <= e.clientWidth + 1"), width
    # And the combined board says what each part adds, also for a team that has one only
    page.set_viewport_size({"width": 1200, "height": 1300})
    board.get_by_role("tab", name="Combined").click()
    board.get_by_role("row", name="only-pictures").wait_for()
    assert {"task1", "task2"} <= {
        text.lower() for text in board.get_by_role("columnheader").all_inner_texts()
    }
    row = board.get_by_role("row").filter(has_text="only-pictures").locator(".goat-metric").all_inner_texts()
    assert "–" in row
    board.screenshot(path=str(artefacts() / "task2-combined.png"))
    page.locator(".js-plotly-plot").last.screenshot(path=str(artefacts() / "task2-plotly.png"))
    assert lab.errors == []
