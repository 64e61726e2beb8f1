"""Tests that need PyTorch run, unless it was declined with GOAT_WITH_TORCH=0 and is not there."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

import pytest
from hypothesis import settings

# No test of ours judges by the clock: a busy machine makes any example slow once.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

DECLINED = os.environ.get("GOAT_WITH_TORCH") == "0" and importlib.util.find_spec("torch") is None


def needs_torch(file: Path) -> bool:
    return re.search(r"^import torch$", file.read_text(encoding="utf-8"), re.MULTILINE) is not None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    left_out = DECLINED and collection_path.suffix == ".py" and needs_torch(collection_path)
    return True if left_out else None


def pytest_report_header(config: pytest.Config) -> str:
    return "PyTorch was declined (GOAT_WITH_TORCH=0): the tests that need it are left out" if DECLINED else ""
