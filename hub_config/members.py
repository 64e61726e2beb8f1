"""People with a login of their own: what the hub gives them, and where its pages take them.

A member is a hub user in the group of a team whose name is not its own. It has no server: a role lets it
start, stop and enter the team's, and every page that would be about a server of its own is about that one.
"""

from __future__ import annotations

from typing import Any

from jupyterhub.apihandlers.auth import OAuthAuthorizeHandler
from jupyterhub.handlers.pages import HomeHandler, SpawnHandler
from jupyterhub.utils import url_path_join
from tornado.httputil import url_concat
from tornado.web import authenticated

from hub_config.plan import SERVICE

USER_SCOPES = ["self", f"access:services!service={SERVICE}"]
"""What every hub user may: its own things, and to speak to the scoring service."""


def roles(team: str) -> list[dict[str, Any]]:
    """The hub roles of who belongs to a team, for the team's own login as for its members."""
    scopes = [f"servers!user={team}", f"access:servers!user={team}"]
    return [
        {"name": "user", "scopes": USER_SCOPES},
        {"name": f"team.{team}.server", "description": f"The server of {team}", "scopes": scopes},
    ]


def team_of(user: Any) -> str | None:
    """The hub user whose server a member shares; None for whoever has one of their own."""
    for group in user.groups:
        team = str(group.name).lower()
        if team != user.name:
            return team
    return None


class Home(HomeHandler):
    """The hub's home page; a member's has the buttons of the team's server."""

    @authenticated
    async def get(self) -> None:
        team = team_of(self.current_user)
        owner = self.find_user(team) if team else None
        if owner is None:
            await super().get()
            return
        if owner.running:  # one that died is noticed now
            await owner.spawner.poll_and_notify()
        address = url_path_join(self.hub.base_url, "spawn", owner.escaped_name)
        self.finish(
            await self.render_template(
                "team_home.html", team=owner.name, url=address, default_server=owner.spawner
            )
        )


class Spawn(SpawnHandler):
    """Starting one's server; a member starts the team's, or enters it when it runs."""

    @authenticated
    async def get(self, user_name: str | None = None, server_name: str = "") -> None:
        user = self.current_user
        team = team_of(user)
        if team is None or user_name not in (None, user.name):
            await super().get(user_name, server_name)
            return
        # Whoever asked for a page of the server that a member does not have means the team's.
        next_url = self.get_argument("next", "").replace(f"/user/{user.name}/", f"/user/{team}/", 1)
        query = [("next", next_url)] if next_url else []
        self.redirect(url_concat(url_path_join(self.hub.base_url, "spawn", team), query))


class Authorize(OAuthAuthorizeHandler):
    """A team's server learns who its member is without a question, as one's own server does."""

    def needs_oauth_confirm(self, user: Any, oauth_client: Any, requested_scopes: Any) -> bool:
        team = team_of(user)
        owner = self.find_user(team) if team else None
        if owner and oauth_client.identifier in {s.oauth_client_id for s in owner.spawners.values()}:
            return False
        return bool(super().needs_oauth_confirm(user, oauth_client, requested_scopes))


def user_redirect(path: str, request: Any, user: Any, base_url: str) -> str | None:
    """Where ``/hub/user-redirect/…`` leads; None for the hub's own rule."""
    team = team_of(user)
    if team is None:
        return None
    target = url_path_join(base_url, "user", team, path) + (f"?{request.query}" if request.query else "")
    return str(url_concat(url_path_join(base_url, "hub", "spawn", team), [("next", target)]))


def first_page(handler: Any) -> str:
    """Where who has just logged in lands: an organiser at the hub's home page. "" for the hub's own rule."""
    user = handler.current_user
    return str(url_path_join(handler.hub.base_url, "home")) if user is not None and user.admin else ""


HANDLERS = [
    (r"/home", Home),
    (r"/spawn", Spawn),
    (r"/spawn/([^/]+)", Spawn),
    (r"/api/oauth2/authorize", Authorize),
]
