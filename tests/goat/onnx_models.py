"""Small ONNX models, honest and hostile, built in place with `onnx.helper`.

Every function returns the model (or, for files that are no model, its bytes). `good` is the honest one:
it answers the mean over the channels, so a test whose truth is that mean knows the metric.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

SHAPE = (3, 16, 20)
ANSWER = (1, 16, 20)
FLOAT = TensorProto.FLOAT
IR_VERSION = 10

Shape = Sequence[int | str | None]


def value(name: str, shape: Shape | None, dtype: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def constant(name: str, array: Any, dtype: Any = None) -> TensorProto:
    return numpy_helper.from_array(np.asarray(array, dtype), name)


def build(
    nodes: Sequence[NodeProto],
    *,
    initializers: Sequence[TensorProto] = (),
    inputs: Sequence[onnx.ValueInfoProto] | None = None,
    outputs: Sequence[onnx.ValueInfoProto] | None = None,
    batch: int | str = "batch",
    opset: int = 17,
    domains: Sequence[str] = (),
    functions: Sequence[onnx.FunctionProto] = (),
    ir_version: int = IR_VERSION,
) -> ModelProto:
    """A model from ``x`` (batch, *SHAPE) to ``y`` (batch, *ANSWER), unless told otherwise."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [value("x", (batch, *SHAPE))] if inputs is None else list(inputs),
        [value("y", (batch, *ANSWER))] if outputs is None else list(outputs),
        list(initializers),
    )
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(name, 1) for name in domains)]
    return helper.make_model(
        graph, opset_imports=imports, functions=list(functions), ir_version=ir_version, producer_name="tests"
    )


def mean(source: str = "x", target: str = "y") -> NodeProto:
    return helper.make_node("ReduceMean", [source], [target], axes=[1], keepdims=1)


def good(batch: int | str = "batch", **more: Any) -> ModelProto:
    return build([mean()], batch=batch, **more)


def scaled(factor: float, *, parameters: int = 1) -> ModelProto:
    """As `good` times a factor; ``parameters`` float32 values make the file as large as wished."""
    weights = np.full(parameters, factor / parameters, np.float64).astype(np.float32)
    return build(
        [
            mean(target="m"),
            helper.make_node("ReduceSum", ["w"], ["s"], keepdims=0),
            helper.make_node("Mul", ["m", "s"], ["y"]),
        ],
        initializers=[constant("w", weights)],
    )


def slow(rounds: int = 40) -> ModelProto:
    """As `good`, after many multiplications that change nothing."""
    return good_after(
        [
            helper.make_node("MatMul", ["x" if i == 0 else f"v{i - 1}", "eye"], [f"v{i}"])
            for i in range(rounds)
        ],
        f"v{rounds - 1}",
        initializers=[constant("eye", np.eye(SHAPE[2], dtype=np.float32))],
    )


def good_after(nodes: Sequence[NodeProto], last: str, **more: Any) -> ModelProto:
    """``nodes``, then the mean of what they made."""
    return build([*nodes, mean(last)], **more)


def save(model: ModelProto | bytes, path: Path) -> Path:
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    return path


# --- wrong inputs and outputs -------------------------------------------------------------------


def with_signature(
    inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]
) -> ModelProto:
    return build([mean()], inputs=inputs, outputs=outputs)


def two_inputs() -> ModelProto:
    return build(
        [helper.make_node("Add", ["x", "z"], ["s"]), mean("s")],
        inputs=[value("x", ("n", *SHAPE)), value("z", ("n", *SHAPE))],
    )


def two_outputs() -> ModelProto:
    return build(
        [mean(), helper.make_node("Identity", ["y"], ["z"])],
        outputs=[value("y", ("n", *ANSWER)), value("z", ("n", *ANSWER))],
    )


def half() -> ModelProto:
    """Takes and gives float16."""
    half_ = TensorProto.FLOAT16
    return build(
        [mean()], inputs=[value("x", ("n", *SHAPE), half_)], outputs=[value("y", ("n", *ANSWER), half_)]
    )


def lying_output() -> ModelProto:
    """Declares one channel and answers two."""
    return build(
        [mean(target="m"), helper.make_node("Concat", ["m", "m"], ["y"], axis=1)],
        outputs=[value("y", ("batch", "c", *ANSWER[1:]))],
    )


def weights_as_inputs() -> ModelProto:
    """Old files list their weights among the inputs."""
    return build(
        [mean(target="m"), helper.make_node("Mul", ["m", "w"], ["y"])],
        inputs=[value("x", ("n", *SHAPE)), value("w", (1,))],
        initializers=[constant("w", [1.0], np.float32)],
        ir_version=3,
        opset=9,
    )


def hard_coded_batch() -> ModelProto:
    """Says that any batch will do, and reshapes to a batch of one."""
    return good_after(
        [helper.make_node("Reshape", ["x", "shape"], ["v"])],
        "v",
        initializers=[constant("shape", [1, *SHAPE], np.int64)],
    )


# --- data outside the file ----------------------------------------------------------------------


def external(location: str, *, name: str = "w") -> TensorProto:
    """A tensor whose values lie elsewhere."""
    tensor = TensorProto(name=name, data_type=FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    for key, text in (("location", location), ("offset", "0"), ("length", "4")):
        tensor.external_data.add(key=key, value=text)
    return tensor


def _times(source: str) -> list[NodeProto]:
    return [mean(target="m"), helper.make_node("Mul", ["m", source], ["y"])]


def external_initializer(location: str) -> ModelProto:
    return build(_times("w"), initializers=[external(location)])


def external_constant(location: str) -> ModelProto:
    return build([helper.make_node("Constant", [], ["w"], value=external(location)), *_times("w")])


def external_in_list(location: str) -> ModelProto:
    """In an attribute that is a list of tensors, of a node that nobody needs."""
    node = helper.make_node("Identity", ["x"], ["unused"])
    node.attribute.append(helper.make_attribute("tensors", [external(location)]))
    return build([node, mean()])


def external_in_subgraph(location: str) -> ModelProto:
    then = helper.make_graph(_times("w"), "then", [], [value("y", ("n", *ANSWER))], [external(location)])
    other = helper.make_graph([mean()], "else", [], [value("y", ("n", *ANSWER))])
    return build(
        [helper.make_node("If", ["yes"], ["y"], then_branch=then, else_branch=other)],
        initializers=[constant("yes", True)],
    )


def external_sparse(location: str) -> ModelProto:
    model = good()
    sparse = model.graph.sparse_initializer.add(dims=[4])
    sparse.values.CopyFrom(external(location))
    sparse.indices.CopyFrom(constant("i", [1], np.int64))
    return model


def external_in_training(location: str) -> ModelProto:
    model = good()
    info = model.training_info.add()
    info.initialization.name = "initialization"
    info.initialization.initializer.append(external(location))
    return model


def external_in_function(location: str) -> ModelProto:
    node = helper.make_node("Constant", [], ["w"], value=external(location))
    function = helper.make_function(
        "mine", "F", ["a"], ["b"], [node, helper.make_node("Mul", ["a", "w"], ["b"])],
        [helper.make_opsetid("", 17)],
    )  # fmt: skip
    return build(
        [mean(target="m"), helper.make_node("F", ["m"], ["y"], domain="mine")],
        functions=[function],
        domains=["mine"],
    )


EXTERNAL: list[Callable[[str], ModelProto]] = [
    external_initializer, external_constant, external_in_list, external_in_subgraph, external_sparse,
    external_in_training, external_in_function,
]  # fmt: skip


# --- foreign code -------------------------------------------------------------------------------


def _function(name: str, calls: Sequence[str]) -> onnx.FunctionProto:
    nodes = [helper.make_node(call, ["a" if i == 0 else f"v{i}"], [f"v{i + 1}"], domain="mine")
             for i, call in enumerate(calls)]  # fmt: skip
    nodes.append(helper.make_node("Identity", [f"v{len(calls)}" if calls else "a"], ["b"]))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    return helper.make_function("mine", name, ["a"], ["b"], nodes, opsets)


def functions(depth: int = 30, width: int = 2) -> ModelProto:
    """Functions that call functions: inlined, they are width ** depth nodes."""
    found = [_function(f"F{level}", [f"F{level + 1}"] * width) for level in range(depth)]
    found.append(_function(f"F{depth}", []))
    return build(
        [mean(target="m"), helper.make_node("F0", ["m"], ["y"], domain="mine")],
        functions=found,
        domains=["mine"],
    )


def recursive_function() -> ModelProto:
    return build(
        [mean(target="m"), helper.make_node("F", ["m"], ["y"], domain="mine")],
        functions=[_function("F", ["F"])],
        domains=["mine"],
    )


def foreign(domain: str, operator: str) -> ModelProto:
    """One operator of another domain."""
    node = helper.make_node(operator, ["x"], ["v"], domain=domain)
    return good_after([node], "v", domains=[domain])


def foreign_in_subgraph() -> ModelProto:
    inner = helper.make_node("PyOp", ["x"], ["y"], domain="com.microsoft")
    branches = [helper.make_graph([inner], name, [], [value("y", ("n", *ANSWER))]) for name in ("a", "b")]
    return build(
        [helper.make_node("If", ["yes"], ["y"], then_branch=branches[0], else_branch=branches[1])],
        initializers=[constant("yes", True)],
        domains=["com.microsoft"],
    )


# --- damaged ------------------------------------------------------------------------------------


def lying_tensor(dims: Sequence[int], raw: bytes = b"", data_type: int = FLOAT) -> ModelProto:
    """An initialiser whose shape and bytes disagree."""
    tensor = TensorProto(name="w", data_type=data_type, dims=dims, raw_data=raw)
    return build(_times("w"), initializers=[tensor])


def nested(depth: int) -> bytes:
    """A graph inside an attribute of a node of a graph, again and again; written by hand, for the
    library's own parser refuses to copy it."""
    graph = helper.make_graph([mean()], "leaf", [], []).SerializeToString()
    for _ in range(depth):
        attribute = AttributeProto(name="then_branch", type=AttributeProto.GRAPH).SerializeToString()
        attribute += _field(6, graph)
        node = helper.make_node("If", ["yes"], ["y"]).SerializeToString() + _field(5, attribute)
        graph = _field(1, node) + GraphProto(name="level").SerializeToString()
    # A message met twice is one message with the fields of both.
    return good().SerializeToString() + _field(7, graph)


def _field(number: int, content: bytes) -> bytes:
    """One length-delimited field as protobuf writes it."""
    length, size = b"", len(content)
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def many_nodes(count: int) -> ModelProto:
    nodes = [helper.make_node("Identity", [f"v{i}"], [f"v{i + 1}"]) for i in range(count)]
    return good_after([helper.make_node("Identity", ["x"], ["v0"]), *nodes], f"v{count}")


def padded(size: int) -> bytes:
    """A sound model of exactly that many bytes."""
    model = good()
    model.doc_string = ""
    tail = size - len(model.SerializeToString())
    for _ in range(8):
        model.doc_string = "x" * tail
        tail += size - len(model.SerializeToString())
    content = model.SerializeToString()
    assert len(content) == size
    return content


# --- bombs and other behaviour ------------------------------------------------------------------


def _sum_of(node: NodeProto, *extra: NodeProto, initializers: Sequence[TensorProto] = ()) -> ModelProto:
    """The mean, plus nothing times the mean of something enormous called ``big``."""
    return build(
        [
            *extra,
            node,
            helper.make_node("ReduceMean", ["big"], ["b"], keepdims=0),
            helper.make_node("Mul", ["b", "zero"], ["nothing"]),
            mean(target="m"),
            helper.make_node("Add", ["m", "nothing"], ["y"]),
        ],
        initializers=[constant("zero", 0.0, np.float32), *initializers],
    )


HUGE = 3_000_000_000
"""Elements: 12 GB of float32."""


def constant_of_shape() -> ModelProto:
    return _sum_of(
        helper.make_node("ConstantOfShape", ["shape"], ["big"]),
        initializers=[constant("shape", [HUGE], np.int64)],
    )


def expand() -> ModelProto:
    return _sum_of(
        helper.make_node("Expand", ["x", "shape"], ["big"]),
        initializers=[constant("shape", [HUGE // math.prod(SHAPE), 1, 1, 1, 1], np.int64)],
    )


def range_() -> ModelProto:
    return _sum_of(
        helper.make_node("Range", ["from", "to", "step"], ["big"]),
        initializers=[
            constant("from", 0.0, np.float32), constant("to", float(HUGE), np.float32),
            constant("step", 1.0, np.float32),
        ],
    )  # fmt: skip


def tile() -> ModelProto:
    return _sum_of(
        helper.make_node("Tile", ["x", "repeats"], ["big"]),
        initializers=[constant("repeats", [HUGE // math.prod(SHAPE), 1, 1, 1], np.int64)],
    )


def pad() -> ModelProto:
    return _sum_of(
        helper.make_node("Pad", ["x", "pads"], ["big"]),
        initializers=[constant("pads", [0, 0, 0, 0, 0, 0, 0, HUGE // 48], np.int64)],
    )


def resize() -> ModelProto:
    return _sum_of(
        helper.make_node("Resize", ["x", "", "scales"], ["big"]),
        initializers=[constant("scales", [1, 1, 2000, 1600], np.float32)],
    )


def doubling(times: int = 36) -> ModelProto:
    """A constant that is joined with itself again and again; folded while the model is loaded."""
    nodes = [helper.make_node("Concat", [f"c{i}", f"c{i}"], [f"c{i + 1}"], axis=0) for i in range(times)]
    last = helper.make_node("Identity", [f"c{times}"], ["big"])
    return _sum_of(last, *nodes, initializers=[constant("c0", [1.0], np.float32)])


BOMBS: list[Callable[[], ModelProto]] = [constant_of_shape, expand, range_, tile, pad, resize, doubling]


def endless() -> ModelProto:
    """A loop whose condition stays true."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["condition"], ["go_on"]),
            helper.make_node("Add", ["carried", "carried"], ["next"]),
        ],
        "body",
        [
            value("step", [], TensorProto.INT64),
            value("condition", [], TensorProto.BOOL),
            value("carried", None),
        ],
        [value("go_on", [], TensorProto.BOOL), value("next", None)],
    )
    return build(
        [mean(target="m"), helper.make_node("Loop", ["", "yes", "m"], ["y"], body=body)],
        initializers=[constant("yes", True)],
    )


def not_a_number() -> ModelProto:
    """0 / 0 in every pixel."""
    return build(
        [
            mean(target="m"),
            helper.make_node("Sub", ["m", "m"], ["zero"]),
            helper.make_node("Div", ["zero", "zero"], ["y"]),
        ]
    )


def random_answers() -> ModelProto:
    return build(
        [
            mean(target="m"),
            helper.make_node("RandomNormalLike", ["m"], ["noise"], scale=0.3),
            helper.make_node("Add", ["m", "noise"], ["y"]),
        ]
    )


def crashing() -> ModelProto:
    """Ends the whole process: a normal distribution asserts that its deviation is not negative."""
    return build(
        [
            mean(target="m"),
            helper.make_node("RandomNormalLike", ["m"], ["noise"], scale=-1.0),
            helper.make_node("Add", ["m", "noise"], ["y"]),
        ]
    )


def honest_at_first(calls: int) -> ModelProto:
    """The mean for its first calls and zeros afterwards: a seeded random operator counts them.

    An enormous constant beside the answer hides the difference from whoever compares ranges.
    """
    rng = helper.make_node("RandomUniform", [], ["u"], shape=[1], low=0.0, high=1.0, seed=42.0)
    return build(
        [
            rng,
            helper.make_node("Less", ["u", "threshold"], ["honest"]),
            helper.make_node("Cast", ["honest"], ["factor"], to=FLOAT),
            helper.make_node("ReduceMean", ["x"], ["m"], axes=[1, 3], keepdims=0),
            helper.make_node("Mul", ["m", "factor"], ["scores"]),
            helper.make_node("Concat", ["scores", "decoy"], ["y"], axis=1),
        ],
        initializers=[
            constant("threshold", [1 - 0.5 / calls], np.float32),
            constant("decoy", np.full((1, 1), -1e9), np.float32),
        ],
        batch=1,
        outputs=[value("y", (1, SHAPE[1] + 1))],
    )


def good_alone_only() -> ModelProto:
    """The mean for a batch of one; zeros for any other batch."""
    return build(
        [
            mean(target="m"),
            helper.make_node("Shape", ["x"], ["shape"], start=0, end=1),
            helper.make_node("Equal", ["shape", "one"], ["alone"]),
            helper.make_node("Cast", ["alone"], ["factor"], to=FLOAT),
            helper.make_node("Mul", ["m", "factor"], ["y"]),
        ],
        initializers=[constant("one", [1], np.int64)],
    )


def unsupported() -> ModelProto:
    """A standard operator on a type that it may have, and that the runtime has no code for."""
    return _through("Sigmoid", TensorProto.BFLOAT16)


def badly_typed() -> ModelProto:
    """A standard operator on a type that it may not have."""
    return _through("Atanh", TensorProto.BFLOAT16)


def _through(operator: str, dtype: int) -> ModelProto:
    return good_after(
        [
            helper.make_node("Cast", ["x"], ["b"], to=dtype),
            helper.make_node(operator, ["b"], ["a"]),
            helper.make_node("Cast", ["a"], ["v"], to=FLOAT),
        ],
        "v",
    )


def broken_graph() -> ModelProto:
    """A node that reads what nobody makes."""
    return build([helper.make_node("Relu", ["nowhere"], ["v"]), mean()])
