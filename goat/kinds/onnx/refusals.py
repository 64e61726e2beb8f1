"""What a participant is told when the runtime refuses a model, or its child does not come back."""

from __future__ import annotations

import re
from typing import Final

from goat.errors import Problem, Rejection
from goat.kinds.base import Device
from goat.readers.faults import printable

_MEMORY: Final = re.compile(
    r"bad[ _]alloc|failed to allocate memory|out of memory|cannot allocate memory|available memory of|"
    r"would require more than",
    re.I,
)
_UNSUPPORTED: Final = re.compile(
    r"could not find an implementation|not a registered|no op registered|unsupported|not implemented|"
    r"no suitable kernel|only guarantees support|is not supported|fallback to CPU EP",
    re.I,
)
_NOISE: Final = re.compile(r"\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : |/onnxruntime_src/\S+:\d+ .*?\) (?=\S)")

_OF_A_MODEL: Final = {
    "crashed": (
        "model_crashed",
        "the runtime crashed while it loaded or ran the model; run it with onnxruntime on your machine "
        "(goat dry-run does) and export it again",
    ),
    "memory_limit": (
        "memory_limit",
        "loading and running the model needs more memory than the challenge gives ({memory_mb:g} MB); make "
        "it smaller, or take a smaller batch size",
    ),
    "time_limit": (
        "time_limit",
        "loading and running the model took longer than the challenge gives ({time_limit_s:g} s); make it "
        "faster, and look for endless loops",
    ),
}


def load_refusal(error: Exception, device: Device) -> Rejection:
    """The verdict on a model that the runtime does not load."""
    if is_out_of_memory(error):
        return Rejection.of("memory_limit", "loading the model needs more memory than it may use")
    if _UNSUPPORTED.search(str(error)) or type(error).__name__ == "NotImplemented":
        where = "on the GPU" if device == "gpu" else "here"
        return Rejection.of(
            "not_supported",
            f"the runtime cannot run the model {where}: {_said(error)}; use other operators or types, or "
            "another opset_version in the export",
        )
    return Rejection.of("load_failed", f"the runtime does not load the model: {_said(error)}")


def run_refusal(error: Exception, batch: int) -> Rejection:
    """The verdict on a model that loads and does not run."""
    if is_out_of_memory(error):
        return Rejection.of("memory_limit", "running the model needs more memory than it may use")
    hint = "; if it only takes one sample at a time, choose batch_size=1" if batch > 1 else ""
    return Rejection.of("run_failed", f"the model fails on a batch of {batch}: {_said(error)}{hint}")


def in_words_for_models(rejection: Rejection, *, memory_mb: float, time_limit_s: float) -> Rejection:
    """A verdict whose sentences speak of a model, whoever found it."""

    def told(problem: Problem) -> Problem:
        if problem.code not in _OF_A_MODEL:
            return problem
        code, sentence = _OF_A_MODEL[problem.code]
        return Problem(code, sentence.format(memory_mb=memory_mb, time_limit_s=time_limit_s))

    return Rejection(told(problem) for problem in rejection.problems)


def is_out_of_memory(error: Exception) -> bool:
    """Whether the runtime, or Python, says that memory ran out."""
    return isinstance(error, MemoryError) or _MEMORY.search(str(error)) is not None


def _said(error: Exception) -> str:
    """The runtime's own words, safe to show: without its source paths, on one line, cut to size."""
    words = _NOISE.sub("", " ".join(str(error).split()))
    return printable(words, 300).rstrip(" .") or type(error).__name__
