"""What the service asks JupyterHub: whose token is this, who is online, what is a login's code worth.

The hub only says which account a token belongs to, and its answer is kept for `KNOWN_S` seconds at
most; what that account may do is looked up in our own database.
"""

from __future__ import annotations

import hmac
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from goat.errors import HubSilent, NotAuthenticated

SERVICE = "goat"
CLIENT_ID = f"service-{SERVICE}"
CALLBACK = f"/services/{SERVICE}/oauth_callback"
KNOWN_S = 30.0
REMEMBERED = 4096
_ACCESS = {"access:services", f"access:services!service={SERVICE}"}
_TOKEN_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~")


@dataclass(frozen=True, slots=True)
class HubUser:
    """Whose token it is."""

    name: str


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A user's notebook server that runs now."""

    name: str
    started: datetime | None
    last_activity: datetime | None


class HubLink:
    """The hub's API, seen by the service. Safe to use from several threads."""

    def __init__(
        self,
        api_url: str,
        token: str,
        *,
        transport: httpx.BaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._token = token
        self._monotonic = monotonic
        self._known: OrderedDict[str, tuple[HubUser, float]] = OrderedDict()
        self._lock = threading.Lock()
        self._http = httpx.Client(base_url=api_url, timeout=10, trust_env=False, transport=transport)

    def is_hub(self, secret: str) -> bool:
        """Whether somebody knows the secret that the hub and we share."""
        return hmac.compare_digest(secret.encode(), self._token.encode())

    def user(self, token: str) -> HubUser:
        """Whose token that is. Raises `NotAuthenticated`, or `HubSilent` when nobody can tell."""
        if not token or len(token) > 256 or not set(token) <= _TOKEN_CHARACTERS:
            raise NotAuthenticated("This is no token of ours or of the hub. Log in again.")
        with self._lock:
            found = self._known.get(token)
        if found is not None and self._monotonic() - found[1] < KNOWN_S:
            return found[0]
        asked = self._monotonic()
        reply = self._ask("GET", "/user", token=token)
        with self._lock:
            self._known.pop(token, None)
        if reply.status_code != 200:
            raise NotAuthenticated(
                "The hub does not know this token (any more). Restart your server, or log in."
            )
        model = _object(reply)
        if model.get("kind") != "user" or not _ACCESS & set(model.get("scopes", ())):
            raise NotAuthenticated("This token of the hub is not meant for the scoring service.")
        user = HubUser(str(model["name"]))
        with self._lock:
            self._known[token] = (user, asked)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return user

    def token_for_code(self, code: str) -> str:
        """The token that an OAuth code is worth. Raises `NotAuthenticated` for a code of nobody."""
        form = {
            "client_id": CLIENT_ID,
            "client_secret": self._token,
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
        }
        reply = self._ask("POST", "/oauth2/token", form=form)
        if reply.status_code != 200:
            raise NotAuthenticated("The hub did not confirm this login. Open the page again.")
        return str(_object(reply)["access_token"])

    def servers(self) -> list[RunningServer]:
        """Everybody whose notebook server runs, by name. Raises `HubSilent`."""
        found: list[RunningServer] = []
        offset: int | None = 0
        while offset is not None:
            query = f"/users?state=ready&limit=200&offset={offset}&include_stopped_servers=0"
            reply = self._ask("GET", query, token=self._token, paged=True)
            if reply.status_code != 200:
                raise HubSilent("The hub does not tell who is online.")
            page = _object(reply)
            found += [_server(user) for user in page["items"] if user.get("servers")]
            following = page["_pagination"]["next"]
            offset = int(following["offset"]) if following else None
        return sorted(found, key=lambda server: server.name)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        form: dict[str, str] | None = None,
        paged: bool = False,
    ) -> httpx.Response:
        headers = {"Authorization": f"token {token}"} if token else {}
        if paged:
            headers["Accept"] = "application/jupyterhub-pagination+json"
        try:
            reply = self._http.request(method, path, headers=headers, data=form)
        except httpx.HTTPError:
            raise HubSilent(
                "The hub does not answer, so this login cannot be checked. Try again shortly."
            ) from None
        if reply.status_code >= 500:
            raise HubSilent("The hub has a fault, so this login cannot be checked. Try again shortly.")
        return reply


def _object(reply: httpx.Response) -> dict[str, Any]:
    content = reply.json()
    assert isinstance(content, dict)
    return content


def _server(user: dict[str, Any]) -> RunningServer:
    server = next(iter(user["servers"].values()))
    return RunningServer(user["name"], _moment(server.get("started")), _moment(server.get("last_activity")))


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
