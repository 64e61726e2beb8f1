"""A challenge kind of its own, found by entry point like a third party's: one number per file.

A submission is a folder with ``<name>.txt`` for every name of the config; the score is minus the mean
distance to the truth.
"""

from __future__ import annotations

import contextlib
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from goat.errors import Problem, Rejection
from goat.kinds.base import NO_OPTIONS, Data, Kind, Limits, Measure, Outcome, Runner, Upload
from goat.records import Mode


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    names: list[str]


def _distance(folder: str, truth: str, names: list[str]) -> float:
    return sum(abs(float(Path(folder, n).read_text()) - float(Path(truth, n).read_text())) for n in names)


class ToyKind(Kind):
    name: ClassVar[str] = "toy"
    config_type: ClassVar[type[msgspec.Struct]] = Config
    sources: ClassVar[tuple[str, ...]] = ("goat.errors",)

    def validate(self, config: Config) -> list[str]:
        return []

    def higher_is_better(self, config: Config) -> bool:
        return True

    def unit(self, config: Config) -> str:
        return "points"

    def validate_data(self, folder: Path, config: Config) -> list[str]:
        return []

    def check(self, path: Path, config: Config, mode: Mode, *, options: Any = NO_OPTIONS) -> list[Problem]:
        missing = [name for name in config.names if not (path / f"{name}.txt").is_file()]
        return [Problem("missing_files", f"{name}.txt is missing.", f"{name}.txt") for name in missing]

    @contextlib.contextmanager
    def pack(self, path: Path, config: Config, mode: Mode, *, options: Any = NO_OPTIONS) -> Iterator[Upload]:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder, "answers.zip")
            with zipfile.ZipFile(target, "w") as archive:
                for name in config.names:
                    archive.write(path / f"{name}.txt", f"{name}.txt")
            yield Upload(target, "answers.zip", target.stat().st_size)

    def evaluate(
        self,
        artifact: Path,
        config: Any,
        mode: Mode,
        data: Data,
        runner: Runner,
        *,
        options: Any = NO_OPTIONS,
    ) -> Outcome:
        problems = self.check(artifact, config, mode)
        if problems:
            raise Rejection(problems)
        names = [f"{name}.txt" for name in config.names]
        truth = data.part("sample") / "truth"
        total = runner.call(_distance, str(artifact), str(truth), names, limits=Limits())
        return Outcome({"sample": {"score": Measure.exact(-total / len(names))}})


KIND = ToyKind()
