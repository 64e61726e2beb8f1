"""Reads the pickle inside a `.pt` file as data: what one plain tensor looks like, nothing executed.

A pickle is a program for a stack machine. Only the few instructions and names that describe one
tensor are known here; names stay names, and no object of the file is ever built. Work is bounded
by the size of the pickle, the number of instructions and the depth of what they nest.
"""

from __future__ import annotations

import pickletools
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

from goat.readers.faults import Fault, printable

MAX_PICKLE_BYTES = 64 << 10
MAX_INSTRUCTIONS = 4000
MAX_DEPTH = 16
MAX_DIMENSIONS = 16

RESAVE = "save one plain tensor: torch.save(tensor.detach().cpu().clone().contiguous(), path)"

ITEM_SIZES: dict[str, int] = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "int16": 2,
    "int8": 1, "uint64": 8, "uint32": 4, "uint16": 2, "uint8": 1, "bool": 1,
}  # fmt: skip
"""Bytes per element of every dtype that a plain tensor may have."""

_STORAGES = {
    "torch DoubleStorage": "float64",
    "torch FloatStorage": "float32",
    "torch HalfStorage": "float16",
    "torch BFloat16Storage": "bfloat16",
    "torch LongStorage": "int64",
    "torch IntStorage": "int32",
    "torch ShortStorage": "int16",
    "torch CharStorage": "int8",
    "torch ByteStorage": "uint8",
    "torch BoolStorage": "bool",
    "torch.storage UntypedStorage": "",
    "torch UntypedStorage": "",
}
_DTYPES = {f"torch {name}": name for name in ITEM_SIZES}
_ORDERED_DICT = "collections OrderedDict"
_TENSOR_V2 = "torch._utils _rebuild_tensor_v2"
_TENSOR_V3 = "torch._utils _rebuild_tensor_v3"
_PARAMETER = "torch._utils _rebuild_parameter"
_BUILDERS = {_TENSOR_V2, _TENSOR_V3, _PARAMETER, _ORDERED_DICT}

# Harmless names of torch that mean: a tensor, but not a plain one.
_OTHER_TENSORS = {
    "torch._utils _rebuild_sparse_tensor": "sparse",
    "torch._utils _rebuild_sparse_csr_tensor": "sparse",
    "torch._utils _rebuild_nested_tensor": "nested",
    "torch._utils _rebuild_qtensor": "quantised",
    "torch._utils _rebuild_meta_tensor_no_storage": "a meta tensor without values",
    "torch._utils _rebuild_wrapper_subclass": "a tensor subclass",
    "torch._utils _rebuild_device_tensor_from_numpy": "on a device without storage",
    "torch._utils _rebuild_device_tensor_from_cpu_tensor": "on a device without storage",
    "torch._utils _rebuild_parameter_with_state": "a parameter with Python attributes",
    "torch._tensor _rebuild_from_type_v2": "a tensor with Python attributes",
    "torch ComplexFloatStorage": "complex",
    "torch ComplexDoubleStorage": "complex",
    "torch ComplexHalfStorage": "complex",
    "torch QInt8Storage": "quantised",
    "torch QUInt8Storage": "quantised",
    "torch QInt32Storage": "quantised",
    "torch QUInt4x2Storage": "quantised",
    "torch QUInt2x4Storage": "quantised",
}


class TensorMeta(NamedTuple):
    """What the pickle says about the tensor. Sizes in elements unless named bytes."""

    key: str
    """Name of its storage entry below ``data/``."""
    dtype: str
    shape: tuple[int, ...]
    offset: int
    numel: int
    storage_bytes: int


@lru_cache(maxsize=64)
def parse_tensor_pickle(pickle: bytes, max_elements: int) -> TensorMeta:
    """Shape, dtype and place of one contiguous plain tensor.

    Cached: all files of one shape that one program saved have the same pickle.
    Raises `Fault`: ``forbidden_global``, ``not_a_plain_tensor``, ``too_many_elements``,
    ``not_contiguous``, ``bad_tensor_metadata``, ``pickle_too_complex``.
    """
    if len(pickle) > MAX_PICKLE_BYTES:
        _too_complex()
    try:
        result = _Machine().run(pickle)
    except (ValueError, IndexError, KeyError, OverflowError, struct.error) as error:
        raise Fault("bad_tensor_metadata", f"its pickle is damaged; {RESAVE}") from error
    if not isinstance(result, _Tensor):
        _not_plain("it holds something other than one tensor")
    return _check(result, max_elements)


class _Global(NamedTuple):
    name: str


class _Storage(NamedTuple):
    dtype: str
    key: str
    numel: int


class _Tensor(NamedTuple):
    storage: _Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(slots=True, eq=False)
class _Tuple:
    items: tuple[Any, ...]
    depth: int


@dataclass(slots=True, eq=False)
class _Container:
    """A list, dict or set: of no use for a plain tensor, so only its depth is kept."""

    depth: int = 1
    filled: bool = False

    def take(self, items: list[Any]) -> None:
        if items:
            self.filled = True
            self.depth = max(self.depth, _nest(items))


_MARK = object()
_CONSTANTS: dict[str, Any] = {"NEWTRUE": True, "NEWFALSE": False, "NONE": None}
_LITERALS = {
    "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "LONG", "BINFLOAT", "BINUNICODE",
    "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "STRING",
    "BINSTRING", "SHORT_BINSTRING",
}  # fmt: skip
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_SKIPPED = {"PROTO", "FRAME", "STOP"}


class _Machine:
    """The stack machine. Methods are named after what they do, not after each opcode."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, pickle: bytes) -> Any:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(pickle)):
            if count >= MAX_INSTRUCTIONS:
                _too_complex()
            self.step(opcode.name, argument)
        if len(self.stack) != 1:
            raise ValueError("the stack is not empty")
        return self.stack[0]

    def step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _SKIPPED:
            pass
        elif name in _LITERALS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self.memo[int(argument)] = stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(self.memo[int(argument)])
        elif name == "MARK":
            stack.append(_MARK)
        elif name in ("GLOBAL", "INST"):
            stack.append(_known(argument))
        elif name == "STACK_GLOBAL":
            module, attribute = self.pop(2)
            stack.append(_known(f"{module} {attribute}"))
        elif name == "BINPERSID":
            stack.append(_storage(stack.pop()))
        elif name == "REDUCE":
            function, arguments = self.pop(2)
            stack.append(_build(function, arguments))
        else:
            self.collect(name)

    def collect(self, name: str) -> None:
        """Instructions that make or fill tuples, lists, dicts and sets."""
        stack = self.stack
        if name == "EMPTY_TUPLE":
            stack.append(_Tuple((), 1))
        elif name in _TUPLES:
            stack.append(_tuple(self.pop(_TUPLES[name])))
        elif name == "TUPLE":
            stack.append(_tuple(self.pop_mark()))
        elif name in ("EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET"):
            stack.append(_Container())
        elif name in ("LIST", "DICT", "FROZENSET"):
            made = _Container()
            made.take(self.pop_mark())
            stack.append(made)
        elif name in ("APPENDS", "SETITEMS", "ADDITEMS"):
            self.fill(self.pop_mark())
        elif name in ("APPEND", "BUILD"):
            self.fill(self.pop(1))
        elif name == "SETITEM":
            self.fill(self.pop(2))
        elif name in ("NEWOBJ", "NEWOBJ_EX", "OBJ", "EXT1", "EXT2", "EXT4", "PERSID"):
            raise Fault("forbidden_global", f"its pickle wants to build Python objects; {RESAVE}")
        else:
            raise ValueError(f"instruction {name}")

    def fill(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, _Container):
            _not_plain("it sets attributes on a tensor")
        target.take(items)

    def pop(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise IndexError("stack underflow")
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def pop_mark(self) -> list[Any]:
        items: list[Any] = []
        while (item := self.stack.pop()) is not _MARK:
            items.append(item)
        items.reverse()
        return items


def _nest(items: list[Any]) -> int:
    """Depth of something that holds the items."""
    depth = 1 + max((item.depth for item in items if isinstance(item, (_Tuple, _Container))), default=0)
    if depth > MAX_DEPTH:
        _too_complex()
    return depth


def _tuple(items: list[Any]) -> _Tuple:
    return _Tuple(tuple(items), _nest(items))


def _known(name: str) -> _Global:
    if name in _OTHER_TENSORS:
        _not_plain(f"its tensor is {_OTHER_TENSORS[name]}")
    if name in _STORAGES or name in _DTYPES or name in _BUILDERS:
        return _Global(name)
    if name.startswith("numpy"):
        raise Fault(
            "forbidden_global",
            "it holds a NumPy array; save torch.from_numpy(array) or use goat.readers.write_pt",
        )
    raise Fault("forbidden_global", f"its pickle names {printable(name)}, unlike a plain tensor; {RESAVE}")


def _storage(reference: Any) -> _Storage:
    """('storage', <storage class>, key, location, elements) as torch.save writes it."""
    parts = reference.items if isinstance(reference, _Tuple) else ()
    if len(parts) != 5 or parts[0] != "storage" or not isinstance(parts[1], _Global):
        _bad("its storage is described in an unknown way")
    dtype, (key, location, numel) = _STORAGES.get(parts[1].name), parts[2:]
    if dtype is None or not isinstance(key, str) or not isinstance(location, str) or not _is_count(numel):
        _bad("its storage is described in an unknown way")
    if location == "meta":
        _not_plain("its tensor is a meta tensor without values")
    if not (0 < len(key) <= 10 and key.isascii() and key.isdigit()):
        _bad("its storage has an impossible name")
    return _Storage(dtype, key, numel)


def _build(function: Any, arguments: Any) -> Any:
    if not isinstance(function, _Global) or not isinstance(arguments, _Tuple):
        raise Fault("forbidden_global", f"its pickle calls something unknown; {RESAVE}")
    items = arguments.items
    if function.name == _ORDERED_DICT:
        made = _Container()
        made.take(list(items))
        return made
    if function.name == _PARAMETER:
        if len(items) != 3 or not isinstance(items[0], _Tensor) or not _is_empty(items[2]):
            _bad("its parameter is described in an unknown way")
        return items[0]
    if function.name in (_TENSOR_V2, _TENSOR_V3):
        return _tensor(items, typed=function.name == _TENSOR_V3)
    raise Fault("forbidden_global", f"its pickle calls {printable(function.name)}; {RESAVE}")


def _tensor(items: tuple[Any, ...], *, typed: bool) -> _Tensor:
    """(storage, offset, size, stride, requires_grad, hooks[, dtype][, metadata])."""
    plain = 7 if typed else 6
    if len(items) == plain + 1:
        _not_plain("its tensor carries lazy operations (conj or neg)")
    if len(items) != plain or not isinstance(items[0], _Storage) or not _is_empty(items[5]):
        _bad("its tensor is described in an unknown way")
    storage, offset, shape, strides = items[0], items[1], _counts(items[2]), _counts(items[3])
    dtype = storage.dtype
    if typed:
        dtype = _DTYPES.get(items[6].name, "") if isinstance(items[6], _Global) else ""
    if not dtype or (typed and storage.dtype) or not _is_count(offset) or len(shape) != len(strides):
        _bad("its tensor is described in an unknown way")
    return _Tensor(storage, dtype, offset, shape, strides)


def _check(tensor: _Tensor, max_elements: int) -> TensorMeta:
    """Hold the numbers against each other; nothing has been allocated, nothing will be."""
    storage, item_size = tensor.storage, ITEM_SIZES[tensor.dtype]
    # An untyped storage counts bytes, a typed one elements.
    storage_bytes = storage.numel * (ITEM_SIZES[storage.dtype] if storage.dtype else 1)
    numel = 1
    contiguous = True
    for size, stride in zip(reversed(tensor.shape), reversed(tensor.strides), strict=True):
        # The stride of a dimension of one element is never used and may be anything.
        contiguous = contiguous and (size == 1 or stride == numel)
        numel *= size
    if numel > max_elements:
        raise Fault("too_many_elements", f"its tensor has {numel} elements; at most {max_elements} are read")
    if not contiguous and numel > 0:
        raise Fault("not_contiguous", "its tensor is a strided view; call .contiguous() before torch.save")
    if (tensor.offset + numel) * item_size > storage_bytes:
        _bad("its tensor is larger than its storage")
    return TensorMeta(storage.key, tensor.dtype, tensor.shape, tensor.offset, numel, storage_bytes)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 62


def _is_empty(value: Any) -> bool:
    return isinstance(value, _Container) and not value.filled


def _counts(value: Any) -> tuple[int, ...]:
    items = value.items if isinstance(value, _Tuple) else (None,)
    if len(items) > MAX_DIMENSIONS or not all(map(_is_count, items)):
        _bad("its shape or strides are not numbers of elements")
    return items


def _too_complex() -> NoReturn:
    raise Fault("pickle_too_complex", f"its pickle holds far more than one tensor; {RESAVE}")


def _not_plain(what: str) -> NoReturn:
    raise Fault("not_a_plain_tensor", f"{what}; {RESAVE}")


def _bad(what: str) -> NoReturn:
    raise Fault("bad_tensor_metadata", f"{what}; {RESAVE}")
