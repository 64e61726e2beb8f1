"""Every graph, node and tensor of a model looked at: in branches, functions and training graphs too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from goat.errors import Problem
from goat.readers.faults import printable, some
from goat.readers.onnx_rules import Rules
from goat.readers.onnx_tensors import element_bits, is_external, shape_fault, tensor_fault, text_of

NEVER: Final = frozenset({"EPContext", "PyOp"})
"""Operators of ``com.microsoft`` that run foreign code or open files, wherever that domain is allowed."""

_PARTS_PER_NODE: Final = 50
"""Attributes, tensors and graphs that a node may have on average before nobody counts them any more."""

_ONE_FILE: Final = (
    "put everything into one file: torch.onnx.export(..., external_data=False), or "
    'onnx.save(onnx.load("model.onnx"), "one_file.onnx")'
)


def domain_of(name: Any) -> str:
    """A domain by its full name: the standard one has an empty name, too."""
    return text_of(name) or "ai.onnx"


def too_many(rules: Rules) -> Problem:
    """What a model is told that has more parts than anybody counts."""
    return Problem(
        "too_many_nodes",
        f"the model has more than {rules.max_nodes} nodes, or far more parts than nodes; simplify it "
        "(e.g. with onnxslim) and look for unrolled loops",
    )


def is_countless(model: Any, rules: Rules) -> bool:
    """Whether a list of the model is so long that one should not even go through it once."""
    graph = model.graph
    lists = (graph.input, graph.output, graph.initializer, graph.sparse_initializer, graph.node)
    longest = max(map(len, (*lists, model.functions, model.training_info, model.opset_import)))
    return longest > rules.max_nodes * _PARTS_PER_NODE


class _TooMany(Exception):
    """More parts than anybody counts."""


class Walk:
    """Goes through every graph of a model, without recursion and with an end."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._nodes = 0
        self._parts = 0
        self._local: set[tuple[str, str]] = set()
        self._external: list[str] = []
        self._bad: list[tuple[str, str]] = []
        self._foreign: dict[str, None] = {}
        self._forbidden: dict[str, None] = {}

    def problems(self, model: Any) -> Iterator[Problem]:
        """All problems of the model's content."""
        self._local = {
            (domain_of(f.domain), text_of(f.name)) for f in model.functions[: self._rules.max_nodes]
        }
        try:
            self._walk(model)
        except _TooMany:
            yield too_many(self._rules)
        yield from self._found(len(model.functions))

    def _found(self, functions: int) -> Iterator[Problem]:
        if self._external:
            count = len(self._external)
            yield Problem(
                "external_data_forbidden",
                f"{count} tensor{'s lie' if count > 1 else ' lies'} in another file "
                f"({some(self._external)}); {_ONE_FILE}",
            )
        if functions:
            named = some([name for _, name in sorted(self._local)])
            yield Problem(
                "functions_forbidden",
                f"the model defines functions of its own ({named}); inline them: "
                "onnx.save(onnx.inliner.inline_local_functions(onnx.load(path)), path)",
            )
        if self._foreign:
            yield Problem(
                "domain_forbidden",
                f"the model uses operators that are not allowed here ({some(list(self._foreign))}); allowed "
                f"are those of {', '.join(self._rules.domains)}: export without an execution provider's "
                "optimisations, or rewrite these parts",
            )
        if self._forbidden:
            yield Problem(
                "operator_forbidden",
                f"this challenge takes no models with {some(list(self._forbidden))}; rewrite these parts",
            )
        for name, fault in self._bad[:20]:
            yield Problem("bad_initializer", f"tensor {printable(name)!r} {fault}; export the model again")
        if len(self._bad) > 20:
            yield Problem("bad_initializer", f"{len(self._bad) - 20} more tensors are damaged")

    def _walk(self, model: Any) -> None:
        graphs: list[Any] = [model.graph, *model.functions]
        for training in model.training_info:
            graphs += [training.initialization, training.algorithm]
        while graphs:
            self._count(parts=1)
            graph = graphs.pop()
            self._count(nodes=len(graph.node))
            if hasattr(graph, "initializer"):  # a graph; a function has none
                for tensor in graph.initializer:
                    self._tensor(tensor)
                for sparse in graph.sparse_initializer:
                    self._sparse(sparse)
            for attribute in getattr(graph, "attribute_proto", ()):
                graphs += self._attribute(attribute)
            for node in graph.node:
                self._operator(node)
                for attribute in node.attribute:
                    graphs += self._attribute(attribute)

    def _count(self, *, nodes: int = 0, parts: int = 0) -> None:
        self._nodes += nodes
        self._parts += parts
        most = self._rules.max_nodes
        if self._nodes > most or self._parts > most * _PARTS_PER_NODE:
            raise _TooMany

    def _operator(self, node: Any) -> None:
        domain, name = domain_of(node.domain), text_of(node.op_type)
        if (domain, name) in self._local:
            return
        if domain not in self._rules.domains or name in NEVER:
            self._foreign[f"{domain}.{name}"] = None
        elif name in self._rules.forbidden_ops:
            self._forbidden[name] = None

    def _attribute(self, attribute: Any) -> list[Any]:
        """Look at its tensors; the graphs inside it, which are still to be looked at."""
        tensors, sparse = list(attribute.tensors), list(attribute.sparse_tensors)
        graphs = list(attribute.graphs)
        if attribute.HasField("t"):
            tensors.append(attribute.t)
        if attribute.HasField("sparse_tensor"):
            sparse.append(attribute.sparse_tensor)
        if attribute.HasField("g"):
            graphs.append(attribute.g)
        self._count(parts=1 + len(graphs))
        for tensor in tensors:
            self._tensor(tensor)
        for one in sparse:
            self._sparse(one)
        return graphs

    def _tensor(self, tensor: Any) -> None:
        self._count(parts=1)
        if is_external(tensor):
            self._external.append(text_of(tensor.name) or "a constant")
        elif fault := tensor_fault(tensor):
            self._bad.append((text_of(tensor.name) or "of a constant", fault))

    def _sparse(self, sparse: Any) -> None:
        self._tensor(sparse.values)
        self._tensor(sparse.indices)
        if fault := shape_fault(tuple(sparse.dims), element_bits(sparse.values.data_type)):
            self._bad.append((text_of(sparse.values.name) or "of a constant", fault))
