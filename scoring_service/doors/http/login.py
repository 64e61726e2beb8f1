"""Logging in, and who one is."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import Response

from goat.errors import NotFound
from goat.records import Me, Token
from scoring_service.doors.http import describe
from scoring_service.doors.http.encoding import Json
from scoring_service.doors.http.guard import (
    HUB_SECRET,
    AccountRoute,
    AnyoneRoute,
    HubRoute,
    Known,
    documented_bearer,
)
from scoring_service.doors.http.schemas import AccountName, Login
from scoring_service.doors.http.state import TheDoor, TheServices

public = APIRouter(route_class=AnyoneRoute)
hub_only = APIRouter(route_class=HubRoute)
private = APIRouter(route_class=AccountRoute, dependencies=[documented_bearer])


@public.post(
    "/auth/login",
    response_model=Token,
    responses=describe.reply(describe.TOKEN) | describe.problems(401, 429),
)
async def log_in(body: Login, door: TheDoor, request: Request) -> Response:
    """Name and password for a token."""
    address = request.client.host if request.client else ""
    if door.hub_link is not None and door.hub_link.is_hub(request.headers.get(HUB_SECRET, "")):
        # Everybody who logs in at the hub comes from its address: the brake needs the browser's.
        address = request.headers.get("x-goat-address", address)
    authenticate = door.services.teams.authenticate
    identity = await door.logins.check(body.name, address, authenticate, body.name, body.password)
    return Json(await asyncio.to_thread(door.tokens.issue, identity.account_id, identity.token_version))


@private.get("/auth/me", response_model=Me, responses=describe.reply(describe.ME) | describe.problems(401))
def who_am_i(caller: Known) -> Response:
    """Whose token this is."""
    return Json(caller.as_record())


@hub_only.get(
    "/auth/accounts/{account}",
    responses=describe.reply(describe.ME | {"login": "8d2f6c01b7a94e55d3c0.1"}) | describe.problems(401, 404),
)
def who_is(account: AccountName, services: TheServices) -> Response:
    """Who an account is now, asked by the hub about those who are logged in there.

    ``login`` changes with the password, and when somebody is removed from a team: sessions that began
    before are over.
    """
    identity = services.teams.named(account)
    if identity is None:
        raise NotFound(f"There is no account {account}.")
    me = identity.as_record()
    return Json(
        {
            "name": me.name,
            "role": me.role,
            "event": me.event,
            "team_name": me.team_name,
            "banned": me.banned,
            "login": f"{identity.account_id}.{identity.token_version}",
        }
    )


router = APIRouter(tags=["login"])
router.include_router(hub_only)
router.include_router(public)
router.include_router(private)
