"""Who may log in, and who still may: the scoring service decides, asked at each login and every few seconds.

The hub keeps no password and no rights of its own. A hub user is a team (its shared login, its server), an
organiser, or, where logins are personal, a member: somebody who has no server but reaches the team's.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from jupyterhub import orm
from jupyterhub.auth import Authenticator
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.web import HTTPError
from traitlets import Bool, Unicode

from hub_config import members

SILENT = (
    "The scoring service does not answer, so nobody can log in at the moment. "
    "Try again in a minute; if it stays so, tell the organiser."
)
LOGIN = "login"
"""Key of a hub user's information: the state of its login (password, membership) that the hub has seen."""


class GoatAuthenticator(Authenticator):
    """Name and password, asked of ``POST /auth/login``; an organiser becomes the hub's admin."""

    service_url = Unicode(help="Address of the scoring service.").tag(config=True)
    service_token = Unicode(help="Secret that the hub shares with the service.").tag(config=True)
    personal = Bool(False, help="Members log in as themselves and share their team's server.").tag(
        config=True
    )

    def get_handlers(self, app: Any) -> list[tuple[str, Any]]:
        """The hub's own pages, but for members those of their team's server."""
        return [*super().get_handlers(app), *members.HANDLERS]

    async def authenticate(self, handler: Any, data: dict[str, str]) -> dict[str, Any] | None:
        """The hub's user for a login; None for a wrong password. Raises `HTTPError` with a sentence."""
        name, password = data.get("username", ""), data.get("password", "")
        if not name or not password:
            return None
        address = {"X-Goat-Address": handler.request.remote_ip or ""}
        reply = await self._ask("/auth/login", {"name": name, "password": password}, address)
        if reply.code == 401:
            return None
        _read(reply)
        account = await self._account(name)
        if account is None:
            return None
        refusal = self._refusal(account)
        if account["banned"]:
            refusal = f"The team {account['team_name']} is banned from this event. Ask the organiser."
        if refusal:
            raise HTTPError(403, refusal)
        user = handler.find_user(self.normalize_username(account["name"]))
        if user is not None and _known_login(user) not in ("", account[LOGIN]):
            end_sessions(user)
        return await self._model(handler, account)

    async def refresh_user(self, user: Any, handler: Any = None) -> bool | dict[str, Any]:
        """Whether somebody who is logged in still may, and as what.

        A ban closes no session: the team's notebooks are told about it by the service. While the service
        is silent everybody stays who they were.
        """
        try:
            account = await self._account(user.name)
        except HTTPError:
            return True
        if account is None or self._refusal(account):
            end_sessions(user)
            return False
        if _known_login(user) not in ("", account[LOGIN]):
            kept = end_sessions(user)
            user.user_info = {LOGIN: account[LOGIN]}
            user.db.commit()
            if handler is None or handler.get_token() not in kept:
                return False
        return await self._model(handler, account)

    async def pre_spawn_start(self, user: Any, spawner: Any) -> None:
        """A member has no server, whoever would start it."""
        team = members.team_of(user)
        if team is not None:
            raise HTTPError(403, f"{user.name} works in the server of {team} and has none of its own.")

    def _refusal(self, account: dict[str, Any]) -> str:
        """Why an account has no place at this hub; empty if it has."""
        if account["role"] == "organiser":
            return ""
        team = account["team_name"]
        if not team:
            return f"{account['name']} is in no team. Ask the organiser to add it to one."
        if not self.personal and team.lower() != account["name"].lower():
            return (
                f"At this hub a team logs in with its shared login: {team}. "
                f"The login {account['name']} is good for the goat command and library."
            )
        return ""

    async def _model(self, handler: Any, account: dict[str, Any]) -> dict[str, Any]:
        """The account as the hub keeps it; for a member the team's hub user is there afterwards."""
        name = self.normalize_username(account["name"])
        model: dict[str, Any] = {"name": name, "user_info": {LOGIN: account[LOGIN]}}
        if account["role"] == "organiser":
            return {**model, "admin": True, "groups": []}
        team = self.normalize_username(account["team_name"])
        if team != name and handler is not None and handler.find_user(team) is None:
            own = await self._account(team)
            if own is not None:
                await handler.auth_to_user(await self._model(handler, own))
        model |= {"admin": False, "groups": [account["team_name"]]}
        return model | {"roles": members.roles(team)} if self.personal else model

    async def _account(self, name: str) -> dict[str, Any] | None:
        """What the service says about an account; None if it knows none. Raises `HTTPError` if silent."""
        reply = await self._ask(f"/auth/accounts/{quote(name, safe='')}")
        if reply.code in (404, 422):
            return None
        if reply.code != 200:
            self.log.error("The scoring service answers %s to the hub", reply.code)
            raise HTTPError(503, SILENT)
        return _read(reply)

    async def _ask(
        self, path: str, body: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> HTTPResponse:
        request = HTTPRequest(
            f"{self.service_url}{path}",
            method="POST" if body else "GET",
            headers={
                "Content-Type": "application/json",
                "X-Goat-Hub": self.service_token,
                **(headers or {}),
            },
            body=json.dumps(body) if body else None,
            connect_timeout=5,
            request_timeout=20 if body else 5,
        )
        try:
            return await AsyncHTTPClient().fetch(request, raise_error=False)
        except (OSError, HTTPClientError) as error:
            self.log.error("The scoring service at %s does not answer: %s", self.service_url, error)
            raise HTTPError(503, SILENT) from None


def _known_login(user: Any) -> str:
    return str((user.user_info or {}).get(LOGIN, ""))


def end_sessions(user: Any) -> set[Any]:
    """End all that somebody has open at the hub: browsers, and tokens but for those of a running server.

    Returns the tokens that stay good: the server is the team's, whose people go on working in it.
    """
    kept = {orm.APIToken.find(user.db, s.api_token) for s in user.spawners.values() if s.api_token} - {None}
    for token in list(user.api_tokens):
        if token not in kept:
            user.db.delete(token)
    user.cookie_id = orm.new_token()
    user.db.commit()
    return kept


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
