"""Models to measure with: convolutional networks of three sizes, made on the spot from a seed.

The shape is that of a small depth network: four halvings, a few convolutions at the bottom, four
doublings with what was there on the way down. The width decides the size: most weights sit at the
bottom, where a picture is small, so a large file is not an endless computation.

    python -m benchmarks.models MODEL SIDE DEVICE      loads a file, answers once, says the sum
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from goat.kinds.base import Device
from goat.kinds.onnx.runtime import open_session

WIDTHS = {"small": 13, "medium": 56, "large": 78}
"""Channels of the first level: files of about 1, 18 and 35 MB."""
LEVELS = 4
OPSET = 17


class _Net:
    """Collects the nodes and weights of one network."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []

    def convolution(
        self, source: str, taken: int, given: int, *, stride: int = 1, active: bool = True
    ) -> str:
        name = f"c{len(self.nodes)}"
        scale = (2 / (taken * 9)) ** 0.5
        weight = self._random.standard_normal((given, taken, 3, 3), dtype=np.float32) * np.float32(scale)
        bias = np.zeros(given, np.float32)
        self.weights += [
            numpy_helper.from_array(weight, f"{name}.w"),
            numpy_helper.from_array(bias, f"{name}.b"),
        ]
        self._add(
            "Conv",
            [source, f"{name}.w", f"{name}.b"],
            name,
            kernel_shape=[3, 3],
            pads=[1] * 4,
            strides=[stride] * 2,
        )
        return self._add("Relu", [name], f"{name}.r") if active else name

    def doubled(self, source: str) -> str:
        return self._add("Resize", [source, "", "scales"], f"{source}.up", mode="nearest")

    def joined(self, one: str, other: str) -> str:
        return self._add("Concat", [one, other], f"{one}.with", axis=1)

    def _add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output


def depth_network(width: int, side: int, *, seed: int = 7) -> ModelProto:
    """From ``x`` (batch, 3, side, side) to ``y`` (batch, 1, side, side), float32; side divides by 16."""
    net = _Net(seed)
    net.weights.append(numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales"))
    here, channels = "x", 3
    passed: list[tuple[str, int]] = []
    for level in range(LEVELS):
        given = width << level
        here = net.convolution(here, channels, given, stride=2)
        channels = given
        passed.append((here, channels))
    here = net.convolution(here, channels, channels)
    for skipped, given in reversed(passed[:-1]):
        up = net.convolution(net.doubled(here), channels, given)
        here, channels = net.joined(up, skipped), 2 * given
    net.convolution(net.doubled(here), channels, 1, active=False)
    net.nodes[-1].output[0] = "y"
    return _model(net, side)


def identity(side: int) -> ModelProto:
    """One node that does next to nothing: what a call costs that computes nothing."""
    net = _Net(0)
    net.nodes.append(helper.make_node("Relu", ["x"], ["y"]))
    return _model(net, side, channels=1)


def first_answer(path: str, side: int, device: Device) -> float:
    """Load a model and run it once, as any process would; the sum of what it answers."""
    session = open_session(Path(path).read_bytes(), device, sizes={"batch": 1})
    picture = np.linspace(0, 1, 3 * side * side, dtype=np.float32).reshape(1, 3, side, side)
    (answer,) = session.run(None, {"x": picture})
    return float(answer.sum(dtype=np.float64))


def _model(net: _Net, side: int, *, channels: int = 3) -> ModelProto:
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", channels, side, side])
    given = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 1, side, side])
    graph = helper.make_graph(net.nodes, "depth", [taken], [given], net.weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)


if __name__ == "__main__" and len(sys.argv) == 4:
    print(first_answer(sys.argv[1], int(sys.argv[2]), "gpu" if sys.argv[3] == "gpu" else "cpu"))
