"""The gate that an ONNX file passes before anything runs it.

The file is parsed as what it is, a message of plain values, with the `onnx` package's classes; no file
beside it is opened, no shape is inferred, nothing is executed. All of it is looked at: subgraphs,
functions, training graphs and every tensor inside an attribute. What is found is said at once.

Parsing takes several times the file's size in memory, so on the server this runs in the child.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from goat.errors import MissingPackage, Problem
from goat.readers.faults import printable, some
from goat.readers.onnx_signature import real_inputs, signature_problems, value_of
from goat.readers.onnx_tensors import element_bits, is_external, shape_fault, tensor_fault

IR_MAX: Final = 13
"""Newest version of the file format that the pinned runtime reads."""
OPSET_MAX: Final = 26
"""Newest set of standard operators that it knows."""

NEVER: Final = frozenset({"EPContext", "PyOp"})
"""Operators of ``com.microsoft`` that run foreign code or open files, wherever that domain is allowed."""

_PARTS_PER_NODE: Final = 50
"""Attributes, tensors and graphs that a node may have on average before nobody counts them any more."""

_FOREIGN_STARTS: Final = {
    b"PK\x03\x04": "is a zip, perhaps a PyTorch file (.pt, .pth)",
    b"\x80": "is a pickle",
    b"\x89HDF": "is an HDF5 file (Keras)",
    b"version https://git-lfs": "is only the pointer of Git LFS, not the file itself",
    b"\x1f\x8b": "is gzip-compressed",
    b"\x93NUMPY": "is a NumPy file",
    b"%PDF": "is a PDF",
    b"\x89PNG": "is a PNG image",
}
_EXPORT: Final = "export the model with torch.onnx.export"
_ONE_FILE: Final = (
    "put everything into one file: torch.onnx.export(..., external_data=False), or "
    'onnx.save(onnx.load("model.onnx"), "one_file.onnx")'
)


class Rules(NamedTuple):
    """What a challenge asks of a model."""

    input_shape: tuple[int, ...]
    """Of one sample: (channels, height, width)."""
    output_shape: tuple[int, ...]
    max_bytes: int = 100_000_000
    max_nodes: int = 20_000
    opset_max: int = OPSET_MAX
    domains: tuple[str, ...] = ("ai.onnx", "ai.onnx.ml")
    forbidden_ops: tuple[str, ...] = ()
    batch: int | None = None
    """The batch size that the participant asked for, if one was."""


@dataclass(slots=True)
class ModelFacts:
    """What a file says of itself, and everything that is wrong with it."""

    size: int
    """Bytes."""
    problems: list[Problem] = field(default_factory=list)
    nodes: int = 0
    opset: int = 0
    batch: int | None = None
    """Batch size that the model fixes; None if it takes any."""
    batch_name: str = ""
    """What it calls a batch size that it does not fix."""
    input: str = ""
    output: str = ""


def inspect_model(path: Path, rules: Rules) -> ModelFacts:
    """Read a model file and judge it; nothing of it is executed.

    Raises OSError if the file cannot be read, `goat.errors.MissingPackage` without `onnx`.
    """
    return open_model(path, rules)[0]


def open_model(path: Path, rules: Rules) -> tuple[ModelFacts, bytes]:
    """`inspect_model`, with the bytes that were judged (none if the file is far too large)."""
    if path.is_dir():
        return ModelFacts(0, [Problem("bad_protobuf", "this is a folder; submit the .onnx file itself")]), b""
    size = path.stat().st_size
    if size > rules.max_bytes:
        return ModelFacts(size, [_too_large(size, rules)]), b""
    content = path.read_bytes()
    return judge(content, rules), content


def judge(content: bytes, rules: Rules) -> ModelFacts:
    """`inspect_model` for a file that was read already."""
    facts = ModelFacts(len(content))
    if facts.size > rules.max_bytes:
        facts.problems.append(_too_large(facts.size, rules))
        return facts
    model, why = _parse(content)
    if model is None:
        facts.problems.append(Problem("bad_protobuf", why))
        return facts
    try:
        _describe(model, facts)
        facts.problems += [*_version_problems(model, rules), *_Walk(rules).problems(model)]
        inputs = [value_of(info) for info in real_inputs(model.graph)]
        outputs = [value_of(info) for info in model.graph.output]
        facts.problems += signature_problems(inputs, outputs, rules.input_shape, rules.output_shape)
    except UnicodeDecodeError:
        facts.problems.append(Problem("bad_protobuf", "the file has names that are no text; it is damaged"))
        return facts
    facts.problems += _batch_problems(facts.batch, rules)
    return facts


def _too_large(size: int, rules: Rules) -> Problem:
    return Problem(
        "too_large",
        f"the model has {size / 1e6:.6g} MB, more than the {rules.max_bytes / 1e6:g} MB that a model may "
        "have; store its weights as float16 or int8, or make it smaller",
    )


def _parse(content: bytes) -> tuple[Any, str]:
    """The message, or None and why there is none."""
    if not content:
        return None, f"the file is empty; {_EXPORT}"
    foreign = next((what for start, what in _FOREIGN_STARTS.items() if content.startswith(start)), None)
    if content[4:8] in (b"ORTM", b"TFL3"):
        foreign = "is in the format of another runtime (.ort, .tflite)"
    if foreign:
        return None, f"the file is no ONNX model: it {foreign}; {_EXPORT}"
    model_class, decode_error = _onnx()
    model = model_class()
    try:
        model.ParseFromString(content)
    except decode_error:
        return None, f"the file is no ONNX model, or damaged, cut off or nested too deeply; {_EXPORT} again"
    if not model.HasField("graph") or not model.graph.output:
        return None, f"the file holds no ONNX graph; {_EXPORT}"
    return model, ""


def _onnx() -> tuple[Any, Any]:
    """The class of the message, and the error that parsing raises."""
    try:
        from google.protobuf.message import DecodeError
        from onnx import ModelProto
    except ImportError as error:
        raise MissingPackage(
            'Reading ONNX models needs the package onnx: pip install "mls-goat[cpu]"', package="onnx"
        ) from error
    return ModelProto, DecodeError


def _describe(model: Any, facts: ModelFacts) -> None:
    facts.nodes = len(model.graph.node)
    facts.opset = max((o.version for o in model.opset_import if _domain(o.domain) == "ai.onnx"), default=0)
    inputs, outputs = real_inputs(model.graph), model.graph.output
    if len(inputs) == len(outputs) == 1:
        facts.input, facts.output = inputs[0].name, outputs[0].name
        dims = value_of(inputs[0]).dims
        first = dims[0] if dims else None
        facts.batch = first if isinstance(first, int) else None
        facts.batch_name = first if isinstance(first, str) else ""


def _domain(name: str) -> str:
    return name or "ai.onnx"


def _version_problems(model: Any, rules: Rules) -> Iterator[Problem]:
    newest = max((o.version for o in model.opset_import if _domain(o.domain) == "ai.onnx"), default=0)
    if newest > rules.opset_max:
        yield Problem(
            "opset_too_new",
            f"the model uses opset {newest}, the newest that runs here is {rules.opset_max}; export it with "
            f"opset_version={min(rules.opset_max, 20)}, or convert it with onnx.version_converter",
        )
    if model.ir_version > IR_MAX:
        yield Problem(
            "opset_too_new",
            f"the file has IR version {model.ir_version}, the newest that runs here is {IR_MAX}; set "
            f"model.ir_version = {IR_MAX} before onnx.save",
        )


def _batch_problems(fixed: int | None, rules: Rules) -> Iterator[Problem]:
    if fixed is not None and rules.batch is not None and fixed != rules.batch:
        yield Problem(
            "signature_mismatch",
            f"the model's batch is fixed at {fixed}, but batch_size={rules.batch} was asked for: leave "
            "batch_size out, or export the model with a dynamic batch dimension",
        )


class _TooMany(Exception):
    """More parts than anybody counts."""


class _Walk:
    """Goes through every graph of a model, without recursion and with an end."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._nodes = 0
        self._parts = 0
        self._local: set[tuple[str, str]] = set()
        self._external: list[str] = []
        self._bad: list[tuple[str, str]] = []
        self._foreign: dict[str, None] = {}
        self._forbidden: dict[str, None] = {}

    def problems(self, model: Any) -> Iterator[Problem]:
        """All problems of the model's content."""
        self._local = {(_domain(f.domain), f.name) for f in model.functions[: self._rules.max_nodes]}
        try:
            self._walk(model)
        except _TooMany:
            yield Problem(
                "too_many_nodes",
                f"the model has more than {self._rules.max_nodes} nodes, or far more parts than nodes; "
                "simplify it (e.g. with onnxslim) and look for unrolled loops",
            )
        yield from self._found(len(model.functions))

    def _found(self, functions: int) -> Iterator[Problem]:
        if self._external:
            count = len(self._external)
            yield Problem(
                "external_data_forbidden",
                f"{count} tensor{'s lie' if count > 1 else ' lies'} in another file "
                f"({some(self._external)}); {_ONE_FILE}",
            )
        if functions:
            named = some([name for _, name in sorted(self._local)])
            yield Problem(
                "functions_forbidden",
                f"the model defines functions of its own ({named}); inline them: "
                "onnx.save(onnx.inliner.inline_local_functions(onnx.load(path)), path)",
            )
        if self._foreign:
            yield Problem(
                "domain_forbidden",
                f"the model uses operators that are not allowed here ({some(list(self._foreign))}); allowed "
                f"are those of {', '.join(self._rules.domains)}: export without an execution provider's "
                "optimisations, or rewrite these parts",
            )
        if self._forbidden:
            yield Problem(
                "operator_forbidden",
                f"this challenge takes no models with {some(list(self._forbidden))}; rewrite these parts",
            )
        for name, fault in self._bad[:20]:
            yield Problem("bad_initializer", f"tensor {printable(name)!r} {fault}; export the model again")
        if len(self._bad) > 20:
            yield Problem("bad_initializer", f"{len(self._bad) - 20} more tensors are damaged")

    def _walk(self, model: Any) -> None:
        graphs: list[Any] = [model.graph, *model.functions]
        for training in model.training_info:
            graphs += [training.initialization, training.algorithm]
        while graphs:
            self._count(parts=1)
            graph = graphs.pop()
            self._count(nodes=len(graph.node))
            if hasattr(graph, "initializer"):  # a graph; a function has none
                for tensor in graph.initializer:
                    self._tensor(tensor)
                for sparse in graph.sparse_initializer:
                    self._sparse(sparse)
            for attribute in getattr(graph, "attribute_proto", ()):
                graphs += self._attribute(attribute)
            for node in graph.node:
                self._operator(node)
                for attribute in node.attribute:
                    graphs += self._attribute(attribute)

    def _count(self, *, nodes: int = 0, parts: int = 0) -> None:
        self._nodes += nodes
        self._parts += parts
        most = self._rules.max_nodes
        if self._nodes > most or self._parts > most * _PARTS_PER_NODE:
            raise _TooMany

    def _operator(self, node: Any) -> None:
        domain, name = _domain(node.domain), node.op_type
        if (domain, name) in self._local:
            return
        if domain not in self._rules.domains or name in NEVER:
            self._foreign[f"{domain}.{name}"] = None
        elif name in self._rules.forbidden_ops:
            self._forbidden[name] = None

    def _attribute(self, attribute: Any) -> list[Any]:
        """Look at its tensors; the graphs inside it, which are still to be looked at."""
        tensors, sparse = list(attribute.tensors), list(attribute.sparse_tensors)
        graphs = list(attribute.graphs)
        if attribute.HasField("t"):
            tensors.append(attribute.t)
        if attribute.HasField("sparse_tensor"):
            sparse.append(attribute.sparse_tensor)
        if attribute.HasField("g"):
            graphs.append(attribute.g)
        self._count(parts=1 + len(graphs))
        for tensor in tensors:
            self._tensor(tensor)
        for one in sparse:
            self._sparse(one)
        return graphs

    def _tensor(self, tensor: Any) -> None:
        self._count(parts=1)
        if is_external(tensor):
            self._external.append(tensor.name or "a constant")
        elif fault := tensor_fault(tensor):
            self._bad.append((tensor.name or "of a constant", fault))

    def _sparse(self, sparse: Any) -> None:
        self._tensor(sparse.values)
        self._tensor(sparse.indices)
        if fault := shape_fault(tuple(sparse.dims), element_bits(sparse.values.data_type)):
            self._bad.append((sparse.values.name or "of a constant", fault))
