"""What a submission is told whose child process did not come back: one home for these verdicts.

Every runner that puts hostile bytes into a process of its own ends in one of the three; the sentences
depend on what ran there, a file that was read or a model.
"""

from __future__ import annotations

from goat.errors import Rejection
from goat.kinds.base import Limits

MODEL_EXPORT = "torch.onnx.export(..., dynamo=True)"


def too_slow(limits: Limits, seconds: float) -> Rejection:
    """``time_limit``: it was stopped after ``seconds``, of the wall or of the processor."""
    if limits.what == "model":
        return Rejection.of(
            "time_limit",
            f"Loading and running the model on all samples took longer than {seconds:g} s. Make it faster: "
            "fewer or narrower layers, a lower resolution inside, no loop without an end.",
        )
    return Rejection.of(
        "time_limit", f"Reading the submission took longer than {seconds:g} s. Make it smaller or simpler."
    )


def too_big(limits: Limits) -> Rejection:
    """``memory_limit``: it asked for more than ``limits.memory_bytes``."""
    if limits.what == "model":
        return Rejection.of(
            "memory_limit",
            f"Loading or running the model needs more than the {limits.memory_bytes / 1e9:.3g} GB of memory "
            "that it may use. Make its layers' outputs smaller, or submit it with a smaller batch_size.",
        )
    return Rejection.of(
        "memory_limit", "Reading the submission needs more memory than a submission may use. Make it smaller."
    )


def crashed(limits: Limits, how: str) -> Rejection:
    """``crashed`` or ``model_crashed``; ``how`` goes into a sentence: "crashed (SIGSEGV)"."""
    if limits.what == "model":
        return Rejection.of(
            "model_crashed",
            f"The process that ran the model {how}. Export it again with a current exporter "
            f"({MODEL_EXPORT}) and try it with goat.dry_run before you resubmit.",
        )
    return Rejection.of("crashed", f"Reading the submission {how}. Save it again and resubmit.")
