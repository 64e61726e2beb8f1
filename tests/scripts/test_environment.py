"""`make up` and `make test` on machines that lack something: what they do, what they say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import bootstrap
import environment
import pytest
import steps


@pytest.fixture
def no_venv_module(monkeypatch):
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)


@pytest.fixture
def commands(monkeypatch):
    """The commands that would have run."""
    seen: list[str] = []

    def record(command: list[str], step: str, **_: object) -> str:
        seen.append(" ".join(command))
        return ""

    monkeypatch.setattr(environment, "run", record)
    return seen


PACKAGE = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"


def test_a_missing_venv_module_is_installed_by_root_who_is_told(
    no_venv_module, commands, monkeypatch, capsys
):
    monkeypatch.setattr(environment.shutil, "which", lambda name: "/usr/bin/apt-get")
    monkeypatch.setattr(environment.os, "geteuid", lambda: 0)
    environment.ensure_venv_module()
    assert commands[0] == "/usr/bin/apt-get update"
    assert PACKAGE in commands[1]
    assert f"running: apt-get install -y {PACKAGE}" in capsys.readouterr().out


def test_a_missing_venv_module_names_the_command_for_everybody_else(no_venv_module, commands, monkeypatch):
    monkeypatch.setattr(environment.shutil, "which", lambda name: "/usr/bin/apt-get")
    monkeypatch.setattr(environment.os, "geteuid", lambda: 1000)
    with pytest.raises(steps.SetupFailed, match=f"sudo apt-get install -y {PACKAGE}"):
        environment.ensure_venv_module()
    assert commands == []


def test_without_apt_another_python_is_suggested(no_venv_module, monkeypatch):
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    with pytest.raises(steps.SetupFailed, match="GOAT_PYTHON="):
        environment.ensure_venv_module()


@pytest.fixture
def no_browser(monkeypatch):
    """A machine with apt and without a browser."""
    monkeypatch.delenv("GOAT_CHROMIUM", raising=False)
    monkeypatch.setattr(environment.shutil, "which", {"apt-get": "/usr/bin/apt-get"}.get)


def test_a_missing_browser_is_installed_by_root_who_is_told(no_browser, commands, monkeypatch, capsys):
    monkeypatch.setattr(environment.os, "geteuid", lambda: 0)
    environment.ensure_browser()
    assert commands[0] == "/usr/bin/apt-get update"
    assert commands[1].endswith(" chromium")
    said = capsys.readouterr().out
    assert "the tests need a browser" in said
    assert "running: apt-get install -y chromium" in said


def test_a_missing_browser_names_the_command_for_everybody_else(no_browser, commands, monkeypatch):
    monkeypatch.setattr(environment.os, "geteuid", lambda: 1000)
    with pytest.raises(steps.SetupFailed, match=r"need a browser(.|\n)*sudo apt-get install -y chromium"):
        environment.ensure_browser()
    assert commands == []


def test_without_apt_a_browser_can_be_named(no_browser, commands, monkeypatch):
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    with pytest.raises(steps.SetupFailed, match="GOAT_CHROMIUM="):
        environment.ensure_browser()


def test_a_named_browser_that_is_not_there_is_said(no_browser, commands, monkeypatch):
    monkeypatch.setenv("GOAT_CHROMIUM", "/no/such/chromium")
    with pytest.raises(steps.SetupFailed, match="GOAT_CHROMIUM=/no/such/chromium"):
        environment.ensure_browser()


@pytest.mark.parametrize("name", environment.BROWSERS)
def test_a_browser_that_is_there_is_taken(no_browser, commands, monkeypatch, name):
    monkeypatch.setattr(environment.shutil, "which", {name: f"/usr/bin/{name}"}.get)
    environment.ensure_browser()
    assert commands == []


@pytest.mark.parametrize(("arguments", "looked"), [(["hub"], 0), (["test"], 0), (["test", "browser"], 1)])
def test_only_the_tests_look_for_a_browser(monkeypatch, arguments, looked):
    seen: list[str] = []
    monkeypatch.setattr(environment, "ensure_browser", lambda: seen.append("browser"))
    monkeypatch.setattr(environment, "set_up", seen.append)
    monkeypatch.setattr(sys, "argv", ["environment.py", *arguments])
    assert environment.main() == 0
    assert seen == ["browser"] * looked + arguments[:1]


def test_make_up_does_without_a_browser():
    root = Path(environment.__file__).parents[1]
    steps_of = {
        target: subprocess.run(["make", "-n", "-C", str(root), target], capture_output=True, text=True).stdout
        for target in ("up", "test")
    }
    assert "bootstrap.py test browser" in steps_of["test"]
    assert "browser" not in steps_of["up"]


def test_no_network_is_said_in_one_sentence_and_not_tried_again(tmp_path, monkeypatch):
    # Given an installer that reaches nobody
    monkeypatch.setattr(steps, "LOG", tmp_path / "setup.log")
    program = "print('WARNING: Retrying'); print('ERROR: Network is unreachable'); raise SystemExit(1)"

    # When it is run
    with pytest.raises(steps.SetupFailed) as failure:
        steps.run([sys.executable, "-c", program], "installing", attempts=3)

    # Then the sentence says what to do, and the log has one attempt with its whole output
    assert "No package index could be reached" in str(failure.value)
    assert "WARNING" not in str(failure.value)
    assert (tmp_path / "setup.log").read_text().count("WARNING: Retrying") == 2  # the command and its output


def test_another_failure_is_tried_again_and_then_shows_its_last_words(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(steps, "LOG", tmp_path / "setup.log")
    monkeypatch.setattr(steps.time, "sleep", lambda seconds: None)
    with pytest.raises(steps.SetupFailed, match="the last words"):
        steps.run([sys.executable, "-c", "raise SystemExit('the last words')"], "installing", attempts=2)
    assert "attempt 1 of 2 failed" in capsys.readouterr().out


def test_a_folder_that_is_not_ours_is_never_deleted(tmp_path, monkeypatch):
    # Given something else where the environment should be
    venv = tmp_path / "venv"
    venv.mkdir()
    (venv / "thesis.tex").touch()
    monkeypatch.setattr(environment, "VENV", venv)

    # When the environment is made
    with pytest.raises(steps.SetupFailed, match="no virtual environment"):
        environment.ensure_venv()

    # Then it is still there
    assert (venv / "thesis.tex").exists()


def test_the_stamp_changes_with_what_is_installed(monkeypatch):
    before = environment.digest_of("test")
    assert before == environment.digest_of("test")
    assert before != environment.digest_of("server")
    monkeypatch.setenv(environment.TORCH_ARGS, "--no-index")
    assert before != environment.digest_of("test")


@pytest.mark.parametrize(
    ("wanted", "driver", "chosen"),
    [(None, True, "cpu"), ("gpu", False, "gpu"), ("auto", True, "gpu"), ("auto", False, "cpu")],
)
def test_the_runtime_of_models_is_the_one_named_or_the_one_that_fits(monkeypatch, wanted, driver, chosen):
    monkeypatch.setattr(environment, "has_nvidia_driver", lambda: driver)
    monkeypatch.delenv("GOAT_RUNTIME", raising=False)
    if wanted:
        monkeypatch.setenv("GOAT_RUNTIME", wanted)
    assert environment.runtime() == chosen


def test_another_runtime_is_another_environment(monkeypatch):
    before = environment.digest_of("server")
    monkeypatch.setenv("GOAT_RUNTIME", "gpu")
    assert environment.digest_of("server") != before


def test_an_unknown_runtime_is_said_before_anything_is_installed(monkeypatch, commands, capsys):
    monkeypatch.setenv("GOAT_RUNTIME", "tpu")
    monkeypatch.setattr(sys, "argv", ["environment.py", "server"])
    assert environment.main() == 1
    assert "GOAT_RUNTIME=tpu is none; it is cpu, gpu or auto" in capsys.readouterr().err
    assert commands == []


@pytest.mark.parametrize(
    ("there", "removed"),
    [
        (["onnxruntime==1.31.1"], ["onnxruntime"]),
        (["onnxruntime==1.31.1", "onnxruntime-gpu==1.31.1"], ["onnxruntime", "onnxruntime-gpu"]),
        (["onnxruntime-gpu==1.31.1", "numpy==2"], []),
    ],
    ids=["the other", "both", "this one"],
)
def test_the_other_runtime_leaves_before_one_comes(monkeypatch, commands, there, removed):
    # Both write the same files: installed over each other, neither works
    freeze = subprocess.CompletedProcess([], 0, stdout="\n".join(there))
    monkeypatch.setattr(environment.subprocess, "run", lambda *args, **kwargs: freeze)
    environment.remove_other_runtime("gpu")
    assert [command.split()[6:] for command in commands] == ([removed] if removed else [])


def test_a_python_that_is_too_old_says_which_to_install(monkeypatch):
    monkeypatch.delenv("GOAT_PYTHON", raising=False)
    monkeypatch.setattr(bootstrap, "version_of", lambda command: None)
    with pytest.raises(SystemExit, match=r"Python 3\.11 or newer is needed; python3 here is 3\.9"):
        bootstrap.find_python(current=(3, 9))


def test_a_newer_python_beside_an_old_one_is_found(monkeypatch):
    monkeypatch.delenv("GOAT_PYTHON", raising=False)
    monkeypatch.setattr(bootstrap, "version_of", {"python3.12": (3, 12)}.get)
    assert bootstrap.find_python(current=(3, 9)) == "python3.12"


def test_a_chosen_python_that_does_not_run_is_named(monkeypatch):
    monkeypatch.setenv("GOAT_PYTHON", "/no/such/python")
    with pytest.raises(SystemExit, match="GOAT_PYTHON=/no/such/python does not run"):
        bootstrap.find_python()


def test_make_help_lists_every_target_with_a_line():
    root = Path(environment.__file__).parents[1]
    listing = subprocess.run(["make", "-C", str(root)], capture_output=True, text=True).stdout
    for target in ("up", "test", "check", "soak", "lock", "clean"):
        assert f"make {target} " in listing
