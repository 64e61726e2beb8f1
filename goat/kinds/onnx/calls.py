"""One prepared call of a session: fixed buffers, bound once, nothing copied while the clock runs."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from goat.kinds.base import Device
from goat.kinds.onnx.runtime import load_runtime

Array = NDArray[np.float32]


class Call(Protocol):
    """Fill ``input``, then `send`, `run`, `fetch`; then read ``output``."""

    input: Array
    output: Array

    def send(self) -> None:
        """Bring ``input`` to the device."""
        ...

    def run(self) -> None:
        """Compute; returns when the result is there."""
        ...

    def fetch(self) -> None:
        """Bring the result into ``output``."""
        ...


class CpuCall:
    """The runtime reads ``input`` and writes ``output`` where they lie."""

    def __init__(
        self, session: Any, names: tuple[str, str], shape: tuple[int, ...], answer: tuple[int, ...]
    ) -> None:
        self.input: Array = np.zeros(shape, np.float32)
        self.output: Array = np.zeros(answer, np.float32)
        self._session = session
        self._binding = session.io_binding()
        self._binding.bind_input(names[0], "cpu", 0, np.float32, shape, self.input.ctypes.data)
        self._binding.bind_output(names[1], "cpu", 0, np.float32, answer, self.output.ctypes.data)

    def send(self) -> None:
        """Nothing to do."""

    def run(self) -> None:
        self._session.run_with_iobinding(self._binding)

    def fetch(self) -> None:
        """Nothing to do."""


class GpuCall:
    """Inputs and outputs stay on the device while the clock runs."""

    def __init__(
        self, session: Any, names: tuple[str, str], shape: tuple[int, ...], answer: tuple[int, ...]
    ) -> None:
        value = load_runtime().OrtValue
        self.input: Array = np.zeros(shape, np.float32)
        self.output: Array = np.zeros(answer, np.float32)
        self._session = session
        self._there = value.ortvalue_from_numpy(self.input, "cuda", 0)
        self._answer = value.ortvalue_from_shape_and_type(answer, np.float32, "cuda", 0)
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(names[0], self._there)
        self._binding.bind_ortvalue_output(names[1], self._answer)

    def send(self) -> None:
        self._there.update_inplace(self.input)

    def run(self) -> None:
        self._session.run_with_iobinding(self._binding)
        self._binding.synchronize_outputs()

    def fetch(self) -> None:
        self.output[...] = self._answer.numpy()


def prepare_call(
    device: Device, session: Any, names: tuple[str, str], shape: tuple[int, ...], answer: tuple[int, ...]
) -> Call:
    """The call of a session's one input and output (``names``) at fixed shapes, batch included."""
    return (GpuCall if device == "gpu" else CpuCall)(session, names, shape, answer)
