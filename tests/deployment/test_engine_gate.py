"""Behind the gate a hub that was taken over can start teams' servers, and nothing else."""

from __future__ import annotations

import http.client
import json
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import APIError
from dockerspawner import DockerSpawner

from hub_config.container import LABEL, PREFIX, team_container
from hub_config.engine import serve
from scoring_service.settings import Settings
from scoring_service.teams.service import NAME as TEAM_NAME
from tests.deployment.fake_engine import FakeEngine

IMAGE = "goat-local/notebook:local"
NAME = "goat-team-alpha"


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with tempfile.TemporaryDirectory(prefix="goat-engine-") as folder:
        found = FakeEngine(Path(folder) / "docker.sock", image=IMAGE)
        yield found
        found.close()


@pytest.fixture
def settings(tmp_path) -> Settings:
    environment = {"GOAT_HOME": str(tmp_path), "GOAT_HUB_IMAGE": IMAGE, "GOAT_HUB_ISOLATION": "docker"}
    return Settings.from_env(environment)


@pytest.fixture
def port(engine, settings) -> Iterator[int]:
    server = serve(settings, str(engine.path), "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def client(port) -> Iterator[docker.APIClient]:
    found = docker.APIClient(base_url=f"tcp://127.0.0.1:{port}", version="auto")
    yield found
    found.close()


def call(port: int, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body=body, headers=headers)
    reply = connection.getresponse()
    text = reply.read()
    connection.close()
    return reply.status, json.loads(text) if text else {}


def test_a_teams_container_lives_its_whole_life(client, engine, settings):
    # When a spawner does what spawners do
    client.inspect_image(IMAGE)
    description = team_container(settings, NAME, {"TOKEN": "a=b", "HOME": "/home/team"})
    number = client.create_container_from_config(description, NAME)["Id"]
    client.start(number)

    # Then the container is as described, and is seen, stopped and removed by name or number
    assert engine.containers[NAME]["HostConfig"] == description["HostConfig"]
    assert client.inspect_container(NAME)["State"]["Running"] is True
    assert client.inspect_container(number)["Config"]["Env"] == ["TOKEN=a=b", "HOME=/home/team"]
    client.stop(NAME)
    assert client.inspect_container(number)["State"]["Running"] is False
    client.remove_container(number, v=True)
    assert engine.containers == {}


@pytest.mark.parametrize(
    "evil",
    [
        {"HostConfig": {"Privileged": True}},
        {"HostConfig": {"Binds": ["/:/host"]}},
        {"HostConfig": {"Mounts": [{"Type": "bind", "Source": "/", "Target": "/host"}]}},
        {"HostConfig": {"NetworkMode": "host", "PidMode": "host", "CapAdd": ["ALL"]}},
        {"HostConfig": {"Memory": 0, "SecurityOpt": ["seccomp=unconfined"]}},
        {"Image": "somebody/elses", "User": "0", "Entrypoint": ["sh"], "Cmd": ["-c", "id"]},
        {"NetworkingConfig": {"EndpointsConfig": {"goat_data": {}}}},
        {"Labels": {"evil": "yes"}, "Volumes": {"/x": {}}},
    ],
)
def test_whatever_the_hub_asks_for_the_container_is_a_teams(client, engine, settings, evil):
    client.create_container_from_config({"Env": ["A=1"], **evil}, NAME)
    made = engine.containers[NAME]
    wanted = team_container(settings, NAME, {"A": "1"})
    assert made["HostConfig"] == wanted["HostConfig"]
    assert made["Config"] == {key: value for key, value in wanted.items() if key != "HostConfig"}


def test_a_teams_container_has_no_rights(settings):
    host = team_container(settings, NAME, {})["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert host["ReadonlyRootfs"] is True
    assert host["Privileged"] is False
    assert [mount["Type"] for mount in host["Mounts"]] == ["volume"]
    assert host["Memory"] == host["MemorySwap"] == settings.hub_memory
    assert host["PidsLimit"] == settings.hub_processes


@pytest.mark.parametrize("team", ["a" + "-" * 63, "9" + "._" * 31, "a-team-with-a-dash" * 3])
def test_a_team_of_any_name_has_a_container(client, engine, settings, team):
    # Given the longest names, whose signs the spawner writes with three characters each
    assert TEAM_NAME.fullmatch(team)
    name = f"{PREFIX}-{DockerSpawner._escape(team)}"
    # Then such a team's container is made, seen and removed like any other
    client.create_container_from_config(team_container(settings, name, {"A": "1"}), name)
    client.start(name)
    assert client.inspect_container(name)["State"]["Running"] is True
    client.remove_container(name)
    assert engine.containers == {}


@pytest.mark.parametrize(
    "name",
    ["goat-postgres-1", "goat-team-", "goat-team-../x", "other", "goat-team-A", ""],
)
def test_a_container_of_another_name_is_not_made(port, engine, name):
    status, said = call(port, "POST", f"/v1.47/containers/create?name={name}", b'{"Env": []}')
    assert status == 403
    assert "no name of a team's container" in said["message"]
    assert engine.containers == {}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/containers/json"),
        ("POST", "/containers/goat-team-alpha/exec"),
        ("POST", "/containers/goat-team-alpha/attach"),
        ("PUT", "/containers/goat-team-alpha/archive?path=/"),
        ("GET", "/containers/goat-team-alpha/archive?path=/home"),
        ("GET", "/containers/goat-team-alpha/logs"),
        ("POST", "/containers/goat-team-alpha/update"),
        ("POST", "/build"),
        ("POST", "/images/create?fromImage=x"),
        ("GET", "/images/somebody/elses/json"),
        ("GET", "/info"),
        ("GET", "/secrets"),
        ("POST", "/volumes/create"),
        ("DELETE", "/volumes/goat_database"),
        ("POST", "/networks/create"),
        ("POST", "/containers/create/../../build"),
        ("GET", "/containers/%2e%2e/json"),
        ("GET", "/v1.47/../info"),
        ("HEAD", "/info"),
        ("PATCH", "/containers/create"),
    ],
)
def test_every_other_call_is_refused_before_it_reaches_the_engine(port, engine, method, path):
    status, _ = call(port, method, path, b"{}" if method in ("POST", "PUT", "PATCH") else b"")
    assert status == 403
    assert engine.calls == []


def test_containers_of_others_do_not_exist_for_the_hub(client, port, engine):
    # Given the database's container, and a stranger's with a name like a team's
    for name, labels in (("goat-postgres-1", {}), ("goat-team-fake", {LABEL: "goat-team-other"})):
        engine.answer("POST", "/containers/create", {"name": [name]}, _described(labels))
    numbers = [one["Id"] for one in engine.containers.values()]

    # Then neither can be looked at, stopped or removed, by name or number
    for reference in (*engine.containers, *numbers):
        for use in (client.inspect_container, client.start, client.stop, client.remove_container):
            with pytest.raises(APIError) as refused:
                use(reference)
            assert refused.value.status_code == 404
    assert len(engine.containers) == 2
    assert not any(made.startswith(("POST /containers/goat", "DELETE")) for made in engine.calls)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"nonsense", b'{"Env": "A=1"}', b'{"Env": ["A"]}', b"[" * 100_000]
)
def test_a_description_that_is_none_is_refused(port, engine, body):
    assert call(port, "POST", f"/containers/create?name={NAME}", body)[0] == 403
    assert engine.containers == {}


def test_bodies_without_bounds_are_refused(port, engine):
    assert call(port, "POST", f"/containers/create?name={NAME}", **{"Content-Length": "99999999"})[0] == 403
    chunked = {"Transfer-Encoding": "chunked"}
    assert call(port, "POST", f"/containers/create?name={NAME}", b"0\r\n\r\n", **chunked)[0] == 403
    assert engine.calls == []


def test_an_engine_that_is_away_is_a_sentence(settings, tmp_path, port, engine):
    engine.path.unlink()
    status, said = call(port, "GET", "/_ping")
    assert status == 502
    assert "does not answer" in said["message"]


def _described(labels: dict[str, str]) -> bytes:
    return json.dumps({"Env": [], "Labels": labels, "HostConfig": {}}).encode()
