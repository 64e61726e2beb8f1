"""What a model takes and gives, against what its challenge asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from goat.errors import Problem
from goat.readers.faults import printable, some
from goat.readers.onnx_tensors import type_name

MAX_BATCH: Final = 32

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
    """A ValueInfoProto in plain values."""
    if info.type.WhichOneof("value") != "tensor_type":
        return Value(info.name, None, None)
    tensor = info.type.tensor_type
    if not tensor.HasField("shape"):
        return Value(info.name, tensor.elem_type, None)
    return Value(info.name, tensor.elem_type, tuple(_size(size) for size in tensor.shape.dim))


def _size(dim: Any) -> int | str | None:
    which = dim.WhichOneof("value")
    if which == "dim_value":
        return int(dim.dim_value)
    return str(dim.dim_param) or None if which == "dim_param" else None


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
    elif value.dims is not None and not any(_may_be(value.dims, shape) for shape in output_forms(wanted)):
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


def output_forms(wanted: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Shapes of one sample's answer that mean the same: an axis of one channel may be left out or in.

    >>> output_forms((1, 96, 96)), output_forms((1000,))
    ([(1, 96, 96), (96, 96)], [(1000,)])
    """
    if len(wanted) == 3 and wanted[0] == 1:
        return [wanted, wanted[1:]]
    return [wanted, (1, *wanted)] if len(wanted) == 2 else [wanted]


def _may_be(dims: tuple[int | str | None, ...], wanted: tuple[int, ...]) -> bool:
    return len(dims) == len(wanted) + 1 and all(
        size == expected or not isinstance(size, int) for size, expected in zip(dims[1:], wanted, strict=True)
    )


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
