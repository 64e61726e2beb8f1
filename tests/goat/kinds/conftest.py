"""One server of fresh children for all tests of a process: each evaluation is a child, as on the service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scoring_service.evaluation.runner import ChildRunner, ForkServer


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    server = ForkServer(preload=["goat.kinds.onnx.session", "onnx", "onnxruntime"])
    yield server
    server.close()


@pytest.fixture
def child(fork_server: ForkServer) -> ChildRunner:
    return ChildRunner(fork_server)
