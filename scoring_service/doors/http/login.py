"""Logging in, and who one is."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import Response

from goat.records import Me, Token
from scoring_service.doors.http import describe
from scoring_service.doors.http.encoding import Json
from scoring_service.doors.http.guard import AccountRoute, AnyoneRoute, Known, documented_bearer
from scoring_service.doors.http.schemas import Login
from scoring_service.doors.http.state import TheDoor

public = APIRouter(route_class=AnyoneRoute)
private = APIRouter(route_class=AccountRoute, dependencies=[documented_bearer])


@public.post(
    "/auth/login",
    response_model=Token,
    responses=describe.reply(describe.TOKEN) | describe.problems(401, 429),
)
async def log_in(body: Login, door: TheDoor, request: Request) -> Response:
    """Name and password for a token."""
    address = request.client.host if request.client else ""
    if door.hub_link is not None and door.hub_link.is_hub(request.headers.get("x-goat-hub", "")):
        # Everybody who logs in at the hub comes from its address: the brake needs the browser's.
        address = request.headers.get("x-goat-address", address)
    authenticate = door.services.teams.authenticate
    identity = await door.logins.check(body.name, address, authenticate, body.name, body.password)
    return Json(await asyncio.to_thread(door.tokens.issue, identity.account_id, identity.token_version))


@private.get("/auth/me", response_model=Me, responses=describe.reply(describe.ME) | describe.problems(401))
def who_am_i(caller: Known) -> Response:
    """Whose token this is."""
    return Json(caller.as_record())


router = APIRouter(tags=["login"])
router.include_router(public)
router.include_router(private)
