"""What goes wrong while a model is loaded or run: a typed verdict each, and the next one runs at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from onnx import ModelProto

from goat.errors import MissingPackage, Rejection
from goat.kinds import local
from goat.kinds.base import InlineRunner, Limits
from goat.kinds.local import LocalRunner
from goat.kinds.onnx import runtime, session
from goat.kinds.onnx.session import Job, Ran, run_model
from goat.readers.pt_writer import write_pt
from scoring_service.evaluation.runner import ChildRunner, EvaluatorFault, ForkServer, Stopped
from tests.goat import onnx_models as models
from tests.goat.kinds.onnx_challenges import Challenge, make_challenge


@pytest.fixture(scope="module")
def challenge(tmp_path_factory: pytest.TempPathFactory) -> Challenge:
    return make_challenge(tmp_path_factory.mktemp("depth"), memory_mb=600)


def next_one_runs(challenge: Challenge, runner: ChildRunner) -> None:
    assert challenge.evaluate(models.good(), runner=runner).scores["sample"]["accuracy"].value == 1.0


@pytest.mark.parametrize("bomb", models.BOMBS, ids=lambda bomb: bomb.__name__)
def test_memory_bombs_meet_the_memory_limit(
    challenge: Challenge, child: ChildRunner, bomb: Callable[[], ModelProto]
) -> None:
    model = bomb()
    assert len(model.SerializeToString()) < 5000
    rejection = challenge.verdict(model, runner=child)
    assert rejection.verdict == "memory_limit"
    assert "600 MB" in str(rejection)
    assert child.peak_bytes < 900 << 20
    next_one_runs(challenge, child)


def test_the_smallest_bomb_is_smaller_than_a_message(challenge: Challenge, child: ChildRunner) -> None:
    model = models.constant_of_shape()
    assert len(model.SerializeToString()) < 400
    assert challenge.verdict(model, runner=child).verdict == "memory_limit"


def test_an_endless_loop_meets_the_time_limit(tmp_path: Path, child: ChildRunner) -> None:
    challenge = make_challenge(tmp_path, time_limit_s=2)
    started = time.monotonic()
    rejection = challenge.verdict(models.endless(), runner=child)
    assert rejection.verdict == "time_limit"
    assert "2 s" in str(rejection)
    assert time.monotonic() - started < 30
    next_one_runs(challenge, child)


@pytest.mark.parametrize(
    ("model", "code", "says"),
    [
        (models.not_a_number(), "non_finite", "NaN"),
        (models.random_answers(), "non_deterministic", ".eval()"),
        (models.hard_coded_batch(), "run_failed", "batch_size=1"),
        (models.lying_output(), "signature_mismatch", "(2, 2, 16, 20) float32, expected (2, 1, 16, 20)"),
        (models.broken_graph(), "load_failed", "nowhere"),
        (models.foreign("", "NoSuchOperator"), "not_supported", "NoSuchOperator"),
        (models.unsupported(), "not_supported", "Sigmoid"),
        (models.badly_typed(), "load_failed", "Atanh"),
        (models.half(), "wrong_dtype", "keep_io_types"),
        (b"no model", "bad_protobuf", "torch.onnx.export"),
        (models.external_initializer("canary"), "external_data_forbidden", "external_data=False"),
        (models.recursive_function(), "functions_forbidden", "inline"),
        (models.foreign("com.microsoft", "PyOp"), "domain_forbidden", "PyOp"),
        (models.lying_tensor([10**12]), "bad_initializer", "claims"),
        (models.good(opset=28), "opset_too_new", "28"),
        (models.good(4), "signature_mismatch", "fixed at 4"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
)
def test_each_fault_has_its_code_and_a_sentence(
    challenge: Challenge, child: ChildRunner, model: ModelProto | bytes, code: str, says: str
) -> None:
    rejection = challenge.verdict(model, runner=child, batch_size=2)
    assert rejection.verdict == code
    assert says in str(rejection)
    assert "onnxruntime_src" not in str(rejection)
    next_one_runs(challenge, child)


def test_a_model_that_is_only_good_alone_is_scored_as_it_runs(
    challenge: Challenge, child: ChildRunner
) -> None:
    # Given a model that gives zeros to every batch but one of a single sample
    alone = challenge.evaluate(models.good_alone_only(), runner=child, batch_size=1).scores["sample"]
    together = challenge.evaluate(models.good_alone_only(), runner=child, batch_size=3).scores["sample"]
    # Then speed and accuracy come from the same calls: nobody gets one of a batch, the other of another
    assert alone["accuracy"].value == 1.0
    assert together["accuracy"].value < 0.5


def test_an_enormous_constant_does_not_hide_other_answers_in_timed_calls(
    tmp_path: Path, child: ChildRunner
) -> None:
    # Given classes, and a model that names the right one for as long as its random operator says so
    challenge = make_challenge(
        tmp_path, output={"shape": [17]}, metric="top1", accuracy="", formula="top1", domains={}, passes=400,
        truth=lambda image: np.array(int(image.mean(axis=(0, 2)).argmax()), np.int64),
    )  # fmt: skip
    rejection = challenge.verdict(models.honest_at_first(30), runner=child)
    assert rejection.verdict == "non_deterministic"


def test_more_threads_are_given_where_the_event_says_so(tmp_path: Path, child: ChildRunner) -> None:
    challenge = make_challenge(tmp_path, threads=2)
    outcome = challenge.evaluate(models.slow(), runner=child, batch_size=3)
    assert outcome.machine["threads"] == 2
    assert outcome.scores["sample"]["accuracy"].value == 1.0


def test_a_model_that_ends_the_runtime_is_a_verdict(challenge: Challenge, child: ChildRunner) -> None:
    assert challenge.verdict(models.crashing(), runner=child).verdict == "model_crashed"
    next_one_runs(challenge, child)


def test_and_leaves_the_notebooks_kernel_alone(challenge: Challenge) -> None:
    assert challenge.verdict(models.crashing()).verdict == "model_crashed"


def crash(job: Job) -> Ran:
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError


def forge_times(job: Job) -> Ran:
    return Ran(1, [float("nan")] * job.passes, "CPUExecutionProvider", "1", {})


def answer_nothing_finite(job: Job) -> Ran:
    with open(job.answers, "r+b") as file:
        file.write(b"\xff" * os.path.getsize(job.answers))
    return Ran(1, [1e-12] * job.passes, "CPUExecutionProvider", "1", {})


def test_a_crash_of_the_runtime_is_a_verdict(
    challenge: Challenge, child: ChildRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    from goat.kinds import onnx_inference

    with monkeypatch.context() as patch:
        patch.setattr(onnx_inference, "run_model", crash)
        rejection = challenge.verdict(models.good(), runner=child)
    assert rejection.verdict == "model_crashed"
    assert "crashed" in str(rejection)
    next_one_runs(challenge, child)


def test_a_child_that_was_taken_over_can_only_hurt_itself(
    challenge: Challenge, child: ChildRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    from goat.kinds import onnx_inference

    for function, code in ((forge_times, "model_crashed"), (answer_nothing_finite, "non_finite")):
        monkeypatch.setattr(onnx_inference, "run_model", function)
        runner = InlineRunner() if function is answer_nothing_finite else child
        assert challenge.verdict(models.good(), runner=runner).verdict == code


HONEST = Ran(1, [1e-12] * 20, "CPUExecutionProvider", "1.31.1", {"gate": 0.1})


@pytest.mark.parametrize(
    "lie",
    [
        HONEST._replace(seconds=[1e9] * 20),
        HONEST._replace(seconds=[0.0] * 20),
        HONEST._replace(provider="TensorrtExecutionProvider"),
        HONEST._replace(runtime="1\0" * 1_000_000),
        HONEST._replace(stages={"x" * 1_000_000: 1.0}),
        HONEST._replace(stages={"gate": -1.0}),
    ],
    ids=["slower than the call", "no time", "provider", "runtime", "stage", "negative stage"],
)
def test_whatever_a_child_lies_about_is_its_own_crash_and_never_stored(
    challenge: Challenge, monkeypatch: pytest.MonkeyPatch, lie: Ran
) -> None:
    from goat.kinds import onnx_inference

    told = [HONEST, lie]
    monkeypatch.setattr(onnx_inference, "run_model", lambda job: told.pop(0))
    challenge.evaluate(models.good(), runner=InlineRunner())
    assert challenge.verdict(models.good(), runner=InlineRunner()).verdict == "model_crashed"


def cut_answers(job: Job) -> Ran:
    os.truncate(job.answers, 0)
    return HONEST


def replace_answers_by_a_pipe(job: Job) -> Ran:
    os.unlink(job.answers)
    os.mkfifo(job.answers)
    return HONEST


def replace_answers_by_other_data(job: Job) -> Ran:
    size = os.path.getsize(job.answers)
    os.unlink(job.answers)
    Path(job.empty, "other").write_bytes(b"\xff" * size)  # not finite
    os.symlink(Path(job.empty, "other"), job.answers)
    return HONEST


def test_the_file_of_answers_stays_the_one_that_was_made(
    challenge: Challenge, child: ChildRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    from goat.kinds import onnx_inference

    monkeypatch.setattr(onnx_inference, "run_model", cut_answers)
    assert challenge.verdict(models.good(), runner=child).verdict == "model_crashed"
    for function in (replace_answers_by_a_pipe, replace_answers_by_other_data):
        monkeypatch.setattr(onnx_inference, "run_model", function)
        outcome = challenge.evaluate(models.good(), runner=InlineRunner())
        assert outcome.scores["sample"]["depth_rmse"].value > 0  # the zeros that were reserved


def test_memory_that_a_refused_model_still_holds_is_no_fault_of_the_machine(
    challenge: Challenge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_session(content: bytes, *_args: object, **_keywords: object) -> None:
        raise RuntimeError("std::bad_alloc" if content == runtime.canary() else "this graph is wrong")

    monkeypatch.setattr(session, "open_session", open_session)
    with pytest.raises(MemoryError):
        challenge.evaluate(models.good(), runner=InlineRunner())


def test_a_running_evaluation_is_abandoned_when_asked(tmp_path: Path, fork_server: ForkServer) -> None:
    challenge = make_challenge(tmp_path)
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    with pytest.raises(Stopped):
        challenge.evaluate(models.endless(), runner=ChildRunner(fork_server, stop))
    assert psutil.Process(fork_server.pid).children(recursive=True) == []
    next_one_runs(challenge, ChildRunner(fork_server))


def test_nothing_stays_behind(tmp_path: Path, child: ChildRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    challenge = make_challenge(tmp_path / "data")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    before = set(tmp_path.iterdir())
    challenge.evaluate(models.good(), runner=child)
    challenge.verdict(models.not_a_number(), runner=child)
    challenge.evaluate(models.good(), runner=LocalRunner())
    assert set(tmp_path.iterdir()) == before


def test_the_child_gets_no_truth(challenge: Challenge, monkeypatch: pytest.MonkeyPatch) -> None:
    class Spy(InlineRunner):
        jobs: list[Job] = []  # noqa: RUF012  # of this test alone

        def call(self, function, *args, limits: Limits):  # type: ignore[no-untyped-def]
            self.jobs += args
            return super().call(function, *args, limits=limits)

    challenge.evaluate(models.good(), "ranked", runner=Spy())
    (job,) = Spy.jobs
    assert not any(word in repr(job) for word in ("truth", "public", "private"))
    assert Path(job.inputs) == challenge.part("eval") / "inputs"


def test_one_child_does_it_all(challenge: Challenge, fork_server: ForkServer) -> None:
    class Counting(ChildRunner):
        calls = 0

        def call(self, *args, **keywords):  # type: ignore[no-untyped-def]
            Counting.calls += 1
            return super().call(*args, **keywords)

    challenge.evaluate(models.good(), "ranked", runner=Counting(fork_server))
    assert Counting.calls == 1


# --- on a participant's own machine -------------------------------------------------------------


def end_by_itself(limits: Limits) -> int:
    os._exit(3)


def sleep_long(seconds: float) -> int:
    time.sleep(seconds)
    return 1


def test_a_crash_leaves_the_notebooks_kernel_alone() -> None:
    with pytest.raises(Rejection) as caught:
        LocalRunner().call(end_by_itself, Limits(), limits=Limits())
    assert caught.value.verdict == "crashed"


def test_a_local_run_that_never_ends_is_ended() -> None:
    with pytest.raises(Rejection) as caught:
        LocalRunner().call(sleep_long, 60.0, limits=Limits(wall_s=0.5))
    assert caught.value.verdict == "time_limit"


def test_a_local_memory_bomb_is_told_like_the_services(challenge: Challenge) -> None:
    assert challenge.verdict(models.constant_of_shape()).verdict == "memory_limit"


def fail(why: str) -> int:
    raise ValueError(why)


def test_a_fault_of_ours_is_no_verdict_here_either() -> None:
    with pytest.raises(RuntimeError, match="ValueError: why"):
        LocalRunner().call(fail, "why", limits=Limits())


def test_a_gpu_challenge_runs_on_the_cpu_of_a_laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_NVIDIA", str(tmp_path / "nothing"))
    monkeypatch.setattr("shutil.which", lambda name: None)
    challenge = make_challenge(tmp_path, device="gpu")
    assert challenge.evaluate(models.good()).machine["device"] == "cpu"


def test_the_service_never_gives_a_gpu_challenge_to_the_cpu(
    tmp_path: Path, child: ChildRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a machine without the GPU's package or driver, a GPU challenge ends as our fault: no score
    challenge = make_challenge(tmp_path, device="gpu")
    with pytest.raises(EvaluatorFault, match="CUDAExecutionProvider"):
        challenge.evaluate(models.good(), runner=child)
    # and so it does where the build knows the provider and the driver is missing
    monkeypatch.setattr(session, "require_provider", lambda device: None)
    with pytest.raises(Exception, match=r"fallback to CPU EP|CUDAExecutionProvider") as caught:
        challenge.evaluate(models.good(), runner=InlineRunner())
    assert not isinstance(caught.value, Rejection)


def test_two_runtimes_in_one_environment_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "installed", lambda name: True)
    with pytest.raises(MissingPackage, match="break each other"):
        runtime.require_runtime("cpu")


def test_a_missing_runtime_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match=r'pip install "mls-goat\[cpu\]"'):
        runtime.require_runtime("cpu")
    with pytest.raises(MissingPackage, match=r'pip install "mls-goat\[gpu\]"'):
        runtime.require_runtime("gpu")


def test_inputs_that_the_organiser_broke_are_no_verdict(tmp_path: Path, child: ChildRunner) -> None:
    challenge = make_challenge(tmp_path)
    name = challenge.config.names("test")[1]
    write_pt(challenge.part("sample") / "inputs" / name, np.zeros((3, 5, 5), np.float32))
    with pytest.raises(EvaluatorFault, match="shape"):
        challenge.evaluate(models.good(), runner=child)
    (challenge.part("sample") / "inputs" / name).write_bytes(b"no tensor")
    with pytest.raises(EvaluatorFault, match="cannot be read"):
        challenge.evaluate(models.good(), runner=child)


def test_running_twice_gives_the_same_accuracy(challenge: Challenge, child: ChildRunner) -> None:
    first, second = (challenge.evaluate(models.scaled(-0.4), "ranked", runner=child) for _ in range(2))
    for split in first.scores:
        assert first.scores[split]["depth_rmse"] == second.scores[split]["depth_rmse"]


def test_run_model_leaves_the_folder_it_came_from(challenge: Challenge) -> None:
    before = Path.cwd()
    challenge.evaluate(models.good(), runner=InlineRunner())
    assert Path.cwd() == before
    assert run_model.__module__ == "goat.kinds.onnx.session"
