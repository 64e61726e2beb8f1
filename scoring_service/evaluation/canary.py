"""A model of one node, which a worker that runs models runs before it takes any: where it does not sing,
a participant's would not either, and nobody must be told that their model is at fault."""

from __future__ import annotations

from goat.errors import Rejection
from goat.kinds.base import Device, Limits
from goat.kinds.onnx.runtime import canary, open_session
from scoring_service.evaluation.equipment import RuntimeMissing
from scoring_service.evaluation.runner import ChildRunner, EvaluatorFault

LIMITS = Limits(wall_s=120.0, cpu_s=120.0, memory_bytes=1 << 30)


def require_device(runner: ChildRunner, device: Device) -> None:
    """Run the canary as any model is run. Raises `RuntimeMissing` with what went wrong."""
    limits = Limits(LIMITS.wall_s, LIMITS.cpu_s, LIMITS.memory_bytes, device)
    try:
        answer = runner.call(sing, device, runner.gpu_memory_bytes, limits=limits)
    except (Rejection, EvaluatorFault) as error:
        raise RuntimeMissing(
            f"A tiny model does not run on the {device.upper()} of this machine: {error}. "
            + (
                "The GPU runtime needs the CUDA and cuDNN libraries of its version, e.g. from "
                "pip install 'onnxruntime-gpu[cuda,cudnn]' (docs/settings.md, GOAT_RUNTIME)."
                if device == "gpu"
                else "Install the runtime anew: GOAT_RUNTIME=cpu make up."
            )
        ) from error
    if answer != [2.0, 4.0]:
        raise RuntimeMissing(f"A tiny model computes nonsense on this machine's {device.upper()}: {answer}.")


def sing(device: Device, gpu_memory_bytes: int) -> list[float]:
    """Twice [1, 2], computed by the runtime on that device and no other. Runs in a child."""
    import numpy as np

    session = open_session(canary(), device, gpu_memory_bytes=gpu_memory_bytes)
    (answer,) = session.run(None, {"x": np.array([1, 2], np.float32)})
    return [float(number) for number in answer]
