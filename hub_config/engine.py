"""The gate between the hub and the container engine: teams' containers pass, nothing else does.

Whoever may speak to a container engine owns the machine: it can start a container that mounts the whole
disk. The hub speaks to strangers, so it never gets the engine's socket. This program holds it, knows the
few calls that a spawner makes, and describes each new container itself (`hub_config.container`): of what
the hub sends it takes a name and the environment. ``python -m hub_config.engine [SOCKET]``; standard
library only.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit

from hub_config.container import LABEL, NAME, environment_of, team_container
from scoring_service.settings import Settings

ADDRESS = "tcp://engine:2375"
SOCKET = "/run/docker.sock"
PATIENCE_S = 60.0
MAX_BODY = 1 << 20
VERSION = r"(?P<version>/v[0-9.]{1,8})?"
REFERENCE = r"(?P<reference>[A-Za-z0-9][A-Za-z0-9_.-]{0,254})"


@dataclass(frozen=True)
class Reply:
    """What the engine, or the gate in its place, answers."""

    status: int
    body: bytes
    kind: str = "application/json"


class NotAllowed(Exception):
    """A call that no team's container needs; the text says so."""


class EngineConnection(http.client.HTTPConnection):
    """HTTP over the engine's Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("engine", timeout=PATIENCE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Gate:
    """Decides about each call and passes on what is allowed. Safe to use from several threads."""

    def __init__(self, settings: Settings, path: str) -> None:
        self._settings = settings
        self._path = path
        image = quote(settings.hub_image, safe="")
        self._rules: list[tuple[str, re.Pattern[str], Callable[[re.Match[str], str, bytes], Reply]]] = [
            ("GET", re.compile(rf"{VERSION}/(?:_ping|version)"), self._pass),
            ("GET", re.compile(rf"{VERSION}/images/(?:{re.escape(image)})/json"), self._pass),
            ("POST", re.compile(rf"{VERSION}/containers/create"), self._create),
            ("GET", re.compile(rf"{VERSION}/containers/{REFERENCE}/json"), self._of_a_team),
            ("POST", re.compile(rf"{VERSION}/containers/{REFERENCE}/(?:start|stop)"), self._of_a_team),
            ("DELETE", re.compile(rf"{VERSION}/containers/{REFERENCE}"), self._of_a_team),
        ]

    def answer(self, method: str, target: str, body: bytes) -> Reply:
        """The reply to one call. Raises `NotAllowed`, or `OSError` when the engine does not answer."""
        parts = urlsplit(target)
        # One spelling of each path: an image's name may come with its slashes escaped or not.
        path = quote(unquote(parts.path), safe="/:")
        for verb, pattern, rule in self._rules:
            found = pattern.fullmatch(_escape_image(path))
            if verb == method and found:
                return rule(found, parts.query, body)
        raise NotAllowed(f"{method} {parts.path}: the hub may not do this")

    def _pass(self, found: re.Match[str], query: str, body: bytes) -> Reply:
        return self._ask("GET", found.group())

    def _create(self, found: re.Match[str], query: str, body: bytes) -> Reply:
        name = parse_qs(query).get("name", [""])[0]
        if not NAME.fullmatch(name):
            raise NotAllowed(f"{name!r} is no name of a team's container")
        try:
            sent = json.loads(body)
            environment = environment_of(sent)
        except (ValueError, AttributeError, RecursionError) as error:
            raise NotAllowed(f"this describes no container: {error}") from None
        ours = team_container(self._settings, name, environment)
        return self._ask("POST", f"{found.group()}?name={name}", json.dumps(ours).encode())

    def _of_a_team(self, found: re.Match[str], query: str, body: bytes) -> Reply:
        """Calls about one container, after a look whether it is a team's."""
        prefix, reference = found["version"] or "", found["reference"]
        looked = self._ask("GET", f"{prefix}/containers/{reference}/json")
        if looked.status != 200:
            return looked
        if not self._is_team(looked):
            return _missing(reference)
        if found.group().endswith("/json"):
            return looked
        # By its full id: the name could have passed on to another container meanwhile.
        exact = str(json.loads(looked.body)["Id"])
        target = found.group().replace(f"/containers/{reference}", f"/containers/{exact}", 1)
        method = "POST" if found.group().endswith(("/start", "/stop")) else "DELETE"
        return self._ask(method, target + ("?v=1" if method == "DELETE" else ""))

    @staticmethod
    def _is_team(looked: Reply) -> bool:
        container = json.loads(looked.body)
        labels = (container.get("Config") or {}).get("Labels") or {}
        name = str(container.get("Name", "")).removeprefix("/")
        return NAME.fullmatch(name) is not None and labels.get(LABEL) == name

    def _ask(self, method: str, target: str, body: bytes | None = None) -> Reply:
        connection = EngineConnection(self._path)
        try:
            headers = {"Host": "engine"} | ({"Content-Type": "application/json"} if body else {})
            connection.request(method, target, body=body, headers=headers)
            reply = connection.getresponse()
            return Reply(reply.status, reply.read(), reply.getheader("Content-Type") or "application/json")
        except http.client.HTTPException as error:
            raise OSError(f"the engine's answer is not HTTP: {error!r}") from error
        finally:
            connection.close()


def _escape_image(path: str) -> str:
    """``/images/a/b:1/json`` with the name in one piece."""
    found = re.fullmatch(rf"({VERSION}/images/)(.+)(/json)", path)
    return f"{found[1]}{quote(found[3], safe='')}{found[4]}" if found else path


def _missing(reference: str) -> Reply:
    """As the engine says it: what is not a team's does not exist for the hub."""
    return Reply(404, json.dumps({"message": f"No such container: {reference}"}).encode())


class Handler(BaseHTTPRequestHandler):
    """One call of the hub."""

    protocol_version = "HTTP/1.1"
    timeout = PATIENCE_S

    def __init__(self, gate: Gate, *arguments: object) -> None:
        self._gate = gate
        super().__init__(*arguments)  # type: ignore[arg-type]  # socketserver's own three

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_DELETE = do_HEAD = do_PUT = do_PATCH = do_GET  # noqa: N815 - http.server's names

    def _answer(self) -> None:
        try:
            length = int(self.headers.get("Content-Length") or 0)
            if self.headers.get("Transfer-Encoding") or not 0 <= length <= MAX_BODY:
                raise NotAllowed("a body of this size or form is not expected")
            reply = self._gate.answer(self.command, self.path, self.rfile.read(length))
        except (NotAllowed, ValueError) as refusal:
            reply = self._refusal(403, str(refusal))
        except OSError as error:
            reply = self._refusal(502, f"the container engine does not answer: {error}")
        if reply.status == 403:
            self.close_connection = True  # a body that was not read must not be taken for the next call
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def _refusal(self, status: int, why: str) -> Reply:
        self.log_error("refused: %s", why)
        return Reply(status, json.dumps({"message": f"goat: {why}"}).encode())

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Only refusals are worth a line: a spawner asks every few seconds whether servers live."""


def port() -> int:
    """Where the gate listens: the port at which the hub looks for the engine, as ``DOCKER_HOST`` has it."""
    return urlsplit(os.environ.get("DOCKER_HOST") or ADDRESS).port or 2375


def serve(settings: Settings, path: str, host: str, number: int) -> ThreadingHTTPServer:
    """The gate, listening; ``serve_forever`` runs it."""
    return ThreadingHTTPServer((host, number), partial(Handler, Gate(settings, path)))


def main() -> None:
    path = sys.argv[1] if len(sys.argv) > 1 else SOCKET
    if not os.access(path, os.R_OK | os.W_OK):
        sys.exit(
            f"{path} is not there, or may not be used by this user ({os.getuid()}, groups {os.getgroups()}): "
            "DOCKER_GID must be the number of the group that owns it (docs/deployment.md)."
        )
    serve(Settings.from_env(), path, "", port()).serve_forever()


if __name__ == "__main__":
    main()
