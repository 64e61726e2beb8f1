"""A conversation with the service: who is asking, tokens that run out, replies as typed records."""

from __future__ import annotations

import contextlib
import threading
from typing import Any, TypeVar

import msgspec

from goat.errors import NotAuthenticated, NotLoggedIn, ServiceUnreachable
from goat.identity import Credentials, find_credentials
from goat.records import Token
from goat.transports.http import Body, HttpTransport, Request

T = TypeVar("T")


class Session:
    """One service and one identity. Safe to use from several threads.

    Who is asking is looked up when it is first needed. A request either needs a login, or takes one
    if there is one: then a saved token that the service no longer knows does no harm.
    """

    def __init__(
        self, transport: HttpTransport, *, name: str | None, password: str | None, token: str | None
    ) -> None:
        self.transport = transport
        self._name, self._password, self._given_token = name, password, token
        self._token: str | None = None
        self._anonymous = False
        self._lock = threading.Lock()

    def credentials(self) -> Credentials:
        """Who is asking. Raises `goat.errors.NotLoggedIn`."""
        return find_credentials(
            self.transport.url, token=self._given_token, name=self._name, password=self._password
        )

    def login(self, name: str, password: str) -> Token:
        """A token for a name and password; what follows uses it."""
        doing = "log in"
        body = {"name": name, "password": password}
        request = Request(method="POST", path="/auth/login", doing=doing, headers={}, json=body)
        token = self.decode(self.transport.send(request).content, Token, doing)
        self._token = token.access_token
        self._anonymous = False
        return token

    def headers(self, *, login: bool) -> dict[str, str | bytes]:
        """The Authorization header; without ``login`` it is left out when nobody is logged in."""
        if self._anonymous and not login:
            return {}
        with self._lock:
            if self._token is None:
                try:
                    found = self.credentials()
                except NotLoggedIn:
                    if login:
                        raise
                    return {}
                if found.token is None:
                    self.login(found.name or "", found.password or "")
                else:
                    self._token = found.token
            return {"Authorization": f"Bearer {self._token}"}

    def send(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        login: bool = False,
        headers: dict[str, str | bytes] | None = None,
        params: dict[str, str | int] | None = None,
        json: Any = None,
        body: Body | None = None,
    ) -> bytes:
        """The reply's body. ``doing`` says in plain words what for."""

        def once(identity: dict[str, str | bytes]) -> bytes:
            sent = {**(headers or {}), **identity}
            request = Request(
                method=method, path=path, doing=doing, headers=sent, params=params, json=json, body=body
            )
            return self.transport.send(request).content

        known = self.headers(login=login)
        try:
            return once(known)
        except NotAuthenticated as error:
            refused = error
        if self._renewed():
            return once(self.headers(login=login))
        if not login and not self._anonymous:
            self._anonymous = True
            with contextlib.suppress(NotAuthenticated):
                return once({})
        raise self._who_are_you(refused)

    def call(self, method: str, path: str, shape: type[T], doing: str, **options: Any) -> T:
        """The reply as a record; ``options`` as of `send`."""
        return self.decode(self.send(method, path, doing, **options), shape, doing)

    def decode(self, body: bytes, shape: type[T], doing: str) -> T:
        """A reply's JSON as a typed record."""
        try:
            return msgspec.json.decode(body, type=shape)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            # Some other service, or one of a version that this library does not understand.
            raise ServiceUnreachable(
                f"Could not {doing}: {self.transport.url} answered, but not as this version of goat expects "
                f"({error}). Check that GOAT_URL is the scoring service's address, or update goat."
            ) from None

    def _renewed(self) -> bool:
        """Log in again with the password, if there is one: a token may run out in a long session."""
        with contextlib.suppress(NotLoggedIn):
            found = self.credentials()
            if found.name and found.password:
                self.login(found.name, found.password)
                return True
        return False

    def _who_are_you(self, error: NotAuthenticated) -> NotAuthenticated | NotLoggedIn:
        try:
            found = self.credentials()
        except NotLoggedIn as missing:
            return missing
        if found.source == "saved login":
            return NotAuthenticated(
                f"Your saved login to {self.transport.url} is no longer valid: run `goat login`.",
                **error.facts,
            )
        if found.source == "hub":
            return NotAuthenticated(
                f"This notebook's login was refused: {error.detail} If you are in the right hub, restart "
                "your server (File, Hub Control Panel, Stop My Server).",
                **error.facts,
            )
        if found.source == "GOAT_TOKEN":
            return NotAuthenticated(f"The token in GOAT_TOKEN was refused: {error.detail}", **error.facts)
        return error
