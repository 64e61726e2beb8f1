"""A container engine's API, as far as a spawner uses it. Its containers are records, or plain processes."""

from __future__ import annotations

import json
import os
import re
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

ADDRESS = "127.86.20.1"
"""Of every container: loopback, so that a process can listen there."""


class FakeEngine:
    """Listens on a Unix socket. ``homes``: containers are started as processes with homes in this folder."""

    def __init__(self, path: Path, *, image: str = "", homes: Path | None = None) -> None:
        self.path, self.image, self.homes = path, image, homes
        self.containers: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._temporary = tempfile.mkdtemp(prefix="gt-")  # short: sockets lie in it
        engine = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = urlsplit(self.path)
                path = re.sub(r"^/v[0-9.]+", "", unquote(parts.path))
                engine.calls.append(f"{self.command} {path}{'?' if parts.query else ''}{parts.query}")
                status, answer = engine.answer(self.command, path, parse_qs(parts.query), body)
                text = json.dumps(answer).encode() if status not in (204, 304) else b""
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_POST = do_DELETE = do_GET  # noqa: N815 - http.server's names

            def address_string(self) -> str:
                return "engine"

            def log_message(self, *arguments: object) -> None:
                pass

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True

        self._server = Server(str(path), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()
        shutil.rmtree(self._temporary, ignore_errors=True)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(
        self, method: str, path: str, query: dict[str, list[str]], body: bytes
    ) -> tuple[int, dict[str, Any]]:
        """Status and body of a reply."""
        if path in ("/_ping", "/version"):
            return 200, {"ApiVersion": "1.47", "MinAPIVersion": "1.24"}
        if path == f"/images/{self.image}/json":
            return 200, {"Id": "sha256:image", "Config": {"Cmd": None}}
        if (method, path) == ("POST", "/containers/create"):
            return self._create(query["name"][0], json.loads(body))
        found = re.fullmatch(r"/containers/([^/]+)(?:/(json|start|stop))?", path)
        container = self._find(found[1]) if found else None
        if found is None or container is None:
            return 404, {"message": "no such thing"}
        name = container["Name"].removeprefix("/")
        if method == "DELETE":
            del self.containers[name]
            return 204, {}
        if found[2] == "start":
            self._start(name, container)
        elif found[2] == "stop":
            self._stop(name, container)
        container["State"]["Running"] = self._runs(name, container)
        return (200, container) if found[2] == "json" else (204, {})

    def _find(self, reference: str) -> dict[str, Any] | None:
        if reference in self.containers:
            return self.containers[reference]
        return next((one for one in self.containers.values() if one["Id"] == reference), None)

    def _create(self, name: str, description: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if name in self.containers:
            return 409, {"message": "the name is in use"}
        number = f"{len(self.calls):064x}"
        networks = {description["HostConfig"].get("NetworkMode", "bridge"): {"IPAddress": ADDRESS}}
        self.containers[name] = {
            "Id": number,
            "Name": f"/{name}",
            "Config": {key: value for key, value in description.items() if key != "HostConfig"},
            "HostConfig": description["HostConfig"],
            "State": {"Running": False, "ExitCode": 0, "Error": "", "FinishedAt": ""},
            "NetworkSettings": {"Networks": networks},
        }
        return 201, {"Id": number, "Warnings": []}

    def _start(self, name: str, container: dict[str, Any]) -> None:
        container["State"]["Running"] = True
        if self.homes is None:
            return
        home = self.homes / name
        home.mkdir(parents=True, exist_ok=True)
        written = dict(one.split("=", 1) for one in container["Config"]["Env"])
        environment = {
            **{key: value.replace("0.0.0.0:", f"{ADDRESS}:") for key, value in written.items()},
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TMPDIR": self._temporary,
        }
        # A real container's user is not root; whoever runs the tests may be.
        root = ["--allow-root"] if os.geteuid() == 0 else []
        command = [sys.executable, "-m", "hub_config.inside", *root]
        self._processes[name] = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)

    def _stop(self, name: str, container: dict[str, Any]) -> None:
        container["State"]["Running"] = False
        if name in self._processes:
            self._processes[name].terminate()
            self._processes.pop(name).wait(30)

    def _runs(self, name: str, container: dict[str, Any]) -> bool:
        process = self._processes.get(name)
        return bool(container["State"]["Running"]) and (process is None or process.poll() is None)
