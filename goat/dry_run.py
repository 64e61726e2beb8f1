"""Rehearse: the number of the service's ``test`` mode, computed on your own machine.

The very code that the service scores with runs here, on the published sample split. Where this
library's scoring code is not the service's, a dry run refuses instead of giving another number. What a
challenge measures (the speed of a model) is this machine's, and said to be.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from goat.artifact import Handed, PathLike, as_path, challenge_for, chosen
from goat.cache import known_challenge
from goat.callables import make_callable
from goat.client import Client
from goat.datasets import fetch_data
from goat.errors import Invalid, ScorerMismatch
from goat.kinds.base import Kind, get_kind, parse_config, parse_options, scorer_digest
from goat.progress import Display
from goat.records import Challenge
from goat.results import Fields
from goat.text import amount, duration, facts, markup, metric_label, number, plain


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class DryRun(Fields):
    """A score computed here. ``score`` is in ``unit``; ``metrics`` are means over the sample split."""

    score: float
    challenge: str
    unit: str = ""
    mode: str = "test"
    metrics: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    """Wall time of the scoring (NOT of your method)."""
    offline: bool = False
    """The service could not be asked: settings and data are those last seen here."""
    exact: bool = True
    """The service's test mode gives this very number; not so where the score depends on speed."""
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Metric → (low, high) of what was measured: the 95 % interval of its median."""
    machine: dict[str, Any] = field(default_factory=dict)
    """What it was measured on and with, where something was."""

    def sentence(self) -> str:
        where = " (offline, as the challenge was last seen)" if self.offline else ""
        speed = "" if self.exact else "; accuracy as on the server, speed measured on this machine"
        return f"dry run {number(self.score, self.unit)} on the sample split{where}{speed}"

    def __repr__(self) -> str:
        return f"<DryRun of {plain(self.challenge)}: {self.sentence()}, {duration(self.seconds)}>"

    def _repr_html_(self) -> str:
        named = {name: value for name, value in self.metrics.items() if name != "score"}
        shown = [(metric_label(name), amount(name, value)) for name, value in named.items()]
        return f"<div>{markup(self.sentence())}</div>{facts(shown)}"


@dataclass(frozen=True, slots=True)
class _SampleOnly:
    """`goat.kinds.base.Data` with the one part that a participant has the truth of."""

    sample: Path

    def part(self, name: str) -> Path:
        if name != "sample":
            raise Invalid(f"the truth of part {name!r} is hidden")
        return self.sample


def dry_run(
    path: Handed,
    challenge: str | None = None,
    truth: PathLike | None = None,
    *,
    batch_size: int | None = None,
    quiet: bool | None = None,
    client: Client | None = None,
) -> DryRun:
    """Score ``path`` on this machine, exactly as ``goat.submit(path, challenge, mode="test")`` would.

    Args:
        path: Answers to the sample inputs (``goat.data(challenge).sample_inputs``), or a model: an
            `.onnx` file or an ``onnx.ModelProto``. It runs in a process of its own, so one that crashes
            leaves the notebook alone.
        challenge: The challenge's id; by default ``task1``, for a model ``task2``.
        truth: Another folder to score against: one that holds ``truth/``, or a folder named ``truth``
            itself. By default the published sample split, downloaded when it is not here yet.
        batch_size: Samples per call, 1 to 32, for a model whose batch dimension is dynamic.
        quiet: No display. By default there is one in a terminal or notebook only.
        client: The client to use.

    Works without a connection once the challenge and its sample data have been fetched here.
    Raises `goat.errors.Rejection` with every problem, `goat.errors.ScorerMismatch` when this library
    would not give the service's number, `goat.errors.MissingPackage` where a package for it is not
    installed.
    """
    if client is None:
        with Client() as own:
            return dry_run(path, challenge, truth, batch_size=batch_size, quiet=quiet, client=own)
    name = challenge_for(path, challenge)
    with as_path(path) as place:
        return rehearse(client, place, name, truth, Display(quiet), chosen(batch_size))


def rehearse(
    client: Client,
    path: PathLike,
    challenge: str,
    truth: PathLike | None,
    display: Display,
    options: Mapping[str, Any] | None = None,
) -> DryRun:
    """`dry_run` of a file or folder, shown on a given display."""
    about, online = known_challenge(client, challenge)
    if not online:
        display.say(f"cannot ask {client.url}: using the challenge as it was last seen here", mark="note")
    kind = get_kind(about.kind)
    config, parsed = parse_config(kind, about.config), parse_options(kind, options or {})
    _same_scorer(kind, config, about)
    if truth is None:
        data = fetch_data(client, challenge, parts=("sample",), display=display, about=about)
        sample = data.part("sample")
    else:
        sample = _truth_home(Path(truth))
    return _scored(kind, config, parsed, about, Path(path), sample, offline=not online, display=display)


def _scored(
    kind: Kind,
    config: Any,
    options: Any,
    about: Challenge,
    path: Path,
    sample: Path,
    *,
    offline: bool,
    display: Display,
) -> DryRun:
    started = time.perf_counter()
    with display.spinner("scoring"):
        outcome = kind.evaluate(
            path, config, "test", _SampleOnly(sample), kind.local_runner(), options=options
        )
    metrics = {name: measure.value for name, measure in outcome.scores["sample"].items()}
    result = DryRun(
        score=metrics["score"],
        challenge=about.id,
        unit=about.unit,
        metrics=metrics,
        seconds=time.perf_counter() - started,
        offline=offline,
        exact=not kind.measured,
        intervals={
            name: (measure.low, measure.high)
            for name, measure in outcome.scores["sample"].items()
            if measure.low < measure.high
        },
        machine=dict(outcome.machine),
    )
    display.say(result.sentence())
    return result


def _same_scorer(kind: Kind, config: Any, about: Challenge) -> None:
    if scorer_digest(kind, config) != about.scorer_digest:
        raise ScorerMismatch(
            f"This version of goat does not score {about.id} as the service does, so a dry run would "
            "not give its number: update goat to the service's version (or submit with mode='test').",
            challenge=about.id,
        )


def _truth_home(folder: Path) -> Path:
    if (folder / "truth").is_dir():
        return folder
    if folder.name == "truth" and folder.is_dir():
        return folder.absolute().parent
    raise Invalid(f"{folder} holds no folder truth/ with the true images.")


make_callable(__name__, dry_run)
