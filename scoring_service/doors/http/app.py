"""The HTTP application: one of everything the door needs, its routes and its layers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from scoring_service.doors.http import admin, describe, documented, errors, login, v1
from scoring_service.doors.http.board_cache import BoardCache, CourseCache
from scoring_service.doors.http.docs import DocsPolicy
from scoring_service.doors.http.encoding import Json
from scoring_service.doors.http.front import Front
from scoring_service.doors.http.guard import AnyoneRoute, Authenticator
from scoring_service.doors.http.health import Check, Health
from scoring_service.doors.http.hub import Hub, Rhythm
from scoring_service.doors.http.logins import LoginBrake
from scoring_service.doors.http.state import Door, Lookout, TheDoor, load_board
from scoring_service.doors.http.tokens import Tokens
from scoring_service.doors.http.uploads import Pace, UploadDesk
from scoring_service.doors.pages.routes import router as pages
from scoring_service.doors.pages.visits import Visits
from scoring_service.hub_link import HubLink
from scoring_service.services import Services
from scoring_service.teams.identity import Identity

Nudges = Callable[[Callable[[], None]], AbstractAsyncContextManager[None]]
"""Given a function, calls it in the event loop whenever something changed, for as long as it is open."""

root = APIRouter(route_class=AnyoneRoute)


@root.get(
    "/",
    tags=["health"],
    responses=describe.reply(
        {"status": "healthy", "timestamp": "2026-11-21T09:00:00Z", "database": "ok", "queue": "ok"}
    ),
)
async def health(door: TheDoor) -> Response:
    """Is the service well? Database and queue are really asked."""
    status, body = await door.health.report()
    return Json(body, status)


def create_app(
    services: Services,
    *,
    queue_check: Check | None = None,
    nudges: Nudges | None = None,
    rhythm: Rhythm | None = None,
    pace: Pace | None = None,
) -> FastAPI:
    """The application on these services.

    ``queue_check`` raises when the queue server does not answer; ``nudges`` tells of changes made by
    other processes (without it they are seen within a second). Raises `tokens.WeakKey`.
    """
    door = _door(services, queue_check, rhythm, pace)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with nudges(door.changed) if nudges else contextlib.nullcontext():
            yield
        door.hub.close()
        door.uploads.close()
        door.logins.close()

    app = FastAPIOffline(
        title="MLS-GOAT scoring service",
        version=version("mls-goat"),
        description="Send submissions, see scores and boards. Errors are problem replies (RFC 9457).",
        lifespan=lifespan,
    )
    assert isinstance(app, FastAPI)
    app.state.door = door
    errors.install(app)
    for router in (root, login.router, v1.router, documented.router, admin.router, pages):
        app.include_router(router)
    app.add_middleware(DocsPolicy)
    # Around everything, FastAPI's own layers too: each of them costs every event of every stream a call.
    app.middleware_stack = Front(app.build_middleware_stack(), door)
    origins = [origin.strip() for origin in services.settings.cors_origins.split(",") if origin.strip()]
    if origins:
        app.middleware_stack = CORSMiddleware(app.middleware_stack, **_cors(origins))
    return app


def _door(services: Services, queue_check: Check | None, rhythm: Rhythm | None, pace: Pace | None) -> Door:
    settings = services.settings
    tokens = Tokens(
        settings.secret_key, lifetime=timedelta(hours=settings.token_hours), now=services.clock.now
    )
    link = HubLink(settings.hub_api_url, settings.hub_api_token) if settings.hub_api_url else None

    def identify_hub(token: str) -> Identity:
        assert link is not None
        return services.teams.identify_by_name(link.user(token).name)

    authenticator = Authenticator(
        tokens, services.teams.identify, identify_hub=identify_hub if link else None
    )
    checks: Mapping[str, Check] = {"database": services.db.ping}
    if queue_check is not None:
        checks = {**checks, "queue": queue_check}
    return Door(
        services=services,
        tokens=tokens,
        authenticator=authenticator,
        boards=BoardCache(lambda challenge, split, caller: load_board(services, challenge, split, caller)),
        courses=CourseCache(services.leaderboard.course),
        hub=Hub(Lookout(services, authenticator), rhythm),
        uploads=UploadDesk(services.store, pace),
        logins=LoginBrake(),
        health=Health(checks),
        hub_link=link,
        visits=Visits(link) if link else None,
    )


def _cors(origins: list[str]) -> dict[str, Any]:
    return {
        "allow_origins": origins,
        "allow_methods": ["GET", "POST", "PUT", "DELETE"],
        "allow_headers": ["Authorization", "Content-Type", "Content-Digest", "Idempotency-Key", "X-Filename"],
        "expose_headers": ["ETag", "Location", "Retry-After"],
    }
