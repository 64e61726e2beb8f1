"""Somebody with a browser, without the browser: logs in to the hub, starts a server, runs code in it."""

from __future__ import annotations

import json
import re
import time
import uuid
from dataclasses import dataclass, field

import httpx
import websocket

NAVIGATION = {"Sec-Fetch-Mode": "navigate"}
START_WITHIN_S = 90.0


@dataclass
class Visitor:
    """One person at the hub's address."""

    hub: str
    name: str = ""
    http: httpx.Client = field(init=False)
    token: str = ""

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.hub, follow_redirects=True, timeout=60, trust_env=False)

    def log_in(self, name: str, password: str) -> httpx.Response:
        """Fill in the login form; the page that follows."""
        self.name = name
        self.http.get("/hub/login", headers=NAVIGATION)
        form = {"username": name, "password": password, "_xsrf": self._xsrf()}
        # Without following to the server's page, which would start it.
        return self.http.post("/hub/login?next=%2Fhub%2Fhome", data=form, headers=NAVIGATION)

    def _xsrf(self) -> str:
        return next(c.value or "" for c in self.http.cookies.jar if c.name == "_xsrf" and c.path == "/hub/")

    def api(self, method: str, path: str, **options: object) -> httpx.Response:
        """A call of the hub's API as the logged-in user."""
        headers = {"X-XSRFToken": self._xsrf(), "Referer": f"{self.hub}/hub/home"}
        return self.http.request(method, f"/hub/api{path}", headers=headers, **options)  # type: ignore[arg-type]

    def start_server(self) -> float:
        """Start the own server and wait until it answers; the seconds it took."""
        began = time.monotonic()
        reply = self.api("POST", f"/users/{self.name}/server")
        assert reply.status_code in (201, 202, 400), reply.text
        while True:
            model = self.api("GET", f"/users/{self.name}").json()
            server = model["servers"].get("")
            if server and server["ready"]:
                break
            assert time.monotonic() - began < START_WITHIN_S, model
            time.sleep(0.1)
        if not self.token:
            reply = self.api("POST", f"/users/{self.name}/tokens", json={"note": "test"})
            assert reply.status_code == 201, reply.text
            self.token = reply.json()["token"]
        return time.monotonic() - began

    def server(self, method: str, path: str, **options: object) -> httpx.Response:
        """A call of the own server's API."""
        headers = {"Authorization": f"token {self.token}"}
        return httpx.request(
            method,
            f"{self.hub}/user/{self.name}{path}",
            headers=headers,
            timeout=60,
            trust_env=False,
            **options,  # type: ignore[arg-type]
        )

    def enter(self, page: str = "/hub/spawn") -> httpx.Response:
        """Open a page of the hub as a browser does, until it led into a server; that server's page."""
        began = time.monotonic()
        while True:
            reply = self.http.get(page, headers=NAVIGATION)
            if reply.url.path.startswith("/user/") and reply.status_code == 200:
                return reply
            assert time.monotonic() - began < START_WITHIN_S, (
                reply.url,
                reply.status_code,
                reply.text[-999:],
            )
            time.sleep(0.3)

    def work_in(self, team: str) -> None:
        """Take a token of one's own, and use it in a team's server from here on."""
        reply = self.api("POST", f"/users/{self.name}/tokens", json={"note": "test"})
        assert reply.status_code == 201, reply.text
        self.token, self.name = reply.json()["token"], team

    def kernel(self) -> Kernel:
        reply = self.server("POST", "/api/kernels", json={"name": "python3"})
        assert reply.status_code == 201, reply.text
        return Kernel(self, reply.json()["id"])


class Kernel:
    """A notebook's kernel, spoken to through hub, proxy and server, as a browser does."""

    def __init__(self, visitor: Visitor, number: str) -> None:
        self.id = number
        address = visitor.hub.replace("http", "ws", 1)
        self._socket = websocket.create_connection(
            f"{address}/user/{visitor.name}/api/kernels/{number}/channels",
            header=[f"Authorization: token {visitor.token}"],
            timeout=90,
        )

    def send(self, code: str) -> str:
        """Run code without waiting for it; the request's number."""
        message = str(uuid.uuid4())
        header = {
            "msg_id": message,
            "msg_type": "execute_request",
            "session": "test",
            "username": "",
            "version": "5.3",
        }
        content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
        request = {
            "header": header,
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": "shell",
        }
        self._socket.send(json.dumps(request))
        return message

    def receive(self) -> str:
        """The next message that the browser would get, as JSON."""
        return str(self._socket.recv())

    def run(self, code: str) -> str:
        """What the code prints and raises, as text."""
        message = self.send(code)
        said: list[str] = []
        while True:
            reply = json.loads(self.receive())
            if reply.get("parent_header", {}).get("msg_id") != message:
                continue
            kind, content = reply["msg_type"], reply["content"]
            if kind == "stream":
                said.append(content["text"])
            elif kind in ("execute_result", "display_data"):
                said.append(content["data"].get("text/plain", ""))
            elif kind == "error":
                said.append(re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(content["traceback"])))
            elif kind == "status" and content["execution_state"] == "idle":
                return "".join(said)

    def close(self) -> None:
        self._socket.close()
        self._socket.shutdown()  # also where the other side was first
