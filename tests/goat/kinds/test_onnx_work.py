"""An evaluation costs what the model costs: no call of it and no reading of its file that nobody needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from goat.kinds.base import InlineRunner
from goat.kinds.onnx import session
from goat.readers import onnx_gate
from tests.goat import onnx_models as models
from tests.goat.kinds.onnx_challenges import make_challenge


class Counted:
    """A session that remembers how often it was called, and how."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("run"):
            self.calls.append(name)
        return getattr(self._real, name)


@pytest.mark.parametrize(("batch", "answers"), [(1, 8), (3, 3), (8, 1)])
def test_every_input_is_answered_once_beside_the_timed_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int, answers: int
) -> None:
    opened: list[Counted] = []

    def open_counted(*args: Any, **settings: Any) -> Counted:
        opened.append(Counted(real(*args, **settings)))
        return opened[-1]

    real = session.open_session
    monkeypatch.setattr(session, "open_session", open_counted)
    challenge = make_challenge(tmp_path, warm_up=2, passes=21)
    outcome = challenge.evaluate(models.good(), "ranked", runner=InlineRunner(), batch_size=batch)
    assert len(outcome.samples["latency_s"]) == 21
    assert len(opened) == 1
    # One more call shows what the answer looks like, before buffers for it are bound.
    assert opened[0].calls == ["run"] + ["run_with_iobinding"] * (answers + 2 + 21)


def test_the_model_is_read_and_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    parsed: list[int] = []
    real_read, real_parse = Path.read_bytes, onnx_gate._parse

    def read_bytes(path: Path) -> bytes:
        read.append(path)
        return real_read(path)

    def parse(content: bytes) -> tuple[Any, str]:
        parsed.append(len(content))
        return real_parse(content)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    monkeypatch.setattr(onnx_gate, "_parse", parse)
    challenge = make_challenge(tmp_path)
    model = models.save(models.good(), tmp_path / "model.onnx")
    challenge.evaluate(model, runner=InlineRunner())
    assert read.count(model) == 1
    assert parsed == [model.stat().st_size]
