"""The pages' routes, below the hub's address: ``/services/goat/``."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.responses import HTMLResponse, RedirectResponse, Response

from goat.errors import GoatError, NotAuthenticated
from goat.text import amount, metric_label, number
from scoring_service.doors.http.errors import status_of
from scoring_service.doors.http.state import Door, TheDoor
from scoring_service.doors.pages.overview import ROWS, gather
from scoring_service.doors.pages.visits import Visits
from scoring_service.hub_link import SERVICE

PREFIX = f"/services/{SERVICE}"
VISIT, STATE = "goat-visit", "goat-state"
FOLDER = Path(__file__).with_name("templates")


def _age(moment: datetime | None, now: datetime) -> str:
    """How long ago, as one says it."""
    if moment is None:
        return "–"
    seconds = max(0, int((now - moment).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


_pages = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, undefined=jinja2.StrictUndefined
)
_pages.filters.update(age=_age, score=number, heading=metric_label)
_pages.globals.update(amount=amount)


def _page(name: str, status: int = 200, **values: object) -> HTMLResponse:
    nonce = secrets.token_urlsafe(16)
    body = _pages.get_template(name).render(nonce=nonce, hub="/hub", **values)
    # Nothing is loaded from anywhere, nothing is executed, and nobody frames it but the hub.
    policy = f"default-src 'none'; style-src 'nonce-{nonce}'; frame-ancestors 'self'; base-uri 'none'"
    headers = {
        "Content-Security-Policy": f"{policy}; form-action 'none'",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
    }
    return HTMLResponse(body, status, headers)


class PageRoute(APIRoute):
    """For people: what goes wrong is a page with one sentence."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def readable(request: Request) -> Response:
            try:
                return await handler(request)
            except GoatError as error:
                return _page("refused.html", status_of(error), sentence=error.detail)

        return readable


router = APIRouter(prefix=PREFIX, route_class=PageRoute, include_in_schema=False)


def _visits(door: Door) -> Visits:
    if door.visits is None:
        raise NotAuthenticated("This page needs the hub: start the service with `make up`.")
    return door.visits


@router.get("/")
def overview(request: Request, door: TheDoor) -> Response:
    """Teams online, queue, workers, last submissions, boards: for organisers."""
    user = _visits(door).user(request.cookies.get(VISIT))
    if user is None:
        where, state = _visits(door).begin()
        reply: Response = RedirectResponse(where, 302)
        _set_cookie(reply, request, STATE, state)
        return reply
    organiser = door.services.teams.identify_by_name(user.name)
    organiser.require_organiser()
    assert door.hub_link is not None
    return _page(
        "overview.html", me=organiser.name, rows=ROWS, seen=gather(door.services, door.hub_link, organiser)
    )


@router.get("/oauth_callback")
def oauth_callback(request: Request, door: TheDoor, code: str = "", state: str = "") -> Response:
    """Where the hub sends a visitor back to."""
    visit = _visits(door).finish(code, state, request.cookies.get(STATE))
    reply = RedirectResponse(f"{PREFIX}/", 302)
    reply.delete_cookie(STATE, path=f"{PREFIX}/")
    _set_cookie(reply, request, VISIT, visit)
    return reply


def _set_cookie(reply: Response, request: Request, name: str, value: str) -> None:
    secure = request.headers.get("x-forwarded-proto", request.url.scheme).startswith("https")
    reply.set_cookie(name, value, path=f"{PREFIX}/", httponly=True, samesite="lax", secure=secure)
