"""A first valid model for a depth challenge, without PyTorch: random features and one fitted layer.

    from goat.baselines.onnx_inference import baseline
    baseline("data/sample/inputs", "model.onnx")      # then: goat submit -c task2 model.onnx

The picture is shrunk to 24 × 24. Random filters, their means over larger and larger surroundings, over
rows, columns and the place in the picture are mixed at random into `HIDDEN` features; nothing of that is
learnt. Only the last layer is, by ridge regression: a solved system of equations instead of training.
Needs ``pip install 'mls-goat[cpu]'`` and seconds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goat.errors import Invalid
from goat.kinds.onnx.runtime import load_runtime, require_runtime
from goat.readers import read_pt

Progress = Callable[[int, int], None]
"""Called after each picture with how many are done and how many there are."""

Floats = NDArray[Any]

LEARNS = True
"""It needs the truth of the sample split, and writes one file that answers any inputs."""

GRID = 24
HIDDEN = 384
FILTERS = 20

_OPSET = 18
_RIDGE = 1e-3
_SURROUNDINGS = (2, 4, 8)
_FEATURES = "features"


def baseline(
    inputs: str | os.PathLike[str], output: str | os.PathLike[str], *, progress: Progress | None = None
) -> int:
    """Learn from the sample split and write an ONNX model to the file ``output``.

    inputs: the folder ``inputs`` of the sample split, whose truth lies beside it: per picture
    (channels, height, width) a map (1, height, width), of which only the course counts: it is stretched to
    [0, 1], as the metric ``depth_rmse`` does. Returns the number of pictures. Raises
    `goat.errors.Invalid` where pictures or their truth are missing or of another form,
    `goat.errors.MissingPackage` without onnx and onnxruntime.
    """
    require_runtime("cpu")
    pairs = _pairs(Path(inputs))
    image, _ = _pair(pairs[0])
    graph = _Graph(image.shape)
    solution = _fitted(graph, pairs, progress)
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_bytes(graph.model(solution))
    return len(pairs)


def _pairs(inputs: Path) -> list[tuple[Path, Path]]:
    files = sorted(inputs.glob("*.pt"))
    truth = inputs.parent / "truth"
    if not files or not all((truth / file.name).is_file() for file in files):
        raise Invalid(f"there are no pictures in {inputs} with a truth each in {truth}; give sample/inputs")
    return [(file, truth / file.name) for file in files]


def _pair(files: tuple[Path, Path]) -> tuple[Floats, Floats]:
    """A picture (channels, height, width) in [0, 1] and its map (height, width), stretched to [0, 1]."""
    image, truth = (read_pt(file) for file in files)
    if image.dtype == np.uint8:
        image = image / np.float32(255)
    if image.ndim != 3 or truth.shape != (1, *image.shape[1:]) or truth.dtype.kind != "f":
        raise Invalid(f"{files[0].name}: this baseline learns one map (1, height, width) per picture")
    low, high = truth.min(), truth.max()
    return image.astype(np.float32), (truth[0] - low) / max(high - low, 1e-12)


def _fitted(graph: _Graph, pairs: list[tuple[Path, Path]], progress: Progress | None) -> Floats:
    """Weights of the last layer, the constant last: the ridge solution over all places of all pictures."""
    session = graph.session()
    squares, products = np.zeros((HIDDEN + 1, HIDDEN + 1)), np.zeros(HIDDEN + 1)
    for done, files in enumerate(pairs, start=1):
        for image, wanted in _mirrored(*_pair(files)):
            (found,) = session.run([_FEATURES], {"input": image[None]})
            rows = np.vstack([found.reshape(HIDDEN, -1), np.ones(GRID * GRID)])
            squares += rows @ rows.T
            products += rows @ _shrunk(wanted).ravel()
        if progress is not None:
            progress(done, len(pairs))
    scale = np.diag(squares)
    return np.linalg.solve(squares + _RIDGE * np.diag(scale + 1e-3 * scale.mean()), products)


def _mirrored(image: Floats, truth: Floats) -> Iterator[tuple[Floats, Floats]]:
    yield image, truth
    yield np.ascontiguousarray(image[:, :, ::-1]), truth[:, ::-1]


def _shrunk(wanted: Floats) -> Floats:
    """(height, width) → (GRID, GRID): the mean of the pixels of each cell."""
    rows, columns = (np.linspace(0, size, GRID + 1).round().astype(int) for size in wanted.shape)
    sums = np.add.reduceat(np.add.reduceat(wanted, rows[:-1], axis=0), columns[:-1], axis=1)
    return np.asarray(sums / np.outer(np.diff(rows), np.diff(columns)))


class _Graph:
    """The model, node by node. The same graph gives the features to fit on and is handed in."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._from_array = helper, numpy_helper.from_array
        self._shape = shape
        self._nodes: list[Any] = []
        self._weights: list[Any] = []
        self._random = np.random.default_rng(0)
        self._build()

    def model(self, solution: Floats) -> bytes:
        """The file: features, the last layer, back to the size of the picture."""
        weights, constant = solution[:-1], solution[-1:]
        kept = len(self._nodes), len(self._weights)
        small = self._node(
            "Conv", _FEATURES, self._weight(weights[None, :, None, None]), self._weight(constant)
        )
        smooth = self._node("AveragePool", small, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        # What lies beyond would only shrink all the rest when it is stretched to [0, 1].
        bounded = self._node("Clip", smooth, self._weight(np.float32(0.05)), self._weight(np.float32(0.95)))
        self._node("Resize", bounded, "", "", self._sizes(*self._shape[1:]), axes=[2, 3], output="output")
        content = self._serialised("output", [1, *self._shape[1:]])
        del self._nodes[kept[0] :], self._weights[kept[1] :]
        return content

    def session(self) -> Any:
        """A session that gives the features."""
        onnxruntime = load_runtime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        content = self._serialised(_FEATURES, [HIDDEN, GRID, GRID])
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def _build(self) -> None:
        channels = self._shape[0]
        small = self._node(
            "Resize", "input", "", "", self._sizes(GRID, GRID), axes=[2, 3], mode="linear", antialias=1
        )
        filters = self._random.normal(size=(FILTERS, channels, 5, 5))
        filters -= 0.7 * filters.mean(axis=(2, 3), keepdims=True)  # edges more than brightness
        filters *= 2 / np.sqrt(np.square(filters).sum(axis=(1, 2, 3), keepdims=True))
        bias = self._weight(self._random.normal(size=FILTERS) * 0.2)
        edges = self._node("Relu", self._node("Conv", small, self._weight(filters), bias, pads=[2, 2, 2, 2]))
        near = self._node("Concat", small, edges, axis=1)
        count = channels + FILTERS
        around = [near, *(self._surrounding(near, reach) for reach in _SURROUNDINGS)]
        parts = [
            self._mixed(self._node("Concat", *around, axis=1), count * len(around), 3.0),
            self._mixed(self._node("ReduceMean", near, self._weight(np.array([3])), keepdims=1), count, 2.0),
            self._mixed(self._node("ReduceMean", near, self._weight(np.array([2])), keepdims=1), count, 2.0),
            self._mixed(self._weight(_places()), 4, 2.0),
        ]
        while len(parts) > 1:
            parts = [self._node("Add", parts[0], parts[1]), *parts[2:]]
        self._node("Relu", parts[0], output=_FEATURES)

    def _surrounding(self, name: str, reach: int) -> str:
        pooled = self._node("AveragePool", name, kernel_shape=[reach, reach], strides=[reach, reach])
        return self._node("Resize", pooled, "", "", self._sizes(GRID, GRID), axes=[2, 3], mode="linear")

    def _mixed(self, name: str, count: int, strength: float) -> str:
        """A random mixture of ``count`` channels into the hidden ones."""
        weights = self._random.normal(size=(HIDDEN, count, 1, 1)) * (strength / np.sqrt(count))
        return self._node("Conv", name, self._weight(weights))

    def _node(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(operator, inputs, [name], **attributes))
        return name

    def _sizes(self, *sizes: int) -> str:
        return self._weight(np.array(sizes, np.int64))

    def _weight(self, values: Any) -> str:
        array = np.asarray(values)
        array = array if array.dtype.kind == "i" else array.astype(np.float32)
        name = f"weight_{len(self._weights)}"
        self._weights.append(self._from_array(array, name))
        return name

    def _serialised(self, output: str, shape: list[int]) -> bytes:
        make = self._helper
        graph = make.make_graph(
            self._nodes,
            "baseline",
            [make.make_tensor_value_info("input", 1, ["batch", *self._shape])],
            [make.make_tensor_value_info(output, 1, ["batch", *shape])],
            self._weights,
        )
        opset = [make.make_opsetid("", _OPSET)]
        content: bytes = make.make_model(graph, opset_imports=opset, ir_version=10).SerializeToString()
        return content


def _places() -> Floats:
    """(1, 4, GRID, GRID): one, across, down and the distance from the middle column."""
    line = np.linspace(-1, 1, GRID)
    down, across = np.meshgrid(line, line, indexing="ij")
    return np.stack([np.ones_like(across) * 0.5, across, 1.5 * down, np.abs(across)])[None]
