"""A team that takes too much memory loses its biggest process, and reads why in the cell."""

from __future__ import annotations

import json

import pytest

from tests.hub.site import MEMORY, Site
from tests.hub.visitor import Kernel, Visitor

pytestmark = pytest.mark.timeout(300)
PIECE = MEMORY // 4

HOLD = f"""
import subprocess, sys, time
code = "import time; held = b'x' * {PIECE}; print('held', flush=True); time.sleep(60)"
def hold():
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    process.stdout.readline()
    return process
"""
MANY = f"""{HOLD}
several = [hold() for _ in range(5)]
deadline = time.monotonic() + 30
while all(p.poll() is None for p in several) and time.monotonic() < deadline:
    time.sleep(0.1)
time.sleep(2)
print("alive", sum(p.poll() is None for p in several))
[p.kill() for p in several]
"""
ITSELF = f"{HOLD}\nmine = b'x' * {2 * PIECE}\nseveral = [hold() for _ in range(2)]\ntime.sleep(60)"


def test_several_processes_together_are_held_to_the_teams_limit(kernel_b: Kernel) -> None:
    # When a cell starts processes each of which is within the limit, and all of which are not
    said = kernel_b.run(MANY)

    # Then the biggest ends, the others and the kernel live, and the cell says why
    assert "Stopped for want of memory" in said
    assert " (0.35 GB)" in said
    assert "1.4 GB that a team may use" in said
    assert "alive 5" not in said
    assert kernel_b.run("print(1 + 1)").strip() == "2"


def test_a_kernel_that_is_stopped_says_why_before_it_starts_again(kernel_b: Kernel) -> None:
    # When the kernel itself is the biggest
    kernel_b.send(ITSELF)
    texts, states = [], []
    while "restarting" not in states:
        reply = json.loads(kernel_b.receive())
        texts.append(reply["content"].get("text", ""))
        states.append(reply["content"].get("execution_state", ""))

    # Then the sentence is under the cell, and then it starts again
    assert any("Stopped for want of memory" in text for text in texts)


def test_one_process_that_asks_for_too_much_gets_an_error_in_its_cell(kernel_b: Kernel) -> None:
    assert "MemoryError" in kernel_b.run(f"held = b'x' * {MEMORY}")
    assert kernel_b.run("print(1 + 1)").strip() == "2"


def test_other_teams_notice_nothing(site: Site, team_a: Visitor, kernel_b: Kernel) -> None:
    kernel_b.run(MANY)
    assert team_a.api("GET", "/users/team_awesome").json()["servers"][""]["ready"]
    assert not (site.up.home / "hub/teams/team_awesome/.notices.log").exists()
    assert "1.4 GB per team" in site.up.output
