"""Run the API server."""

from __future__ import annotations

import contextlib
import gc
import socket
from typing import TYPE_CHECKING

import click
import uvicorn

from scoring_service.doors.http.state import Door
from scoring_service.main import build_app
from scoring_service.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

GRACE_S = 2
"""Open event streams never end by themselves; this bounds how long the server waits for them."""


class Server(uvicorn.Server):
    """Closes the event streams first when it stops, so that stopping takes no grace at all."""

    def __init__(self, config: uvicorn.Config, door: Door) -> None:
        super().__init__(config)
        self._door = door

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._door.hub.close()
        await super().shutdown(sockets)


def server_of(app: FastAPI, settings: Settings) -> Server:
    """The server for this application, listening where the settings say."""
    trusted = settings.trusted_proxies.strip()
    config = uvicorn.Config(
        app,
        host=settings.api_host,
        port=settings.api_port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        # X-Forwarded-For counts only when it comes from a proxy that the organiser named.
        proxy_headers=bool(trusted),
        forwarded_allow_ips=trusted or None,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=GRACE_S,
        backlog=4096,
    )
    return Server(config, app.state.door)


def allow_many_connections() -> None:
    """Raise the limit on open files to what the system allows: every open board is a connection."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and soft < hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def collect_garbage_rarely() -> None:
    """Spare the collector what lives as long as the process: a thousand open streams are many objects,
    and looking through all of them in the middle of an event is what its slowest listener waits for."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@click.command()
def command() -> None:
    """Run the API server in the foreground; settings come from the environment (docs/settings.md)."""
    settings = Settings.from_env()
    allow_many_connections()
    app = build_app(settings)
    collect_garbage_rarely()
    click.echo(f"API on http://{settings.api_host}:{settings.api_port}")
    server_of(app, settings).run()
