"""Who may log in is decided by the scoring service: the hub keeps no password and knows no account."""

from __future__ import annotations

import json
from typing import Any

from jupyterhub.auth import Authenticator
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.web import HTTPError
from traitlets import Unicode

SILENT = (
    "The scoring service does not answer, so nobody can log in at the moment. "
    "Try again in a minute; if it stays so, tell the organiser."
)


class GoatAuthenticator(Authenticator):
    """Team name and password, asked of ``POST /auth/login``; an organiser becomes the hub's admin."""

    service_url = Unicode(help="Address of the scoring service.").tag(config=True)
    service_token = Unicode(help="Secret that the hub shares with the service.").tag(config=True)

    async def authenticate(self, handler: Any, data: dict[str, str]) -> dict[str, Any] | None:
        """The hub's user for a login; None for a wrong password. Raises `HTTPError` with a sentence."""
        name, password = data.get("username", ""), data.get("password", "")
        if not name or not password:
            return None
        headers = {"X-Goat-Hub": self.service_token, "X-Goat-Address": handler.request.remote_ip or ""}
        reply = await self._ask("/auth/login", headers, {"name": name, "password": password})
        if reply.code == 401:
            return None
        token = _read(reply).get("access_token")
        me = _read(await self._ask("/auth/me", {"Authorization": f"Bearer {token}"}))
        if me.get("banned"):
            raise HTTPError(403, f"The team {me['team_name']} is banned from this event. Ask the organiser.")
        organiser = me["role"] == "organiser"
        if not organiser and not me.get("team_name"):
            raise HTTPError(403, f"{me['name']} is in no team. Ask the organiser to add it to one.")
        return {
            "name": self.normalize_username(me["name"]),
            "admin": organiser,
            "groups": [] if organiser else [me["team_name"]],
        }

    async def _ask(
        self, path: str, headers: dict[str, str], body: dict[str, str] | None = None
    ) -> HTTPResponse:
        request = HTTPRequest(
            f"{self.service_url}{path}",
            method="POST" if body else "GET",
            headers={"Content-Type": "application/json", **headers},
            body=json.dumps(body) if body else None,
            connect_timeout=5,
            request_timeout=20,
        )
        try:
            return await AsyncHTTPClient().fetch(request, raise_error=False)
        except (OSError, HTTPClientError) as error:
            self.log.error("The scoring service at %s does not answer: %s", self.service_url, error)
            raise HTTPError(503, SILENT) from None


def _read(reply: HTTPResponse) -> dict[str, Any]:
    """The JSON of a good reply. A refusal becomes the login page's sentence, a fault a general one."""
    try:
        content: dict[str, Any] = json.loads(reply.body)
    except (TypeError, ValueError):
        raise HTTPError(503, SILENT) from None
    if reply.code < 300:
        return content
    if reply.code < 500:
        raise HTTPError(reply.code, str(content.get("detail", SILENT)).replace("%", "%%"))
    raise HTTPError(503, SILENT)
