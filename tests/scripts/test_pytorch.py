"""PyTorch comes by itself where it is small, and gigabytes never come unasked."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch
import steps

# What pip's report says of torch 2.13.0, shortened: from PyPI's metadata, and of the CPU build.
COMMON = ["filelock", "sympy>=1.13.3", 'pyyaml; extra == "pyyaml"']
LARGE = [
    *COMMON,
    f'cuda-toolkit[cublas,cudart]==13.0.3; sys_platform == "{sys.platform}"',
    f'nvidia-cudnn-cu13==9.20.0.48; sys_platform == "{sys.platform}"',
    f'triton==3.7.1; sys_platform == "{sys.platform}" and python_version < "3.99"',
]
ELSEWHERE = [*COMMON, 'nvidia-cudnn-cu13==9.20.0.48; sys_platform == "somewhere else"']

Machine = Callable[..., list[str]]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine whose pip would take a build with these needs; the steps that run on it."""
    monkeypatch.setattr(pytorch, "STAMPS", tmp_path)
    monkeypatch.setattr(pytorch, "STAMP", tmp_path / "torch.stamp")
    monkeypatch.setattr(pytorch, "VENV", tmp_path)
    monkeypatch.setattr(pytorch, "_python", lambda: sys.executable)
    for name in (pytorch.WISH, pytorch.PIP_ARGS):
        monkeypatch.delenv(name, raising=False)
    seen: list[str] = []
    real_run = pytorch.run

    def with_needs(needs: list[str] | None, *, failing: str = "") -> list[str]:
        def run(command: list[str], step: str, **options: object) -> str:
            seen.append(step if "uv" not in Path(command[0]).name else f"{step} with uv")
            if failing and failing in seen[-1]:
                raise steps.SetupFailed("no luck")
            if "--report" in command:
                if needs is None:
                    raise steps.SetupFailed("no index")
                report = {"install": [{"metadata": {"name": "torch", "requires_dist": needs}}]}
                Path(command[command.index("--report") + 1]).write_text(json.dumps(report))
                return ""
            if step == "reading what it needs":
                return real_run(command, step)
            if "installing PyTorch" in step:
                (tmp_path / "lib/python3/site-packages/torch").mkdir(parents=True, exist_ok=True)
                (tmp_path / "lib/python3/site-packages/torch/version.py").touch()
            return "2.13.0"

        monkeypatch.setattr(pytorch, "run", run)
        return seen

    return with_needs


def ensure(seen: list[str], *, needed: bool = False) -> list[str]:
    """What is done for the notebooks, without the asking."""
    seen.clear()
    pytorch.ensure(seen.extend, needed=needed)
    return [step for step in seen if step not in ("asking pip for PyTorch", "reading what it needs")]


@pytest.mark.parametrize("needs", [COMMON, ELSEWHERE])
def test_a_small_build_comes_by_itself_and_only_once(machine: Machine, needs: list[str]) -> None:
    # When the environment is made, then pip's build comes, after what is pinned with hashes
    seen = machine(needs)
    assert ensure(seen) == ["notebook.txt", "installing PyTorch", "trying PyTorch"]
    # And the second time nothing is asked or installed
    assert ensure(seen) == []
    assert seen == []


def test_a_build_that_was_thrown_away_comes_back(machine: Machine, tmp_path: Path) -> None:
    seen = machine(COMMON)
    ensure(seen)
    (tmp_path / "lib/python3/site-packages/torch/version.py").unlink()
    assert "installing PyTorch" in ensure(seen)


def test_where_pip_would_bring_gigabytes_the_cpu_build_comes(machine: Machine) -> None:
    assert ensure(machine(LARGE)) == ["notebook.txt", "installing PyTorch with uv", "trying PyTorch"]


def test_gigabytes_never_come_unasked(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a pip that takes the build for GPUs, and no CPU build within reach
    seen = machine(LARGE, failing="with uv")

    # Then it is left out, in a sentence that says what to do, now and at every start, without asking again
    for asked in (True, False):
        assert "installing PyTorch" not in ensure(seen)
        assert bool(seen) is asked
        said = capsys.readouterr().out
        assert "several gigabytes" in said
        assert "GOAT_WITH_TORCH=1" in said
        assert "GOAT_TORCH_PIP_ARGS" in said

    # The tests cannot do without it: there it is an error
    with pytest.raises(steps.SetupFailed, match="several gigabytes"):
        ensure(seen, needed=True)

    # And who asks for it gets it
    monkeypatch.setenv(pytorch.WISH, "1")
    assert "installing PyTorch" in ensure(seen)


def test_without_a_network_everything_else_goes_on(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    # When no index answers, then it is said, and the next start asks again
    seen = machine(None)
    for _ in range(2):
        assert ensure(seen) == []
        assert seen == ["asking pip for PyTorch"]
        assert "PyTorch was left out" in capsys.readouterr().out
    # When the download breaks, likewise; later it comes
    seen = machine(COMMON, failing="installing")
    ensure(seen)
    assert "no luck" in capsys.readouterr().out
    assert "trying PyTorch" in ensure(machine(COMMON))


def test_who_declines_it_is_not_asked(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pytorch.WISH, "0")
    seen = machine(COMMON)
    assert ensure(seen, needed=True) == []
    assert seen == []


def test_a_wish_that_cannot_be_read_is_said(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pytorch.WISH, "yes please")
    with pytest.raises(steps.SetupFailed, match="auto, 1"):
        ensure(machine(COMMON))


@pytest.mark.parametrize("wish", ["auto", "1"])
def test_arguments_that_cannot_be_read_are_said_before_anything_is_asked(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, wish: str
) -> None:
    seen = machine(COMMON)
    monkeypatch.setenv(pytorch.WISH, wish)
    monkeypatch.setenv(pytorch.PIP_ARGS, "--index-url 'https://pytorch")
    with pytest.raises(steps.SetupFailed, match=r"cannot be read: No closing quotation\. Write it as"):
        ensure(seen)
    assert seen == []


@pytest.mark.parametrize("variable", [pytorch.PIP_ARGS, pytorch.WISH])
def test_another_wish_is_another_installation(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    seen = machine(COMMON)
    ensure(seen)
    monkeypatch.setenv(variable, "1" if variable == pytorch.WISH else "--no-index")
    assert "installing PyTorch" in ensure(seen)
