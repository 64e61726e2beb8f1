"""Who is looking at a page: confirmed by the hub (OAuth 2), remembered by a random cookie.

The cookie is a number and nothing else; the hub's token that it stands for stays here. Losing all of
this in a restart costs the visitor one redirect that nobody sees.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlencode

from goat.errors import NotAuthenticated
from scoring_service.hub_link import CALLBACK, CLIENT_ID, HubLink, HubUser

AUTHORIZE = "/hub/api/oauth2/authorize"
VISIT_S = 12 * 3600.0
STATE_S = 600.0
REMEMBERED = 1000


class _Kept:
    """Random keys with what they stand for, for a while."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._values: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, value: str) -> str:
        key = secrets.token_urlsafe(32)
        with self._lock:
            self._values[key] = (value, self._monotonic())
            while len(self._values) > REMEMBERED:
                self._values.popitem(last=False)
        return key

    def get(self, key: str) -> str | None:
        with self._lock:
            found = self._values.get(key)
        return found[0] if found and self._monotonic() - found[1] < self._seconds else None

    def pop(self, key: str) -> str | None:
        value = self.get(key)
        with self._lock:
            self._values.pop(key, None)
        return value


class Visits:
    """All who look at pages now."""

    def __init__(self, link: HubLink, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._link = link
        self._tokens = _Kept(VISIT_S, monotonic)
        self._states = _Kept(STATE_S, monotonic)

    def user(self, cookie: str | None) -> HubUser | None:
        """Whose cookie that is; None if the hub has to be asked first. Raises `HubSilent`."""
        token = self._tokens.get(cookie) if cookie else None
        if token is None:
            return None
        try:
            return self._link.user(token)
        except NotAuthenticated:  # logged out at the hub
            return None

    def begin(self) -> tuple[str, str]:
        """Where to send the visitor, and the state to put into a cookie of its own."""
        state = self._states.put("begun")
        query = {
            "client_id": CLIENT_ID,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "state": state,
        }
        return f"{AUTHORIZE}?{urlencode(query)}", state

    def finish(self, code: str, state: str, cookie: str | None) -> str:
        """The visitor's new cookie. A state is good once, in the browser that began."""
        begun = self._states.pop(state)
        if begun is None or cookie is None or not hmac.compare_digest(state.encode(), cookie.encode()):
            raise NotAuthenticated("This login was begun elsewhere, or long ago. Open the page again.")
        token = self._link.token_for_code(code)
        self._link.user(token)
        return self._tokens.put(token)
