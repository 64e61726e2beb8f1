"""The gate says everything that is wrong with a model file, and opens nothing but that file."""

from __future__ import annotations

import builtins
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from onnx import ModelProto, TensorProto, helper

from goat.readers.onnx_gate import ModelFacts, inspect_model, judge
from goat.readers.onnx_rules import Rules
from tests.goat import onnx_models as models

RULES = Rules(input_shape=models.SHAPE, output_shape=models.ANSWER)
value = models.value


def gate(model: ModelProto | bytes, folder: Path, **rules: object) -> ModelFacts:
    return inspect_model(models.save(model, folder / "model.onnx"), RULES._replace(**rules))


def codes(model: ModelProto | bytes, folder: Path, **rules: object) -> list[str]:
    return [problem.code for problem in gate(model, folder, **rules).problems]


def only(model: ModelProto | bytes, folder: Path, **rules: object) -> tuple[str, str]:
    (problem,) = gate(model, folder, **rules).problems
    return problem.code, problem.message


@pytest.mark.parametrize("batch", ["batch", 1, 4, 32])
def test_a_sound_model_passes_whatever_its_batch(tmp_path: Path, batch: int | str) -> None:
    facts = gate(models.good(batch), tmp_path)
    assert facts.problems == []
    assert (facts.input, facts.output, facts.opset) == ("x", "y", 17)
    assert facts.batch == (batch if isinstance(batch, int) else None)


@pytest.mark.parametrize(
    "model",
    [
        models.weights_as_inputs(),
        models.scaled(2.0, parameters=1000),
        models.with_signature([value("x", (None, *models.SHAPE))], [value("y", None)]),
        models.with_signature([value("x", ("n", *models.SHAPE))], [value("y", ("n", 16, 20))]),
        models.with_signature([value("x", ("n", *models.SHAPE))], [value("y", ("n", "c", "h", "w"))]),
        models.foreign("", "Identity"),
        models.nested(20),
        models.lying_tensor([0]),
    ],
    ids=[
        "weights as inputs",
        "weights",
        "no output shape",
        "no channel",
        "open output",
        "domain",
        "if",
        "empty",
    ],
)
def test_honest_exports_of_all_kinds_pass(tmp_path: Path, model: ModelProto | bytes) -> None:
    assert codes(model, tmp_path) == []


# --- data outside the file ----------------------------------------------------------------------

LOCATIONS = ["/etc/passwd", "/dev/zero", "../canary", "canary", "link", "hard", "*/_ORT_MEM_ADDR_/*", ""]


@pytest.mark.parametrize("make", models.EXTERNAL, ids=lambda make: make.__name__)
@pytest.mark.parametrize("location", LOCATIONS)
def test_data_outside_the_file_is_refused_wherever_it_hides(
    tmp_path: Path, make: Callable[[str], ModelProto], location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given files beside the model that a careless reader would open
    for place in (tmp_path / "canary", tmp_path.parent / "canary"):
        place.write_bytes(b"\0\0\x80?")
    (tmp_path / "link").symlink_to("canary")
    os.link(tmp_path / "canary", tmp_path / "hard")
    path = models.save(make(location), tmp_path / "model.onnx")
    opened: list[str] = []
    real = os.open, builtins.open
    monkeypatch.setattr(os, "open", lambda name, *a, **k: opened.append(str(name)) or real[0](name, *a, **k))
    monkeypatch.setattr(
        builtins, "open", lambda name, *a, **k: opened.append(str(name)) or real[1](name, *a, **k)
    )
    # When it is judged
    problems = inspect_model(path, RULES).problems
    # Then it is refused, and none of them was opened
    assert "external_data_forbidden" in [problem.code for problem in problems]
    assert "external_data=False" in problems[0].message
    assert not any("canary" in name or "link" in name or "hard" in name for name in opened)


def test_external_data_of_many_tensors_is_one_problem(tmp_path: Path) -> None:
    weights = [models.external("model.onnx.data", name=f"w{index}") for index in range(200)]
    code, message = only(models.build([models.mean()], initializers=weights), tmp_path)
    assert code == "external_data_forbidden"
    assert "200 tensors" in message
    assert len(message) < 400


# --- foreign code -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model", [models.functions(), models.recursive_function()], ids=["nested", "recursive"]
)
def test_functions_are_refused_with_the_way_to_inline_them(tmp_path: Path, model: ModelProto) -> None:
    code, message = only(model, tmp_path)
    assert code == "functions_forbidden"
    assert "inline_local_functions" in message


@pytest.mark.parametrize(
    ("domain", "operator"),
    [("com.microsoft", "PyOp"), ("com.microsoft", "EPContext"), ("com.microsoft", "FusedConv"),
     ("ai.onnx.contrib", "BpeTokenizer"), ("evil", "Relu"), ("ai.onnx ", "Relu")],
)  # fmt: skip
def test_operators_of_other_domains_are_refused(tmp_path: Path, domain: str, operator: str) -> None:
    code, message = only(models.foreign(domain, operator), tmp_path)
    assert code == "domain_forbidden"
    assert operator in message


def test_an_organiser_can_allow_com_microsoft_but_not_what_runs_foreign_code(tmp_path: Path) -> None:
    allowed = ("ai.onnx", "com.microsoft")
    assert codes(models.foreign("com.microsoft", "FusedConv"), tmp_path, domains=allowed) == []
    for operator in ("PyOp", "EPContext"):
        assert codes(models.foreign("com.microsoft", operator), tmp_path, domains=allowed) == [
            "domain_forbidden"
        ]


def test_foreign_operators_are_found_inside_branches(tmp_path: Path) -> None:
    assert codes(models.foreign_in_subgraph(), tmp_path) == ["domain_forbidden"]


def test_importing_a_domain_without_using_it_is_fine(tmp_path: Path) -> None:
    assert codes(models.good(domains=["com.microsoft", "com.microsoft.nchwc"]), tmp_path) == []


def test_operators_that_the_challenge_forbids_are_named(tmp_path: Path) -> None:
    assert codes(models.endless(), tmp_path) == []
    code, message = only(models.endless(), tmp_path, forbidden_ops=("Loop", "If"))
    assert (code, "Loop" in message) == ("operator_forbidden", True)


# --- versions, signature ------------------------------------------------------------------------


def test_a_newer_opset_or_format_says_how_to_export(tmp_path: Path) -> None:
    problems = gate(models.good(opset=28, ir_version=14), tmp_path).problems
    assert [problem.code for problem in problems] == ["opset_too_new", "opset_too_new"]
    assert "opset_version=" in problems[0].message
    assert "ir_version = 13" in problems[1].message
    assert codes(models.good(opset=18), tmp_path, opset_max=17) == ["opset_too_new"]


GOOD_IN, GOOD_OUT = value("x", ("n", *models.SHAPE)), value("y", ("n", *models.ANSWER))
C, H, W = models.SHAPE


@pytest.mark.parametrize(
    ("inputs", "outputs", "expected", "says"),
    [
        ([], [GOOD_OUT], "signature_mismatch", "no inputs"),
        ([GOOD_IN, value("z", ("n", 1))], [GOOD_OUT], "signature_mismatch", "2 inputs (x, z)"),
        ([GOOD_IN], [GOOD_OUT, value("z", ("n", 1))], "signature_mismatch", "2 outputs (y, z)"),
        ([value("x", ("n", H, W, C))], [GOOD_OUT], "signature_mismatch", "channels come first"),
        ([value("x", (C, H, W))], [GOOD_OUT], "signature_mismatch", "batch dimension in front"),
        ([value("x", ("n", C, H, W + 1))], [GOOD_OUT], "signature_mismatch", "expected (batch, 3, 16, 20)"),
        ([value("x", (33, C, H, W))], [GOOD_OUT], "signature_mismatch", "between 1 and 32"),
        ([value("x", (0, C, H, W))], [GOOD_OUT], "signature_mismatch", "between 1 and 32"),
        ([value("x", (-1, C, H, W))], [GOOD_OUT], "signature_mismatch", "between 1 and 32"),
        ([GOOD_IN], [value("y", ("n", 2, H, W))], "signature_mismatch", "expected (batch, 1, 16, 20)"),
        ([value("x", ("n", C, "h", "w"))], [GOOD_OUT], "dynamic_shape", "only the first"),
        ([value("x", None)], [GOOD_OUT], "dynamic_shape", "declares no shape"),
        ([value("x", ("n", C, H, W), TensorProto.FLOAT16)], [GOOD_OUT], "wrong_dtype", "keep_io_types"),
        ([value("x", ("n", C, H, W), TensorProto.DOUBLE)], [GOOD_OUT], "wrong_dtype", ".float()"),
        ([value("x", ("n", C, H, W), TensorProto.UINT8)], [GOOD_OUT], "wrong_dtype", "is uint8"),
        ([GOOD_IN], [value("y", ("n", 1, H, W), TensorProto.INT64)], "wrong_dtype", "is int64"),
    ],
)  # fmt: skip
def test_a_wrong_signature_is_told_with_what_is_expected(
    tmp_path: Path, inputs: list, outputs: list, expected: str, says: str
) -> None:
    code, message = only(models.with_signature(inputs, outputs), tmp_path)
    assert code == expected
    assert says in message


def test_an_input_that_is_no_tensor_is_refused(tmp_path: Path) -> None:
    sequence = helper.make_tensor_sequence_value_info("x", models.FLOAT, None)
    assert only(models.with_signature([sequence], [GOOD_OUT]), tmp_path)[0] == "signature_mismatch"


def test_a_chosen_batch_must_be_the_models_if_that_is_fixed(tmp_path: Path) -> None:
    assert codes(models.good(4), tmp_path, batch=4) == []
    assert codes(models.good(), tmp_path, batch=4) == []
    code, message = only(models.good(4), tmp_path, batch=8)
    assert code == "signature_mismatch"
    assert "fixed at 4" in message


def test_all_problems_are_listed_at_once(tmp_path: Path) -> None:
    model = models.two_inputs()
    model.graph.initializer.append(models.external("data"))
    model.graph.node.add(op_type="PyOp", domain="com.microsoft")
    model.opset_import[0].version = 99
    assert codes(model, tmp_path) == [
        "opset_too_new", "external_data_forbidden", "domain_forbidden", "signature_mismatch",
    ]  # fmt: skip


# --- damaged files ------------------------------------------------------------------------------

GOOD = models.good().SerializeToString()


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 64, b"hello, this is no model", GOOD[: len(GOOD) // 2], GOOD[:-1], b"PK\x03\x04rest",
     b"\x80\x04pickle", b"version https://git-lfs.github.com/spec/v1", b"\x1c\0\0\0TFL3" + GOOD,
     ModelProto(ir_version=8).SerializeToString(), models.nested(40), models.nested(2000)],
    ids=["empty", "zeros", "text", "half", "cut", "zip", "pickle", "lfs", "tflite", "bare", "deep", "deeper"],
)  # fmt: skip
def test_what_is_no_model_is_told_so(tmp_path: Path, content: bytes) -> None:
    code, message = only(content, tmp_path)
    assert code == "bad_protobuf"
    assert "torch.onnx.export" in message


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    assert [problem.code for problem in inspect_model(tmp_path, RULES).problems] == ["bad_protobuf"]


def test_a_file_of_two_formats_at_once_is_refused(tmp_path: Path) -> None:
    # Given bytes that are a sound message and, to the runtime's eye, its own flatbuffer format
    marked = b"\x12\x06" + b"aaORTM"  # the field producer_name, so placed that ORTM is at byte 4
    model = models.good()
    model.ClearField("producer_name")
    content = marked + model.SerializeToString()
    assert content[4:8] == b"ORTM"
    assert ModelProto.FromString(content).graph.node
    assert only(content, tmp_path)[0] == "bad_protobuf"


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (models.foreign("evilevil", "Relu"), b"evilevil"),
        (models.foreign("evil", "NoSuchOp"), b"NoSuchOp"),
        (models.external_initializer("data"), b"w"),
        (models.lying_tensor([5]), b"w"),
        (models.good("thebatch"), b"thebatch"),
        (models.recursive_function(), b"mine"),
        (models.with_signature([value("xyzw", (1, 2))], []), b"xyzw"),
    ],
    ids=["domain", "operator", "external", "tensor", "batch", "function", "input"],
)
def test_names_that_are_no_text_are_a_damaged_file(tmp_path: Path, model: ModelProto, name: bytes) -> None:
    content = model.SerializeToString()
    assert name in content
    damaged = content.replace(name, b"\xff" * len(name))
    assert "bad_protobuf" in codes(damaged, tmp_path)


@pytest.mark.parametrize(
    ("dims", "raw", "data_type", "says"),
    [
        ([10**12], b"", 1, "claims to be larger"),
        ([2**62, 4], b"", 1, "claims to be larger"),
        ([-1], b"", 1, "impossible shape"),
        ([1] * 40, b"1234", 1, "impossible shape"),
        ([2, 3], b"1234", 1, "has 4 bytes where its shape (2 × 3, float) means 24"),
        ([1], b"12345678", 1, "has 8 bytes"),
        ([1], b"", 1, "has 0 values"),
        ([1], b"1234", 99, "unknown element type"),
        ([1], b"1234", 0, "unknown element type"),
        ([1], b"1234", 8, "text as raw bytes"),
    ],
)
def test_lying_initialisers_are_found(
    tmp_path: Path, dims: list[int], raw: bytes, data_type: int, says: str
) -> None:
    code, message = only(models.lying_tensor(dims, raw, data_type), tmp_path)
    assert code == "bad_initializer"
    assert says in message


def test_lies_in_constants_and_sparse_tensors_are_found(tmp_path: Path) -> None:
    lie = TensorProto(name="w", data_type=1, dims=[5], raw_data=b"1234")
    node = helper.make_node("Constant", [], ["w"], value=lie)
    assert codes(models.build([node, models.mean()]), tmp_path) == ["bad_initializer"]
    model = models.good()
    sparse = model.graph.sparse_initializer.add(dims=[1 << 40])
    sparse.values.CopyFrom(models.constant("v", [1.0], "float32"))
    sparse.indices.CopyFrom(models.constant("i", [0], "int64"))
    assert codes(model, tmp_path) == ["bad_initializer"]


TYPES = {name: number for name, number in TensorProto.DataType.items() if 0 < number <= 26}
"""Those of the newest opset that the runtime knows."""


@pytest.mark.parametrize("data_type", TYPES.values(), ids=TYPES)
def test_every_element_type_is_read_as_the_library_writes_it(tmp_path: Path, data_type: int) -> None:
    text = data_type == TensorProto.STRING
    tensor = helper.make_tensor("w", data_type, [5], [b"a"] * 5 if text else [1] * 5)
    assert codes(models.build([models.mean()], initializers=[tensor]), tmp_path) == []
    assert tensor_bytes_are_counted(tensor, tmp_path)


def tensor_bytes_are_counted(tensor: TensorProto, folder: Path) -> bool:
    """One value more than the shape says is a lie, in whichever field the values are."""
    tensor.dims[0] = 12
    return codes(models.build([models.mean()], initializers=[tensor]), folder) == ["bad_initializer"]


def test_too_many_nodes_are_counted_and_not_walked(tmp_path: Path) -> None:
    assert codes(models.many_nodes(97), tmp_path, max_nodes=100) == []
    assert codes(models.many_nodes(200), tmp_path, max_nodes=100) == ["too_many_nodes"]


def test_a_node_of_countless_parts_is_refused(tmp_path: Path) -> None:
    model = models.good()
    node = model.graph.node.add(op_type="Identity", input=["x"], output=["u"])
    attribute = node.attribute.add(name="tensors", type=9)
    for _ in range(6000):
        attribute.tensors.add(dims=[0], data_type=1)
    assert codes(model, tmp_path, max_nodes=100) == ["too_many_nodes"]


def test_lists_without_end_are_not_gone_through(tmp_path: Path) -> None:
    for name in ("input", "output", "initializer"):
        model = models.good()
        for _ in range(5001):
            getattr(model.graph, name).add()
        assert codes(model, tmp_path, max_nodes=100) == ["too_many_nodes"]


def test_a_damaged_byte_is_never_an_error_of_ours(tmp_path: Path) -> None:
    # Given every kind of model, damaged in random places
    rng = random.Random(7)
    seeds = [
        models.good(), models.functions(3), models.external_sparse("a"), models.endless(),
        models.two_inputs(), models.external_in_training("b"), models.external_in_subgraph("c"),
        models.scaled(1.0, parameters=9),
    ]  # fmt: skip
    refused = 0
    for turn in range(2000):
        content = bytearray(seeds[turn % len(seeds)].SerializeToString())
        for _ in range(rng.choice((1, 1, 2, 8))):
            content[rng.randrange(len(content))] = rng.randrange(256)
        # When it is judged, Then problems come back, or none, and they can be shown
        found = judge(bytes(content), RULES).problems
        refused += bool(found)
        assert all(problem.message.isprintable() for problem in found)
    assert 1000 < refused < 2000


def test_size_is_judged_to_the_byte_and_before_reading(tmp_path: Path) -> None:
    assert codes(models.padded(1_000_000), tmp_path, max_bytes=1_000_000) == []
    code, message = only(models.padded(1_000_001), tmp_path, max_bytes=1_000_000)
    assert code == "too_large"
    assert "1,000,001 bytes" in message
    huge = tmp_path / "huge.onnx"
    with huge.open("wb") as file:
        file.truncate(100_000_001)
    assert [problem.code for problem in inspect_model(huge, RULES).problems] == ["too_large"]


def test_names_from_the_file_are_safe_to_show(tmp_path: Path) -> None:
    model = models.foreign("\x1b[31mevil\u202e", "<script>")
    model.graph.input[0].name = "x\x07"
    for problem in gate(model, tmp_path).problems:
        assert all(" " <= character <= "~" for character in problem.message)
