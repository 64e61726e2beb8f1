"""Clients that never give up: they send, repeat with the same key, and log what was acknowledged."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from tests.soak.plan import PASSWORD, Sending, draw

TRANSIENT = frozenset({401, 408, 425, 500, 502, 503, 504, 507})
"""Replies of a service that is being killed or short of disk: try again, with the same key."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An acceptance as the client saw it: from here on it must never be lost."""

    id: str
    team: str
    challenge: str
    mode: str
    sha256: str
    key: str
    status: int
    state: str
    score: float | None
    resent: bool
    """The same bytes had been accepted before."""


class Client(threading.Thread):
    """One team's machine."""

    def __init__(self, url: str, team: str, log: Path, stop: threading.Event, seed: int) -> None:
        super().__init__(name=team, daemon=True)
        self._url, self._team, self._log, self._halt = url, team, log, stop
        self._random = random.Random(seed)
        self._token = ""
        self.attempts = 0
        self.keys: set[str] = set()
        """Every key that was ever sent, acknowledged or not."""
        self.unexpected: list[str] = []
        """Replies that no client should ever see."""
        self.statuses: dict[str, int] = {}

    def run(self) -> None:
        sent: list[Sending] = []
        with httpx.Client(base_url=self._url, timeout=30) as http, self._log.open("a", buffering=1) as log:
            while not self._halt.is_set():
                again = sent and self._random.random() < 0.1
                sending = self._random.choice(sent) if again else draw(self._random)
                acknowledged = self._send(http, sending, bool(again))
                if acknowledged is not None:
                    log.write(json.dumps(asdict(acknowledged)) + "\n")
                    sent.append(sending)
                self._halt.wait(self._random.uniform(0.1, 0.9))

    def _send(self, http: httpx.Client, sending: Sending, resent: bool) -> Acknowledged | None:
        """Send until it is answered for good; None if the soak ended before."""
        key = str(uuid.uuid4())
        self.keys.add(key)
        while not self._halt.is_set():
            self.attempts += 1
            try:
                reply = self._post(http, sending, key)
            except httpx.HTTPError as error:
                self._count(type(error).__name__)
                time.sleep(self._random.uniform(0.05, 0.3))
                continue
            self._count(str(reply.status_code))
            if reply.status_code in (200, 201):
                return Acknowledged(
                    id=reply.json()["id"],
                    team=self._team,
                    challenge=sending.challenge,
                    mode=sending.mode,
                    sha256=hashlib.sha256(sending.content).hexdigest(),
                    key=key,
                    status=reply.status_code,
                    state=sending.state,
                    score=sending.score,
                    resent=resent,
                )
            if reply.status_code == 401:
                self._token = ""
            if reply.status_code not in TRANSIENT or reply.status_code == 500:
                self.unexpected.append(f"{reply.status_code}: {reply.text[:300]}")
            if reply.status_code not in TRANSIENT:
                return None
            time.sleep(self._random.uniform(0.05, 0.3))
        return None

    def _post(self, http: httpx.Client, sending: Sending, key: str) -> httpx.Response:
        if not self._token:
            login = http.post("/auth/login", json={"name": self._team, "password": PASSWORD})
            login.raise_for_status()
            self._token = login.json()["access_token"]
        return http.post(
            f"/v1/challenges/{sending.challenge}/submissions",
            params={"mode": sending.mode},
            content=sending.content,
            headers={
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/octet-stream",
                "X-Filename": "answers.zip",
                "Idempotency-Key": key,
            },
        )

    def _count(self, what: str) -> None:
        self.statuses[what] = self.statuses.get(what, 0) + 1


def read_log(path: Path) -> list[Acknowledged]:
    """What all clients logged."""
    return [Acknowledged(**json.loads(line)) for line in path.read_text().splitlines()]
