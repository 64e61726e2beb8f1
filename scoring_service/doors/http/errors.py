"""The one place where errors become replies (RFC 9457), for every route and for what has no route.

A reply carries the error's code, its sentence and its facts; it never repeats what was sent, which
may be a password.
"""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from goat import errors
from scoring_service.doors.http.encoding import MalformedJson, encode

PROBLEM = "application/problem+json"
logger = logging.getLogger(__name__)

STATUS: Mapping[type[errors.GoatError], int] = {
    errors.NotAuthenticated: 401,
    errors.Forbidden: 403,
    errors.DeadlinePassed: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.Invalid: 422,
    errors.Rejection: 422,
    errors.LimitReached: 429,
    errors.UploadIncomplete: 400,
    MalformedJson: 400,
    errors.StorageFull: 507,
    errors.Unavailable: 503,
    errors.HubSilent: 503,
    errors.RequestError: 400,
}
"""Error class → status; a class that is not named has its nearest base's."""

_OWN = frozenset({"type", "title", "status", "detail", "code", "instance"})
_CODE_OF_STATUS = {
    400: errors.Invalid.code,
    401: errors.NotAuthenticated.code,
    403: errors.Forbidden.code,
    404: errors.NotFound.code,
    405: "method_not_allowed",
    413: errors.TooLarge.code,
    422: errors.Invalid.code,
}


def status_of(error: errors.GoatError) -> int:
    """The HTTP status of an error."""
    return next((STATUS[cls] for cls in type(error).__mro__ if cls in STATUS), 400)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    instance: str = "",
    facts: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem reply. ``facts`` are further members for programs."""
    members: dict[str, Any] = {
        "type": f"urn:goat:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "instance": instance,
    }
    members.update({key: value for key, value in (facts or {}).items() if key not in _OWN})
    extra = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {})}
    retry_after = members.get("retry_after")
    if status in (429, 503) and isinstance(retry_after, int | float) and math.isfinite(retry_after):
        extra["Retry-After"] = str(max(1, math.ceil(retry_after)))
    if status == 401:
        extra["WWW-Authenticate"] = "Bearer"
    return Response(encode(members), status, extra, PROBLEM)


def reply_to(error: errors.GoatError, path: str) -> Response:
    """The problem reply for an error of the tree."""
    return problem(status_of(error), error.code, error.detail, instance=path, facts=error.facts)


def reply_to_fields(faults: Iterable[Mapping[str, Any]], path: str) -> Response:
    """The problem reply for fields that do not fit: all of them named, none of their values shown."""
    problems = [
        {"code": str(fault["type"]), "field": ".".join(map(str, fault["loc"])), "message": str(fault["msg"])}
        for fault in faults
    ]
    detail = "; ".join(f"{entry['field']}: {entry['message']}" for entry in problems[:5])
    return problem(422, errors.Invalid.code, detail, instance=path, facts={"problems": problems})


def _path(request: Request) -> str:
    return str(request.scope.get("path", ""))


def install(app: FastAPI) -> None:
    """Make every error of the application a problem reply."""

    # Starlette types handlers for the base class only, hence the narrowing by assert.
    @app.exception_handler(errors.GoatError)
    async def _goat(request: Request, error: Exception) -> Response:
        assert isinstance(error, errors.GoatError)
        return reply_to(error, _path(request))

    @app.exception_handler(RequestValidationError)
    async def _fields(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return reply_to_fields(error.errors(), _path(request))

    @app.exception_handler(HTTPException)
    async def _framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        cause = error.__cause__
        if isinstance(cause, errors.GoatError):  # FastAPI wraps what went wrong while it read the body
            return reply_to(cause, _path(request))
        code = _CODE_OF_STATUS.get(error.status_code, "request_error")
        detail = "There is nothing at this address." if error.status_code == 404 else str(error.detail)
        return problem(error.status_code, code, detail, instance=_path(request), headers=error.headers)

    @app.exception_handler(Exception)
    async def _ours(request: Request, error: Exception) -> Response:
        return our_fault(error, _path(request))


def our_fault(error: BaseException, path: str) -> Response:
    """The reply to a fault of ours: logged under a number that the organiser can look for."""
    number = secrets.token_hex(4)
    logger.error("fault %s at %s", number, path, exc_info=error)
    return problem(
        500,
        "internal_error",
        f"The service has a fault of its own. Tell the organiser the number {number}.",
        instance=path,
        facts={"incident": number},
    )
