"""Ask whether one program of ours works: what a container's health check runs."""

from __future__ import annotations

import json
import platform
import urllib.error
import urllib.request
from collections.abc import Callable

import click

from scoring_service.settings import Settings

PATIENCE_S = 8.0


@click.group()
def command() -> None:
    """Say in one line whether a program works; exit status 1 when it does not."""


@command.command()
def api() -> None:
    """The API answers and reaches its database (it also works while the queue server is away)."""
    from scoring_service.supervise.screen import base_url

    _tell(lambda: _api_problem(base_url(Settings.from_env())))


@command.command()
@click.option("--lane", default=None, help="Only a worker of this lane counts.")
def worker(lane: str | None) -> None:
    """A worker of this host has told the database within the last seconds that it is alive."""
    _tell(lambda: _worker_problem(Settings.from_env(), lane))


@command.command()
def sweeper() -> None:
    """The sweeper has swept within the last seconds, which it cannot without the database."""
    _tell(lambda: _sweeper_problem(Settings.from_env()))


def _tell(look: Callable[[], str]) -> None:
    """Print what was found. Raises `click.ClickException` with the problem, if there is one."""
    try:
        problem = look()
    except Exception as error:  # noqa: BLE001  # whatever it is, it means "does not work"
        problem = str(error).strip().partition("\n")[0] or repr(error)
    if problem:
        raise click.ClickException(problem)
    click.echo("healthy")


def _api_problem(url: str) -> str:
    try:
        with urllib.request.urlopen(f"{url}/", timeout=PATIENCE_S) as reply:  # noqa: S310 - our own address
            status = json.load(reply).get("status")
    except urllib.error.HTTPError as error:
        return f"{url}/ answers {error.code}: {error.read(300).decode(errors='replace')}"
    except (OSError, ValueError, AttributeError) as error:
        return f"{url}/ does not answer ({error})"
    return "" if status in ("healthy", "degraded") else f"{url}/ says {status!r}"


def _worker_problem(settings: Settings, lane: str | None) -> str:
    from scoring_service.services import build_services

    services = build_services(settings)
    try:
        alive = services.submissions.lanes_served_by(platform.node())
    finally:
        services.db.dispose()
    if lane in alive or (lane is None and alive):
        return ""
    which = f"of the lane {lane} " if lane else ""
    return f"no worker {which}on {platform.node()} has said lately that it is alive; see its log"


def _sweeper_problem(settings: Settings) -> str:
    from scoring_service.workers.last_sweep import SILENT_AFTER_S, seconds_since_sweep

    age = seconds_since_sweep(settings.home)
    if age <= SILENT_AFTER_S:
        return ""
    when = f"for {age:.0f} s" if age < float("inf") else "since this host started"
    return f"no sweep has succeeded {when}; see the sweeper's log"
