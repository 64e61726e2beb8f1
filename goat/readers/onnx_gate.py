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
from typing import Any, Final

from goat.errors import MissingPackage, Problem
from goat.readers.onnx_rules import IR_MAX, Rules
from goat.readers.onnx_signature import real_inputs, signature_problems, value_of
from goat.readers.onnx_walk import Walk, domain_of, is_countless, too_many

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
    if is_countless(model, rules):
        facts.problems.append(too_many(rules))
        return facts
    try:
        _describe(model, facts)
        facts.problems += [*_version_problems(model, rules), *Walk(rules).problems(model)]
        inputs = [value_of(info) for info in real_inputs(model.graph)]
        outputs = [value_of(info) for info in model.graph.output]
        facts.problems += signature_problems(inputs, outputs, rules.input_shape, rules.output_shape)
    except UnicodeDecodeError:
        facts.problems.append(
            Problem("bad_protobuf", f"the file has names that are no text, so it is damaged; {_EXPORT} again")
        )
        return facts
    facts.problems += _batch_problems(facts.batch, rules)
    return facts


def _too_large(size: int, rules: Rules) -> Problem:
    return Problem(
        "too_large",
        f"the model has {size:,} bytes, more than the {rules.max_bytes / 1e6:g} MB that a model may have; "
        "store its weights as float16 or int8, or make it smaller",
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
    facts.opset = max((o.version for o in model.opset_import if domain_of(o.domain) == "ai.onnx"), default=0)
    inputs, outputs = real_inputs(model.graph), model.graph.output
    if len(inputs) == len(outputs) == 1:
        taken, given = value_of(inputs[0]), value_of(outputs[0])
        facts.input, facts.output = taken.name, given.name
        first = taken.dims[0] if taken.dims else None
        facts.batch = first if isinstance(first, int) else None
        facts.batch_name = first if isinstance(first, str) else ""


def _version_problems(model: Any, rules: Rules) -> Iterator[Problem]:
    newest = max((o.version for o in model.opset_import if domain_of(o.domain) == "ai.onnx"), default=0)
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
