"""Composition root of the API: real services, real queue server, the HTTP door on top."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from fastapi import FastAPI

from scoring_service.doors.http.app import create_app
from scoring_service.migrations import migrate
from scoring_service.services import Services
from scoring_service.settings import Settings, read_or_make_secret
from scoring_service.workers.connect import connected_services
from scoring_service.workers.doorbell import RedisChanges, listen_in_background


class QueueSilent(RuntimeError):
    """The queue server does not answer."""


def build_app(settings: Settings) -> FastAPI:
    """The API as it runs in production; brings the database up to date first."""
    if not settings.secret_key:
        key = read_or_make_secret(settings.secrets_folder, "secret_key", 48)
        settings = replace(settings, secret_key=key)
    if settings.hub_api_url and not settings.hub_api_token:
        token = read_or_make_secret(settings.secrets_folder, "hub_service_token")
        settings = replace(settings, hub_api_token=token)
    services = connected_services(settings)
    migrate(services.db)

    def check_queue() -> None:
        if services.doorbell.pending("short") is None:
            raise QueueSilent("the queue server does not answer")

    def nudges(changed: Callable[[], None]) -> contextlib.AbstractAsyncContextManager[None]:
        return _nudges(services, changed)

    return create_app(services, queue_check=check_queue, nudges=nudges)


@contextlib.asynccontextmanager
async def _nudges(services: Services, changed: Callable[[], None]) -> AsyncIterator[None]:
    """Call ``changed`` in this event loop whenever any process announced a change."""
    changes = services.changes
    assert isinstance(changes, RedisChanges), "connected services announce over the queue server"
    loop, stop = asyncio.get_running_loop(), threading.Event()

    def nudge() -> None:
        with contextlib.suppress(RuntimeError):  # the loop closed between two nudges: we are stopping
            loop.call_soon_threadsafe(changed)

    listen_in_background(changes, nudge, stop)
    try:
        yield
    finally:
        stop.set()
