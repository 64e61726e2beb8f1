"""Where models run: the lanes ``cpu`` and ``gpu``, the runtime they need, and what a device has.

Nothing here imports the runtime; only the fork server of a model lane does, and its children.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from goat.errors import MissingPackage
from goat.kinds.base import Device
from goat.kinds.onnx.runtime import installed, require_runtime

log = logging.getLogger(__name__)

MODEL_LANES = ("cpu", "gpu")
"""Lanes whose jobs run models; the others read files."""
PRELOAD = ("onnx", "onnxruntime", "goat.kinds.onnx.session")
"""What the children of a model lane find imported: 28 to 45 ms instead of 190."""
WARM = "scoring_service.evaluation.warm"
"""Imported besides where models run on the CPU."""
REUSED_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(1 << 31)}
"""Have glibc reuse what a child gave back, instead of asking the kernel for fresh pages each time: reading
and loading a model of 35 MB takes a third less processor time, and calls take the same."""


class RuntimeMissing(Exception):
    """Why this machine cannot serve a lane, and what to do: sentences for the organiser."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One device, or one MIG slice of one."""

    id: str
    """As CUDA names it: ``GPU-…`` or ``MIG-…``."""
    name: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a worker's fork server and children get for their lane."""

    device: Device | None = None
    """Where its models run; None for lanes that read files."""
    preload: tuple[str, ...] = ()
    """Modules to have imported."""
    environment: Mapping[str, str] = field(default_factory=dict)
    gpu_memory_bytes: int = 0
    """Of the device, for one model."""
    machine: Mapping[str, str | int] = field(default_factory=dict)
    """What joins the machine record of every result."""


READS_FILES = Equipment()


def _require_packages(lane: str) -> None:
    try:
        require_runtime("gpu" if lane == "gpu" else "cpu")
    except MissingPackage as missing:
        raise RuntimeMissing(missing.detail) from missing
    if lane == "gpu" and not installed("onnxruntime-gpu"):
        raise RuntimeMissing(
            "The lane gpu needs the package onnxruntime-gpu, and onnxruntime for the CPU is installed. "
            "Replace it: GOAT_RUNTIME=gpu make up, or pip uninstall onnxruntime, then "
            "pip install 'mls-goat[gpu]'."
        )


def gpus() -> list[Gpu]:
    """The devices of this machine, MIG slices in place of a device that is cut into them; one that does not
    answer is left out.

    Raises `RuntimeMissing` where no driver answers.
    """
    with _nvml() as nvml:
        found: list[Gpu] = []
        for index in range(nvml.nvmlDeviceGetCount()):
            try:
                device = nvml.nvmlDeviceGetHandleByIndex(index)
                found += [_gpu(nvml, handle) for handle in _slices(nvml, device) or [device]]
            except nvml.NVMLError as error:
                log.warning("GPU %d does not answer and is left out: %s", index, error)
        return found


def chosen_gpu(device: str) -> Gpu:
    """The device that a worker works on: the one named, else the machine's first.

    ``device``: an id as CUDA names it, or a number in NVML's order. Raises `RuntimeMissing`.
    """
    there = gpus()
    if not there:
        raise RuntimeMissing("The NVIDIA driver answers and knows no GPU.")
    if not device:
        return there[0]
    if device.isdigit() and int(device) < len(there):
        return there[int(device)]
    found = [gpu for gpu in there if gpu.id == device]
    if not found:
        known = ", ".join(gpu.id for gpu in there)
        raise RuntimeMissing(f"GOAT_GPU_DEVICE={device} is no device of this machine; there is: {known}.")
    return found[0]


def equip(lane: str, device: str, memory_fraction: float) -> Equipment:
    """What a worker of that lane needs. Raises `RuntimeMissing` where this machine lacks it."""
    if lane not in MODEL_LANES:
        return READS_FILES
    _require_packages(lane)
    environment = {"ORT_DISABLE_TELEMETRY": "1", **REUSED_MEMORY}
    if lane == "cpu":
        return Equipment(device="cpu", preload=(*PRELOAD, WARM), environment=environment)
    gpu = chosen_gpu(device)
    # By its id, and without a cache of compiled kernels: a child writes no file. Where the libraries of
    # CUDA lie is the machine's affair.
    environment |= {"CUDA_VISIBLE_DEVICES": gpu.id, "CUDA_CACHE_DISABLE": "1"}
    environment |= {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return Equipment(
        device="gpu",
        preload=(*PRELOAD, "scoring_service.evaluation.cuda"),
        environment=environment,
        gpu_memory_bytes=int(gpu.memory_bytes * memory_fraction),
        machine={"gpu": gpu.name, "gpu_id": gpu.id, "gpu_memory_bytes": gpu.memory_bytes},
    )


def planned_gpus(workers: int | None, device: str) -> list[str]:
    """Device of each GPU worker that is to run on this machine: ids, one per worker.

    ``workers``: how many, None for one per device (none where there is no driver, or no runtime for it);
    ``device``: the devices to use, separated by commas, all of them by default.
    """
    named = [name.strip() for name in device.split(",") if name.strip()]
    if workers is None:
        try:
            _require_packages("gpu")
            there = gpus()
        except RuntimeMissing:
            return []
        return named or [gpu.id for gpu in there]
    if not named:
        with contextlib.suppress(RuntimeMissing):  # each worker says it again, and goes on trying
            named = [gpu.id for gpu in gpus()]
    return [named[number % len(named)] if named else "" for number in range(workers)]


def _gpu(nvml: Any, handle: Any) -> Gpu:
    memory = int(nvml.nvmlDeviceGetMemoryInfo(handle).total)
    return Gpu(_text(nvml.nvmlDeviceGetUUID(handle)), _text(nvml.nvmlDeviceGetName(handle)), memory)


def _slices(nvml: Any, device: Any) -> list[Any]:
    """Handles of a device's MIG slices; none where it is whole or cannot be cut."""
    found = []
    try:
        if nvml.nvmlDeviceGetMigMode(device)[0] != nvml.NVML_DEVICE_MIG_ENABLE:
            return []
        for index in range(nvml.nvmlDeviceGetMaxMigDeviceCount(device)):
            with contextlib.suppress(nvml.NVMLError_NotFound):
                found.append(nvml.nvmlDeviceGetMigDeviceHandleByIndex(device, index))
    except nvml.NVMLError_NotSupported:
        return []
    return found


def _text(value: str | bytes) -> str:
    """Older versions of the binding give bytes."""
    return value.decode() if isinstance(value, bytes) else value


@contextlib.contextmanager
def _nvml() -> Iterator[Any]:
    try:
        import pynvml
    except ImportError:
        raise RuntimeMissing(
            "The package nvidia-ml-py is missing, which knows the GPUs: pip install 'mls-goat[gpu]'."
        ) from None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise RuntimeMissing(
            f"No NVIDIA driver answers on this machine ({error}). Install the driver (nvidia-smi must work), "
            "or run no worker of the lane gpu here."
        ) from None
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()
