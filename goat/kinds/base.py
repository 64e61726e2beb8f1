"""What a challenge kind is: one module that knows what a submission is, how to check and score it.

A kind is a constant that the registry finds by entry point (group ``goat.kinds``), so adding one
edits no other file. The same object runs on the participant's machine (``goat.dry_run``) and in the
worker; only the `Runner` it is handed differs, which is why both give the same number.

Every challenge's data is a folder with up to four parts. ``sample`` and ``eval`` are published
(each as one archive), ``public`` and ``private`` never leave the server::

    sample/   inputs and truth of the sample split: for dry runs and ``test`` mode
    eval/     inputs of the hidden splits together, so nobody knows which image is in which
    public/   truth of the public split: the board
    private/  truth of the private split: the final rank
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar

import msgspec

from goat.errors import Invalid, Problem
from goat.records import Mode, Split

T = TypeVar("T")

PUBLISHED_PARTS: tuple[str, ...] = ("sample", "eval")
HIDDEN_PARTS: tuple[str, ...] = ("public", "private")

DEFAULT_LANE = "short"
"""Of kinds whose jobs only read files."""

Device = Literal["cpu", "gpu"]


class NoOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a participant may choose beside the file: nothing, for most kinds."""


NO_OPTIONS = NoOptions()


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one child process. Seconds and bytes."""

    wall_s: float = 60.0
    cpu_s: float = 60.0
    memory_bytes: int = 2 << 30
    """Of main memory, above what the process holds when it starts."""
    device: Device = "cpu"
    """``gpu``: the child opens the accelerator's driver, which reserves a huge address space."""
    threads: int = 1
    """Threads that compute at the same time; ``cpu_s`` counts the seconds of all together."""


class Runner(Protocol):
    """Runs the part of an evaluation that touches hostile bytes."""

    @property
    def gpu_memory_bytes(self) -> int:
        """Memory of the accelerator that one call may use; 0 where nobody bounds it."""
        ...

    def call(self, function: Callable[..., T], *args: Any, limits: Limits) -> T:
        """Call a module-level function with picklable arguments and return its picklable result.

        Raises `goat.errors.Rejection` as the function raised it, or with code ``time_limit``,
        ``memory_limit`` or ``crashed`` when the child did not come back.
        """
        ...


class InlineRunner:
    """Calls in this very process: for one's own files on one's own machine."""

    gpu_memory_bytes = 0

    def call(self, function: Callable[..., T], *args: Any, limits: Limits) -> T:
        return function(*args)


class Data(Protocol):
    """Where a challenge's data lies on this machine."""

    def part(self, name: str) -> Path:
        """Folder of one part (``sample``, ``eval``, ``public``, ``private``). Its content never
        changes under one path: a new data version has a new path, so loaders may cache by path."""
        ...


@dataclass(frozen=True, slots=True)
class Measure:
    """One number with its interval; a deterministic score has ``low == high == value``."""

    value: float
    low: float
    high: float

    @classmethod
    def exact(cls, value: float) -> Measure:
        return cls(value, value, value)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an evaluation found: per split the metrics by name, ``score`` always among them."""

    scores: Mapping[Split, Mapping[str, Measure]]
    timings: Mapping[str, float] = field(default_factory=dict)
    """Stage → seconds of wall time spent scoring (NOT model latency)."""
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Every single measurement that a measured metric was made of, e.g. ``latency_s``."""
    machine: Mapping[str, str | int | float] = field(default_factory=dict)
    """What it was measured on and with, as far as the kind knows (provider, device, threads, …)."""


@dataclass(frozen=True, slots=True)
class Upload:
    """The one file to send for a submission."""

    path: Path
    filename: str
    size: int


class Kind(ABC):
    """Base of all kinds. Stateless: settings arrive as ``config``, an instance of ``config_type``."""

    name: ClassVar[str]
    config_type: ClassVar[type[msgspec.Struct]]
    options_type: ClassVar[type[msgspec.Struct]] = NoOptions
    """What a participant may choose per submission; every field has a default."""
    measured: ClassVar[bool] = False
    """The score depends on a measurement (e.g. of speed), so two runs and two machines differ."""
    open_metrics: ClassVar[frozenset[str]] = frozenset()
    """Metrics that tell nothing of the hidden truth: the team always sees those of its submission."""
    board_metrics: ClassVar[tuple[str, ...]] = ()
    """Public metrics that the board shows beside the score, in this order: what matters most first."""
    plane: ClassVar[tuple[str, str] | None] = None
    """Two of them, (across, up), that a figure draws against each other with lines of equal score."""
    suffixes: ClassVar[tuple[str, ...]] = ()
    """Endings of the one file that is a submission, e.g. ``.onnx``; empty where it may be a folder too."""
    sources: ClassVar[tuple[str, ...]]
    """Modules whose code decides the score; their text makes the scorer's digest."""

    def lane(self, config: Any) -> str:
        """Queue that its jobs wait in, unless the event names another."""
        return DEFAULT_LANE

    def local_runner(self) -> Runner:
        """What runs an evaluation on a participant's own machine."""
        return InlineRunner()

    @abstractmethod
    def validate(self, config: Any) -> list[str]:
        """Every fault of the settings beyond their types, as sentences (formula, ranges); empty if sound."""

    @abstractmethod
    def higher_is_better(self, config: Any) -> bool: ...

    @abstractmethod
    def unit(self, config: Any) -> str:
        """Unit of the score for axes and tables, e.g. ``dB``; empty for a pure number."""

    def predictor(self, config: Any) -> Callable[[Mapping[str, float]], float | None]:
        """Tells the score of a submission with given ``board_metrics``; None where there is none."""
        return lambda metrics: None

    @abstractmethod
    def validate_data(self, folder: Path, config: Any) -> list[str]:
        """Every fault of the data folder (missing, doubled, overlapping, wrong shape); empty if sound."""

    @abstractmethod
    def check(self, path: Path, config: Any, mode: Mode, *, options: Any = NO_OPTIONS) -> list[Problem]:
        """Everything wrong with a submission at ``path`` (file or folder), without executing any of it.

        ``options`` is an instance of ``options_type`` (see `parse_options`), here and below.
        """

    @abstractmethod
    def pack(
        self, path: Path, config: Any, mode: Mode, *, options: Any = NO_OPTIONS
    ) -> contextlib.AbstractContextManager[Upload]:
        """The file to upload for ``path``; a temporary one is removed when the context ends."""

    @abstractmethod
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
        """Score one artifact. Raises `goat.errors.Rejection` with every problem found."""


def parse_config(kind: Kind, raw: Mapping[str, Any]) -> Any:
    """Typed settings of a kind from plain JSON or YAML values.

    Raises `goat.errors.Invalid`, naming the field, for unknown fields and wrong types.
    """
    try:
        return msgspec.convert(raw, kind.config_type)
    except msgspec.ValidationError as error:
        raise Invalid(f"config of kind {kind.name}: {error}") from error


def parse_options(kind: Kind, raw: Mapping[str, Any]) -> Any:
    """What a participant chose beside the file, as an instance of the kind's ``options_type``.

    Raises `goat.errors.Invalid`, naming the option, for unknown ones and values out of range.
    """
    known = kind.options_type.__struct_fields__
    for name in raw:
        if name not in known:
            takes = f"takes {', '.join(known)}" if known else "takes no options"
            raise Invalid(
                f"unknown option {str(name)[:40]!r}: a submission here {takes}", field=str(name)[:40]
            )
    try:
        return msgspec.convert(raw, kind.options_type)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at ")
        name = place.strip("`").removeprefix("$.") or "options"
        raise Invalid(f"option {name}: {problem[:1].lower()}{problem[1:]}", field=name) from error


def scorer_digest(kind: Kind, config: Any) -> str:
    """SHA-256 over the scoring code and the settings: equal digests give equal scores."""
    digest = hashlib.sha256()
    for module in sorted(kind.sources):
        spec = find_spec(module)
        if spec is None or spec.origin is None:
            raise Invalid(f"kind {kind.name} names a source that does not exist: {module}")
        # Checkouts on Windows may turn line ends; the code is the same.
        text = Path(spec.origin).read_bytes().replace(b"\r\n", b"\n")
        digest.update(module.encode() + b"\0" + text + b"\0")
    digest.update(msgspec.json.encode(config, order="sorted"))
    return digest.hexdigest()


@cache
def _entry_points() -> Mapping[str, importlib.metadata.EntryPoint]:
    return {point.name: point for point in importlib.metadata.entry_points(group="goat.kinds")}


def kinds() -> Iterator[str]:
    """Names of all installed kinds."""
    return iter(sorted(_entry_points()))


@cache
def get_kind(name: str) -> Kind:
    """The kind of that name. Raises `goat.errors.Invalid` naming those installed."""
    point = _entry_points().get(name)
    if point is None:
        raise Invalid(f"unknown kind {name!r}; installed: {', '.join(kinds()) or 'none'}")
    kind = point.load()
    assert isinstance(kind, Kind)
    return kind
