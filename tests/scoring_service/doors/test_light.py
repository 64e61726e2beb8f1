"""The API never loads what runs models: a fault in there must not be its fault."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import scoring_service.main, scoring_service.services, scoring_service.doors.http.app
from goat.kinds.base import get_kind, kinds
found = {name: get_kind(name) for name in kinds()}
assert "onnx_inference" in found
print(*sorted({name.partition(".")[0] for name in sys.modules} & {"onnx", "onnxruntime", "torch", "pynvml"}))
"""


def test_the_api_imports_no_runtime_of_models_even_with_every_kind_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
