"""What a team can find out about everything else on the machine, tried from its own notebook: nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import hub_config
from tests.hub.site import TEAM_B, Site
from tests.hub.visitor import Kernel, Visitor
from tests.scoring_service.supervise.processes import wait_for

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="users of their own need root; test_enclose has the rest"),
]
PROBE = Path(__file__).with_name("probe.py").read_text()
PROGRAMS = ("queue", "api", "worker", "worker-long", "sweeper", "hub", "proxy", "culler", "keeper")


def facts_about(site: Site) -> dict[str, list[str]]:
    """What an attacker could know at best."""
    home = site.up.home
    everything = list(home.rglob("*"))
    api = f"http://127.0.0.1:{site.hub_port + 1}/hub/api"
    of_hub = ("/users", "/groups", "/proxy", "/services", "/users/admin", "/users/team_awesome/tokens")
    of_service = ("teams", "submissions", "leaderboard/private/task1")
    return {
        "home": str(home),  # type: ignore[dict-item]
        "package": hub_config.__file__,  # type: ignore[dict-item]
        "files": [str(path) for path in everything if path.is_file()],
        "sockets": [str(path) for path in everything if path.is_socket()],
        "processes": [site.up.running(name) for name in PROGRAMS],  # type: ignore[dict-item]
        "closed": [f"http://127.0.0.1:{site.hub_port + 2}/api/routes"],
        "of_hub": [f"{api}{path}" for path in of_hub],
        "of_service": [f"{site.service}/admin/{path}" for path in of_service],
    }


def cell(facts: object) -> str:
    return f"{PROBE}\nprobe(json.loads({json.dumps(facts)!r}))"


def findings(said: str) -> list[list[str]]:
    assert "FOUND " in said, said
    found: list[list[str]] = json.loads(said.partition("FOUND ")[2].splitlines()[0])
    return found


def test_a_notebook_finds_nothing_that_is_not_its_own(site: Site, team_a: Visitor, kernel_b: Kernel) -> None:
    # Given another team at work, with a file of its own, and all our files, sockets and processes
    file = {"type": "file", "format": "text", "content": "secret"}
    assert team_a.server("PUT", "/api/contents/idea.txt", json=file).status_code == 201
    facts = facts_about(site)
    for name in ("idea.txt", "cookie_secret", "goat.sqlite3", "secret_key"):
        assert any(path.endswith(name) for path in facts["files"]), name
    assert {Path(path).name for path in facts["sockets"]} >= {"queue.sock", "supervisor.sock"}

    # When a team tries everything from its notebook, then it finds nothing
    assert findings(kernel_b.run(cell(facts))) == []


def test_the_probes_would_find_something_where_nothing_is_hidden(site: Site, tmp_path: Path) -> None:
    # A check that cannot fail checks nothing: as the organiser's own user, the same probes find a lot.
    facts = facts_about(site) | {"sockets": [], "processes": []}  # do no harm
    environ = {"HOME": str(tmp_path), "JUPYTERHUB_API_TOKEN": "none", "PATH": os.defpath}
    result = subprocess.run(
        [sys.executable, "-c", cell(facts)], env=environ, capture_output=True, text=True, timeout=60
    )
    assert len(findings(result.stdout + result.stderr)) > 10


def test_kernels_have_no_ports_that_others_could_listen_to(kernel_a: Kernel) -> None:
    kernel_a.run("import json; from ipykernel.connect import get_connection_file")
    said = kernel_a.run("print(json.load(open(get_connection_file()))['transport'])")
    assert said.strip() == "ipc"


def test_what_a_team_leaves_running_ends_with_its_server(site: Site) -> None:
    # Given a team that starts what survives its kernel
    visitor = site.visitor(TEAM_B)
    visitor.start_server()
    kernel = visitor.kernel()
    stubborn = """['setsid', 'sh', '-c', 'trap "" TERM INT HUP; sleep 61']"""
    kernel.run(f"import subprocess; process = subprocess.Popen({stubborn})")
    kernel.close()
    number = json.loads((site.up.home / "hub/uids.json").read_text())[TEAM_B.lower()]
    wait_for(lambda: ["sleep", "61"] in commands_of(number), "the stubborn process")

    # When its server is stopped, then all of it ends
    assert visitor.api("DELETE", "/users/team-b/server").status_code in (202, 204)
    wait_for(lambda: not commands_of(number), "the end of everything that the team ran")
    visitor.start_server()


def commands_of(user: int) -> list[list[str]]:
    """The command lines of a user's living processes."""
    living = psutil.process_iter(["uids", "cmdline", "status"])
    return [
        p.info["cmdline"]
        for p in living
        if p.info["uids"] and p.info["uids"].real == user and p.info["status"] != psutil.STATUS_ZOMBIE
    ]
