"""A challenge kind whose submissions say what shall happen to them: a JSON object.

{"score": 20.0}                 score it
{"sleep": 5, "score": 1}        after 5 s in the child
{"child": "kill"}               the child ends by SIGKILL, every time
{"worker": "kill"}              the worker ends by SIGKILL
{"reject": "wrong_shape"}       a verdict
{"fault": true}                 a bug of ours
{"score": null}                 not a number
{"metrics": {"accuracy": 0.5}}  further metrics of every split

The kind ``measured`` does the same, has the option ``batch_size``, and shows metrics.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec

from goat.errors import Problem, Rejection
from goat.kinds.base import Data, Kind, Limits, Measure, Outcome, Runner, Upload
from goat.records import SPLITS_OF_MODE, Mode

ROOT = Path(__file__).parents[2]


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    wall_s: float = 60.0
    device: str = "short"


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    batch_size: Annotated[int, msgspec.Meta(ge=1, le=32)] | None = None


def work(path: str) -> dict[str, Any]:
    """The child's part."""
    script = json.loads(Path(path).read_text())
    time.sleep(script.get("sleep", 0))
    if script.get("child") == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if "reject" in script:
        raise Rejection.of(script["reject"], "The script asks for it.")
    assert isinstance(script, dict)
    return script


class ScriptedKind(Kind):
    name: ClassVar[str] = "scripted"
    config_type: ClassVar[type[msgspec.Struct]] = Config
    sources: ClassVar[tuple[str, ...]] = ("goat.errors",)

    def validate(self, config: Config) -> list[str]:
        return []

    def higher_is_better(self, config: Config) -> bool:
        return True

    def unit(self, config: Config) -> str:
        return ""

    def validate_data(self, folder: Path, config: Config) -> list[str]:
        return []

    def lane(self, config: Config) -> str:
        return config.device

    def check(self, path: Path, config: Config, mode: Mode, *, options: Any = None) -> list[Problem]:
        return []

    @contextlib.contextmanager
    def pack(self, path: Path, config: Config, mode: Mode, *, options: Any = None) -> Iterator[Upload]:
        yield Upload(path, path.name, path.stat().st_size)

    def evaluate(
        self, artifact: Path, config: Config, mode: Mode, data: Data, runner: Runner, *, options: Any = None
    ) -> Outcome:
        script = runner.call(work, str(artifact), limits=Limits(wall_s=config.wall_s))
        if script.get("worker") == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if script.get("fault"):
            raise RuntimeError("a bug of ours")
        value = script.get("score", 0.0)
        score = Measure.exact(float("nan") if value is None else value)
        metrics = {name: Measure.exact(value) for name, value in script.get("metrics", {}).items()}
        return Outcome(
            {split: {"score": score, **metrics} for split in SPLITS_OF_MODE[mode]},
            {"work": 0.1},
            samples=script.get("samples", {}),
            machine={"batch_size": options.batch_size or 0} if isinstance(options, Options) else {},
        )


class MeasuredKind(ScriptedKind):
    name: ClassVar[str] = "measured"
    options_type: ClassVar[type[msgspec.Struct]] = Options
    measured: ClassVar[bool] = True
    open_metrics: ClassVar[frozenset[str]] = frozenset({"latency_ms", "size_mb"})
    board_metrics: ClassVar[tuple[str, ...]] = ("accuracy", "latency_ms", "size_mb")


KIND = ScriptedKind()
MEASURED = MeasuredKind()


def install(folder: Path) -> Path:
    """Make the kind known to every Python that has the returned folder on its path."""
    target = folder / "scripted_kind-1.0.dist-info"
    target.mkdir(parents=True)
    (target / "METADATA").write_text("Metadata-Version: 2.1\nName: scripted-kind\nVersion: 1.0\n")
    (target / "entry_points.txt").write_text(
        f"[goat.kinds]\nscripted = {__name__}:KIND\nmeasured = {__name__}:MEASURED\n"
    )
    return folder


@contextlib.contextmanager
def installed(folder: Path) -> Iterator[Path]:
    """Make the kind known to this process."""
    from goat.kinds import base

    sys.path.insert(0, str(install(folder)))
    base._entry_points.cache_clear()
    try:
        yield folder
    finally:
        sys.path.remove(str(folder))
        base._entry_points.cache_clear()
        base.get_kind.cache_clear()
