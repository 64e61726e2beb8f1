"""Without a container engine: the same commands, settings and health checks, run as plain processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.deployment.compose import services
from tests.deployment.fake_engine import FakeEngine
from tests.deployment.plain import Machine, postgres
from tests.hub.visitor import Visitor
from tests.scoring_service.supervise.processes import wait_for

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """Everything up to the API, in the order that the file's ``depends_on`` asks for."""
    with tempfile.TemporaryDirectory(prefix="goat-compose-") as folder:
        found = Machine(Path(folder).resolve())
        try:
            with postgres(found):
                assert found.is_healthy("postgres")
                found.start("redis")
                wait_for(lambda: found.is_healthy("redis"), "the queue server")
                found.run("init")
                for name in ("api", "sweeper", "worker"):
                    found.start(name)
                for name in ("api", "sweeper", "worker"):
                    wait_for(lambda name=name: found.is_healthy(name), name)
                yield found
                found.close()
        finally:
            found.close()


def team_command(machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
    folder = machine.folder / "laptop"
    folder.mkdir(exist_ok=True)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GOAT_")},
        "XDG_CONFIG_HOME": str(folder / "config"),
        "GOAT_CACHE": str(folder / "cache"),
        "GOAT_URL": machine.url,
        "GOAT_PASSWORD": machine.secret("demo_password"),
    }
    command = [sys.executable, "-m", "goat", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def submit(machine: Machine) -> str:
    """A team logs in, makes a first answer and submits it; what the board says then."""
    for arguments in (
        ("login", "--team", "team_awesome"),
        ("baseline", "answers"),
        ("submit", "answers"),
        ("board",),
    ):
        result = team_command(machine, *arguments)
        assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_a_team_submits_and_gets_a_score(machine):
    assert "team_awesome" in submit(machine)


def test_passwords_come_from_the_secrets_and_are_never_shown(machine):
    for name, secret in (("admin", "admin_password"), ("team_awesome", "demo_password")):
        body = {"name": name, "password": machine.secret(secret)}
        assert httpx.post(f"{machine.url}/auth/login", json=body).status_code == 200
    said = "".join(machine.log(name) for name in (*services(), "init"))
    assert "admin: password in" in said
    for secret in machine.secrets.iterdir():
        assert secret.read_text().strip() not in said, secret.name


def test_database_and_queue_ask_for_their_passwords(machine):
    wrong = machine.folder / "wrong"
    wrong.mkdir()
    for secret in machine.secrets.iterdir():
        (wrong / secret.name).write_text("not the password")
    environment = machine.environment("worker")
    refused = subprocess.run(
        machine.command("init"),
        env={**environment, "GOAT_SECRETS": str(wrong)},
        capture_output=True,
        text=True,
    )
    assert refused.returncode != 0
    assert "password authentication failed" in refused.stderr
    redis = ["sh", "-c", f"REDISCLI_AUTH=wrong {machine.folder}/bin/valkey-cli ping"]
    assert subprocess.run(redis, capture_output=True).returncode != 0


def test_init_again_changes_nothing(machine):
    again = subprocess.run(
        machine.command("init"), env=machine.environment("init"), capture_output=True, text=True
    )
    assert again.returncode == 0, again.stderr
    assert "created" not in again.stdout
    assert again.stdout.splitlines()[-1] == "ready"


def test_workers_only_read_what_is_mounted_read_only_for_them(machine):
    # Given a scored submission, and every file and folder of the volume but the sweeper's own
    submit(machine)
    home = machine.folder / "home"

    def seen() -> dict[str, int]:
        everything = [home, *(path for path in home.rglob("*") if path.relative_to(home).parts[0] != "run")]
        return {str(path): path.stat().st_mtime_ns for path in everything}

    before, scored = seen(), machine.log("worker").count("scored in")

    # When a worker stops, another starts, and scores the submission again
    machine.stop("worker")
    machine.start("worker")
    again = ["goat-server", "rejudge", "task1"]
    assert subprocess.run(again, env=machine.environment("init")).returncode == 0
    wait_for(lambda: machine.log("worker").count("scored in") > scored, "the new score")

    # Then neither has written anything there, not even for a moment
    assert seen() == before


def test_every_lane_of_a_machine_without_gpu_has_a_healthy_worker(machine):
    for name in ("worker-long", "worker-cpu"):
        machine.start(name)
        wait_for(lambda name=name: "is ready" in machine.log(name), name)
        assert machine.is_healthy(name)
        machine.stop(name)


def test_a_killed_worker_is_unhealthy_and_a_new_one_healthy_again(machine):
    # When the worker dies without a word
    machine.stop("worker", signal.SIGKILL)

    # Then its health check says so as soon as its last word is old, and where to look
    wait_for(lambda: machine.health("worker").returncode != 0, "the check to notice")
    result = machine.health("worker")
    assert "see its log" in result.stderr

    # When it is started again, as the engine would
    machine.start("worker")
    wait_for(lambda: machine.is_healthy("worker"), "the new worker")

    # Then one that stops in good order is known to be gone at once
    machine.stop("worker")
    assert machine.health("worker").returncode != 0
    machine.start("worker")
    wait_for(lambda: machine.is_healthy("worker"), "the new worker")


def test_health_checks_fail_for_what_does_not_run(machine):
    for name in ("api", "sweeper", "redis"):
        machine.stop(name, signal.SIGKILL)
        wait_for(lambda name=name: machine.health(name).returncode != 0, f"no health of {name}")
        assert "Traceback" not in machine.health(name).stderr
        machine.start(name)
        wait_for(lambda name=name: machine.is_healthy(name), f"{name} again")


def test_a_team_works_in_a_container_of_its_own_behind_the_gate(machine):
    # Given the hub's services and an engine whose containers are processes
    image = services()["notebook"]["image"]
    engine = FakeEngine(machine.folder / "docker.sock", image=image, homes=machine.folder / "teams")
    visitor = Visitor(f"http://127.0.0.1:{machine.hub_port}")
    try:
        for name in ("engine", "proxy", "hub", "culler"):
            machine.start(name)
        for name in ("engine", "proxy", "hub", "culler"):
            wait_for(lambda name=name: machine.is_healthy(name), name)

        # When a team logs in at the proxy and starts its server
        entered = visitor.log_in("team_awesome", machine.secret("demo_password"))
        assert entered.status_code == 200, machine.log("hub")
        visitor.start_server()

        # Then a container of its own runs, and goat in its notebook knows the team without a password
        (container,) = engine.containers.values()
        assert container["Name"].startswith("/goat-team-team")
        kernel = visitor.kernel()
        assert "team_awesome" in kernel.run("import goat; print(goat.whoami().team_name)")
        kernel.close()

        # When it stops its server, the container goes and the volume's name stays the same next time
        assert visitor.api("DELETE", f"/users/{visitor.name}/server").status_code in (202, 204)
        wait_for(lambda: not engine.containers, "the container to go")
        for name in ("hub", "engine", "proxy"):
            machine.stop(name, signal.SIGKILL)
            assert machine.health(name).returncode != 0
    finally:
        # Shown when the test fails.
        print(engine.calls, *(machine.log(name) for name in ("hub", "engine", "proxy")), sep="\n")
        print(*(path.read_text() for path in (machine.folder / "teams").glob("*/.server.log")))
        visitor.http.close()
        engine.close()


def test_every_service_has_all_secrets_that_it_needs(machine):
    # A secret that is missing would have been made on the spot, as a file of its own, or be a refusal.
    for folder in (machine.folder / "mounted").iterdir():
        assert [path.name for path in folder.iterdir() if not path.is_symlink()] == [], folder.name
