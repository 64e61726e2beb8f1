"""What a participant hands over: a file, a folder, or a model that is still in memory."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from goat.client import DEFAULT_CHALLENGE, MODEL_CHALLENGE
from goat.errors import Invalid

PathLike = str | os.PathLike[str]


@runtime_checkable
class Model(Protocol):
    """An ``onnx.ModelProto``, or anything else that can write itself as the bytes of an ONNX file."""

    def SerializeToString(self) -> bytes: ...  # noqa: N802  # protobuf's name


@runtime_checkable
class Exported(Protocol):
    """What ``torch.onnx.export(..., dynamo=True)`` returns."""

    @property
    def model_proto(self) -> Any: ...


Handed = PathLike | Model | Exported


@contextlib.contextmanager
def as_path(handed: Handed) -> Iterator[Path]:
    """A path to what was handed over; a model in memory becomes a file until the context ends.

    Raises `goat.errors.Invalid` for anything else.
    """
    if isinstance(handed, str | os.PathLike):
        yield Path(handed)
        return
    with tempfile.TemporaryDirectory(prefix="goat-") as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(_content(handed))
        yield path


def challenge_for(handed: Handed, challenge: str | None) -> str:
    """The challenge that was named, else the one that is meant: models are for ``task2``."""
    if challenge is not None:
        return challenge
    if isinstance(handed, str | os.PathLike) and Path(handed).suffix.lower() != ".onnx":
        return DEFAULT_CHALLENGE
    return MODEL_CHALLENGE


def _content(handed: Any) -> bytes:
    model = handed.model_proto if isinstance(handed, Exported) else handed
    if not isinstance(model, Model):
        raise Invalid(
            f"A {type(handed).__name__} cannot be submitted: give a path, or an ONNX model (onnx.ModelProto, "
            "or what torch.onnx.export returns)."
        )
    try:
        return model.SerializeToString()
    except ValueError as error:  # protobuf writes at most 2 GB
        raise Invalid(f"The model cannot be written as one file: {error}") from error


def chosen(batch_size: int | None) -> dict[str, Any]:
    """Options of a submission as they travel: only what was chosen."""
    return {} if batch_size is None else {"batch_size": batch_size}
