"""The part of the kind that runs in a child process is light and takes what can be pickled."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

from goat.kinds.images.inspection import inspect
from tests.goat.kinds.challenges import make_challenge, write_folder


def test_the_child_needs_no_numpy() -> None:
    heavy = "('numpy', 'simpleeval', 'cv2')"
    code = f"import sys, goat.kinds.images.inspection; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_goes_to_the_child_and_back_is_small(tmp_path: Path) -> None:
    challenge = make_challenge(tmp_path / "data")
    folder = write_folder(tmp_path / "good", challenge.good_images("ranked"))
    call = pickle.dumps((inspect, folder, challenge.config, "ranked"))
    function, *arguments = pickle.loads(call)
    answer = pickle.dumps(function(*arguments))
    assert len(call) < 2000
    assert len(answer) < 1000
