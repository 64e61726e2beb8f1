"""One run per GOAT_HOME."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from scoring_service.supervise.lock import AlreadyRunning, HomeLock


def test_a_second_holder_learns_who_is_first(tmp_path):
    with HomeLock(tmp_path, url="http://x"), pytest.raises(AlreadyRunning) as refusal:
        HomeLock(tmp_path).__enter__()
    assert refusal.value.holder == {"pid": os.getpid(), "url": "http://x"}


def test_after_a_clean_end_the_next_one_finds_no_traces(tmp_path):
    with HomeLock(tmp_path):
        pass
    with HomeLock(tmp_path) as lock:
        assert lock.crashed is None


def test_after_a_crash_the_next_one_takes_over_and_knows(tmp_path):
    # Given a holder that is killed
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from scoring_service.supervise.lock import HomeLock\n"
        "with HomeLock(Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        holder.send_signal(signal.SIGKILL)

    # Then the lock is free, and the new holder knows whose it was
    with HomeLock(tmp_path) as lock:
        assert lock.crashed == {"pid": holder.pid}


def test_a_damaged_lock_file_is_taken_over(tmp_path):
    (tmp_path / "up.lock").write_text("\x00 not json")
    with HomeLock(tmp_path) as lock:
        assert lock.crashed == {"pid": "unknown"}
