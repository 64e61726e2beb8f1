"""The launcher in front of every program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from scoring_service.supervise.config import launch
from tests.scoring_service.supervise.processes import wait_for


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tie a process to its parent")
def test_a_program_dies_with_its_parent():
    # Given a parent with one launched child
    parent_program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen(sys.argv[1:])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", parent_program, *launch("sleep", "60")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        wait_for(lambda: psutil.Process(child).name() == "sleep", "the launcher to become the program")

        # When the parent is killed
        parent.send_signal(signal.SIGKILL)

    # Then the child is gone
    wait_for(lambda: not alive(child), "the child to die")


def test_the_program_replaces_the_launcher_and_gets_its_arguments():
    program = "import os, sys; print(os.getpid(), sys.argv[1])"
    command = launch(sys.executable, "-c", program, "--lock me")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        output, _ = process.communicate()
    assert output.split(maxsplit=1) == [str(process.pid), "--lock me\n"]


def test_a_lock_is_held_for_the_programs_whole_life_and_no_longer(tmp_path):
    lock = tmp_path / "lock"
    first = launch(sys.executable, "-c", "print('in', flush=True); input()", options=("--lock", str(lock)))
    second = launch("true", options=("--lock", str(lock)))
    with subprocess.Popen(first, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()

        refused = subprocess.run(second, capture_output=True, text=True)
        assert refused.returncode == os.EX_TEMPFAIL
        assert "locked" in refused.stderr

        holder.kill()
    assert subprocess.run(second).returncode == 0
