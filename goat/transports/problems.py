"""Replies that are not what was asked for, as errors of the one tree; the only place that maps them."""

from __future__ import annotations

import os
from typing import Any

import httpx
import msgspec

from goat.errors import (
    Conflict,
    DeadlinePassed,
    Forbidden,
    GoatError,
    Invalid,
    LimitReached,
    NotAuthenticated,
    NotFound,
    RequestError,
    ServiceUnreachable,
    StorageFull,
    TooLarge,
    from_facts,
)

_STANDARD = frozenset({"type", "title", "status", "detail", "code", "instance"})
"""Members of a problem reply (RFC 9457) that are not facts."""

_BY_STATUS: dict[int, type[RequestError]] = {
    400: Invalid,
    401: NotAuthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: Invalid,
    429: LimitReached,
    507: StorageFull,
}
"""For replies without a code of ours, e.g. from a proxy in between."""

assert DeadlinePassed.code, "told apart from Forbidden by its code alone"


def error_of(response: httpx.Response, url: str, doing: str) -> GoatError:
    """The error that a reply of status ≥ 300 stands for. Its body must have been read."""
    body = _decoded(response)
    status = response.status_code
    code = body.get("code")
    if isinstance(code, str):
        facts = {str(key): value for key, value in body.items() if key not in _STANDARD}
        detail = str(body.get("detail") or body.get("title") or f"The service answered {status}.")
        try:
            return from_facts(code, detail, facts)
        except TypeError:  # a newer service knows members that this library does not
            return RequestError(detail, code=code)
    if status in (502, 503, 504):
        return ServiceUnreachable(
            f"Could not {doing}: the service at {url} is not ready (it answered {status}). "
            "Try again in a minute; if it stays so, tell the organiser."
        )
    if 300 <= status < 400:
        target = response.headers.get("location", "another address")
        return ServiceUnreachable(
            f"Could not {doing}: {url} points to {target}. Set GOAT_URL to the address of the service itself."
        )
    if status >= 500:
        return RequestError(
            f"Could not {doing}: the service had a fault of its own ({status}). "
            "It is not your submission; try again, and tell the organiser if it stays so.",
            status=status,
        )
    said = body.get("detail")
    if not isinstance(said, str):
        said = f"{url} answered {status}; is GOAT_URL right?"
    return _BY_STATUS.get(status, RequestError)(f"Could not {doing}: {said}", status=status)


def _decoded(response: httpx.Response) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, httpx.ResponseNotRead):
        return {}
    return body if isinstance(body, dict) else {}


def unreachable(error: httpx.TransportError, url: str, doing: str, attempts: int) -> ServiceUnreachable:
    """One sentence for a broken connection: what was tried, where, and what to check."""
    tries = f", {attempts} tries" if attempts > 1 else ""
    return ServiceUnreachable(
        f"Could not {doing}: no answer from {url} ({_reason(error)}{tries}). {_advice()}",
        url=url,
        attempts=attempts,
    )


def _advice() -> str:
    if os.environ.get("JUPYTERHUB_API_TOKEN") and os.environ.get("GOAT_URL"):  # both set by the hub
        return "Your files are safe. Give it a minute; if it stays so, tell the organiser."
    return "Check that the service is running and that GOAT_URL is its address."


def _reason(error: httpx.TransportError) -> str:
    said = str(error).lower()
    if isinstance(error, httpx.ConnectTimeout):
        return "the connection timed out"
    if isinstance(error, httpx.TimeoutException):
        return "it stopped answering"
    if isinstance(error, httpx.ProxyError):
        return "the proxy of HTTP_PROXY or HTTPS_PROXY refused"
    if "refused" in said:
        return "connection refused"
    if "certificate" in said or "ssl" in said:
        return "its TLS certificate was not accepted" if "certificate" in said else "it does not speak https"
    if any(sign in said for sign in ("name or service", "nodename", "getaddrinfo", "name resolution")):
        return "no machine of that name is known"
    if "unreachable" in said or "no route" in said:
        return "the network is unreachable"
    return "the connection broke"
