"""Are the weights in an ONNX file what they say they are? Looked at, never touched."""

from __future__ import annotations

import math
from typing import Any, Final

MAX_TENSOR_BYTES: Final = 1 << 31
"""No tensor of a model that is sent in one file can honestly be larger."""

_EXTERNAL: Final = 1  # TensorProto.DataLocation.EXTERNAL

# Element type → (its name, bits of one element, the field of typed values, values per element there).
_TYPES: Final[dict[int, tuple[str, int, str, float]]] = {
    1: ("float", 32, "float_data", 1),
    2: ("uint8", 8, "int32_data", 1),
    3: ("int8", 8, "int32_data", 1),
    4: ("uint16", 16, "int32_data", 1),
    5: ("int16", 16, "int32_data", 1),
    6: ("int32", 32, "int32_data", 1),
    7: ("int64", 64, "int64_data", 1),
    8: ("string", 0, "string_data", 1),
    9: ("bool", 8, "int32_data", 1),
    10: ("float16", 16, "int32_data", 1),
    11: ("double", 64, "double_data", 1),
    12: ("uint32", 32, "uint64_data", 1),
    13: ("uint64", 64, "uint64_data", 1),
    14: ("complex64", 64, "float_data", 2),
    15: ("complex128", 128, "double_data", 2),
    16: ("bfloat16", 16, "int32_data", 1),
    17: ("float8e4m3fn", 8, "int32_data", 1),
    18: ("float8e4m3fnuz", 8, "int32_data", 1),
    19: ("float8e5m2", 8, "int32_data", 1),
    20: ("float8e5m2fnuz", 8, "int32_data", 1),
    21: ("uint4", 4, "int32_data", 0.5),
    22: ("int4", 4, "int32_data", 0.5),
    23: ("float4e2m1", 4, "int32_data", 0.5),
    24: ("float8e8m0", 8, "int32_data", 1),
    25: ("uint2", 2, "int32_data", 0.25),
    26: ("int2", 2, "int32_data", 0.25),
}

_FIELDS: Final = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")


def text_of(value: Any) -> str:
    """A text field of a message; protobuf hands over bytes where the file's are no UTF-8.

    Raises UnicodeDecodeError for those.
    """
    return value if isinstance(value, str) else bytes(value).decode()


def type_name(element_type: int) -> str:
    """An element type in words, e.g. ``float16``."""
    known = _TYPES.get(element_type)
    return known[0] if known else f"of type {element_type}"


def is_external(tensor: Any) -> bool:
    """Whether a TensorProto's values lie anywhere but in the tensor itself."""
    return tensor.data_location == _EXTERNAL or len(tensor.external_data) > 0


def tensor_fault(tensor: Any) -> str | None:
    """Why the values of a TensorProto cannot be what its shape and type say; None if they can.

    Costs the same whatever the tensor's size.
    """
    known = _TYPES.get(tensor.data_type)
    if known is None:
        return f"has an unknown element type ({tensor.data_type})"
    name, bits, field, per_element = known
    dims = tuple(tensor.dims)
    if fault := shape_fault(dims, bits):
        return fault
    count = math.prod(dims)
    if tensor.HasField("segment"):
        return "is cut into segments"
    typed = {other: length for other in _FIELDS if (length := len(getattr(tensor, other)))}
    if raw := len(tensor.raw_data):
        if typed or not bits:
            return "stores its values twice, or text as raw bytes"
        expected, found, what = math.ceil(count * bits / 8), raw, "bytes"
    else:
        if set(typed) - {field}:
            return f"stores {name} values as something else"
        expected, found, what = math.ceil(count * per_element), typed.get(field, 0), "values"
    if found != expected:
        return f"has {found} {what} where its shape ({_text(dims)}, {name}) means {expected}"
    return None


def shape_fault(dims: tuple[int, ...], bits: int) -> str | None:
    """Why a tensor cannot have this shape; None if it can. bits: of one element."""
    if len(dims) > 32 or any(size < 0 for size in dims):
        return f"has an impossible shape ({_text(dims)})"
    if math.prod(dims) * max(bits, 8) // 8 > MAX_TENSOR_BYTES:
        return f"claims to be larger than {MAX_TENSOR_BYTES >> 30} GiB ({_text(dims)})"
    return None


def element_bits(element_type: int) -> int:
    """Bits of one element; 0 for text and for types that do not exist."""
    known = _TYPES.get(element_type)
    return known[1] if known else 0


def _text(dims: tuple[int, ...]) -> str:
    return " × ".join(map(str, dims[:8])) + (" × …" if len(dims) > 8 else "") if dims else "a single value"
