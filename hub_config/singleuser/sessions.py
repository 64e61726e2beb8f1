"""A server extension: who is shut out of a team's server also loses what is open there.

Jupyter asks the hub who somebody is when a connection is opened. A kernel's or an editor's web socket stays
open for hours, so here each one's token is asked about again every few seconds, and it is closed when the
hub does not know the token any more.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

from tornado.web import HTTPError
from tornado.websocket import WebSocketHandler

BELIEVED_S = 10
"""How long the hub believes the service, and a team's server the hub, about somebody."""
EVERY_S = 5.0


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    provider = server.identity_provider
    hub = getattr(provider, "hub_auth", None)
    if hub is None:  # not behind a hub
        return
    sockets: weakref.WeakSet[WebSocketHandler] = weakref.WeakSet()
    get_user = provider.get_user

    async def remember(handler: Any) -> Any:
        user = await get_user(handler)
        if user is not None and isinstance(handler, WebSocketHandler):
            sockets.add(handler)
        return user

    # The hub's class is set by the hub itself, not by configuration: only the object can be changed.
    provider.get_user = remember
    server.io_loop.add_callback(_watch, hub, sockets)


async def _watch(hub: Any, sockets: weakref.WeakSet[WebSocketHandler]) -> None:
    while True:
        await asyncio.sleep(EVERY_S)
        for socket in list(sockets):
            # Without a connection it is not open yet (a kernel takes seconds), or closed and soon forgotten.
            if socket.ws_connection is not None and not await may_stay(hub, socket):
                socket.close(1008, "You have no access to this server any more.")


async def may_stay(hub: Any, socket: Any) -> bool:
    """Whether the hub still knows the token that a connection was opened with (its answer is cached)."""
    token = hub.get_token(socket)
    if token is None:
        return False
    try:
        user = await hub.user_for_token(token, session_id=hub.get_session_id(socket), sync=False)
    except (HTTPError, OSError):  # the hub restarts: nobody can tell
        return True
    return bool(user and hub.check_scopes(hub.access_scopes, user))
