"""What a model takes and gives, against what its challenge asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from goat.errors import Problem
from goat.readers.faults import printable, some
from goat.readers.onnx_rules import MAX_BATCH
from goat.readers.onnx_tensors import text_of, type_name

_FLOAT, _FLOAT16, _DOUBLE = 1, 10, 11
_ADVICE: Final = {
    _FLOAT16: (
        "; keep float16 inside and convert at both ends: "
        "onnxruntime.transformers.float16.convert_float_to_float16(model, keep_io_types=True)"
    ),
    _DOUBLE: "; call .float() on the model before the export",
}


@dataclass(frozen=True, slots=True)
class Value:
    """An input or output as the model declares it."""

    name: str
    type: int | None
    """Element type; None if it is no tensor."""
    dims: tuple[int | str | None, ...] | None
    """Sizes; text for a named unknown, None for one without a name; None altogether if undeclared."""


def value_of(info: Any) -> Value:
    """A ValueInfoProto in plain values. Raises UnicodeDecodeError for names that are no text."""
    name = text_of(info.name)
    if info.type.WhichOneof("value") != "tensor_type":
        return Value(name, None, None)
    tensor = info.type.tensor_type
    if not tensor.HasField("shape"):
        return Value(name, tensor.elem_type, None)
    return Value(name, tensor.elem_type, tuple(_size(size) for size in tensor.shape.dim))


def _size(dim: Any) -> int | str | None:
    which = dim.WhichOneof("value")
    if which == "dim_value":
        return int(dim.dim_value)
    return text_of(dim.dim_param) or None if which == "dim_param" else None


def real_inputs(graph: Any) -> list[Any]:
    """The graph's inputs that a caller has to give: old files list the weights among the inputs."""
    filled = {tensor.name for tensor in graph.initializer}
    filled |= {tensor.values.name for tensor in graph.sparse_initializer}
    return [info for info in graph.input if info.name not in filled]


def signature_problems(
    inputs: list[Value], outputs: list[Value], wanted_in: tuple[int, ...], wanted_out: tuple[int, ...]
) -> Iterator[Problem]:
    """Everything that is wrong with the model's inputs and outputs."""
    for what, values, wanted in (("input", inputs, wanted_in), ("output", outputs, wanted_out)):
        if len(values) != 1:
            named = f" ({some([value.name for value in values])})" if values else ""
            yield Problem(
                "signature_mismatch",
                f"the model has {len(values) or 'no'} {what}{'s' if len(values) != 1 else ''}{named}; "
                f"a submission has one, of shape {shape_text(wanted)}",
            )
        else:
            yield from _value_problems(what, values[0], wanted)


def _value_problems(what: str, value: Value, wanted: tuple[int, ...]) -> Iterator[Problem]:
    label = f"{what} {printable(value.name)!r}"
    if value.type is None:
        yield Problem("signature_mismatch", f"{label} is no tensor")
        return
    if value.type != _FLOAT:
        advice = _ADVICE.get(value.type, "")
        yield Problem("wrong_dtype", f"{label} is {type_name(value.type)}, expected float32{advice}")
    if what == "input":
        yield from _input_shape_problems(label, value.dims, wanted)
    elif value.dims is not None and not _may_answer(value.dims, wanted):
        yield Problem(
            "signature_mismatch",
            f"{label} has shape {shape_text(value.dims, batch=False)}, expected {shape_text(wanted)}",
        )


def _input_shape_problems(
    label: str, dims: tuple[int | str | None, ...] | None, wanted: tuple[int, ...]
) -> Iterator[Problem]:
    if dims is None:
        yield Problem(
            "dynamic_shape", f"{label} declares no shape; export it with the shape {shape_text(wanted)}"
        )
        return
    if not _may_be(dims, wanted):
        hint = ""
        if len(dims) == 4 and tuple(dims[1:]) == (*wanted[1:], wanted[0]):
            hint = "; the channels come first (NCHW)"
        elif tuple(dims) == wanted:
            hint = "; export it with a batch dimension in front"
        yield Problem(
            "signature_mismatch",
            f"{label} has shape {shape_text(dims, batch=False)}, expected {shape_text(wanted)}{hint}",
        )
        return
    loose = [_dim_text(size) for size in dims[1:] if not isinstance(size, int)]
    if loose:
        yield Problem(
            "dynamic_shape",
            f"{label} leaves more than the batch open ({shape_text(dims, batch=False)}); export it with "
            f"the shape {shape_text(wanted)}: only the first dimension may be dynamic",
        )
    if isinstance(dims[0], int) and not 1 <= dims[0] <= MAX_BATCH:
        yield Problem(
            "signature_mismatch",
            f"{label} has a batch of {dims[0]}; it is between 1 and {MAX_BATCH}, or dynamic",
        )


def same_answer(shape: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether a sample's answer of one shape can stand for the other: axes of size one do not count.

    >>> same_answer((96, 96), (1, 96, 96)), same_answer((1000, 1, 1), (1000,)), same_answer((2, 3), (3, 2))
    (True, True, False)
    """
    return [size for size in shape if size != 1] == [size for size in wanted if size != 1]


def _may_be(dims: tuple[int | str | None, ...], wanted: tuple[int, ...]) -> bool:
    return len(dims) == len(wanted) + 1 and all(
        size == expected or not isinstance(size, int) for size, expected in zip(dims[1:], wanted, strict=True)
    )


def _may_answer(dims: tuple[int | str | None, ...], wanted: tuple[int, ...]) -> bool:
    """Sizes that the file leaves open show when the model runs."""
    sizes = [size for size in dims[1:] if isinstance(size, int)]
    return len(sizes) != len(dims[1:]) or (len(dims) > 1 and same_answer(sizes, wanted))


def shape_text(dims: tuple[int | str | None, ...], *, batch: bool = True) -> str:
    """A shape for a sentence; ``batch`` puts the batch dimension in front.

    >>> shape_text((3, 96, 96))
    '(batch, 3, 96, 96)'
    """
    if len(dims) > 8:
        return f"of {len(dims)} dimensions"
    sizes = [*(["batch"] if batch else []), *map(_dim_text, dims)]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def _dim_text(size: int | str | None) -> str:
    return printable(size, 24) if isinstance(size, str) else "?" if size is None else str(size)
