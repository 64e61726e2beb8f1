"""What must be there before anything runs: migrations at every start; at the first one also the
organiser ``admin``, the sample event and the demo team.

Runs as a process of its own (``python -m scoring_service.supervise.first_start``): the supervisor
stays small, and a fault here is one readable message. Prints one JSON object on its last line.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from goat.errors import Conflict, GoatError, NotAuthenticated
from scoring_service.clock import reset_host_clock
from scoring_service.settings import BadSetting, Settings, read_or_make_secret
from scoring_service.supervise.screen import DEMO_TEAM, ORGANISER, password_file

if TYPE_CHECKING:
    from scoring_service.services import Services

SAMPLE_EVENT = "photographs"


@dataclass(slots=True)
class Prepared:
    """What was found and made."""

    passwords: dict[str, str | None] = field(default_factory=dict)
    """Login → the password generated just now, or None when it was there before or was given."""
    notes: list[str] = field(default_factory=list)


def prepare(settings: Settings) -> Prepared:
    """Bring database, organiser, sample event and demo team to where the programs expect them.

    Safe to repeat, also after being cut off in the middle. Changes nothing that an organiser has
    changed since: the demo team and the sample event are made at the first start only.
    """
    from scoring_service.migrations import migrate
    from scoring_service.services import build_services

    reset_host_clock(settings.home / "run")
    services = build_services(settings)
    migrate(services.db)
    result = Prepared()
    done = settings.home / "first-start.done"
    _put_login(services, settings, ORGANISER, settings.admin_password, result)
    if settings.default_event == SAMPLE_EVENT and not (
        done.exists() and services.events.exists(SAMPLE_EVENT)
    ):
        _put_sample_event(services, result)
    result.notes += services.events.refresh_scorers()
    if not services.events.exists(settings.default_event):
        result.notes.append(
            f"GOAT_EVENT names {settings.default_event}, which does not exist yet: "
            "create it with goat-server event apply FILE"
        )
    elif not done.exists() or _exists(services, DEMO_TEAM):
        _put_login(services, settings, DEMO_TEAM, settings.demo_password, result)
    done.touch(mode=0o600)
    return result


def sample_event_file() -> Path:
    """The file of the sample event, wherever we are installed."""
    return Path(__file__).parents[1] / "events" / "library" / SAMPLE_EVENT / "event.yaml"


def _put_sample_event(services: Services, result: Prepared) -> None:
    started = time.monotonic()
    applied = services.events.apply(sample_event_file())
    result.notes.append(f"sample event {applied.event} created ({time.monotonic() - started:.1f} s)")


def _exists(services: Services, name: str) -> bool:
    return any(team.name == name for team in services.teams.list())


def _put_login(
    services: Services, settings: Settings, name: str, given: str | None, result: Prepared
) -> None:
    """Make a login, or give it the password of the environment if that one is new."""
    kept = password_file(settings, name)
    fresh = given is None and not kept.exists()
    password = given or read_or_make_secret(kept.parent, kept.name, 9)
    try:
        if name == ORGANISER:
            services.teams.add_organiser(name, password)
        else:
            services.teams.add(name, password)
        result.passwords[name] = password if fresh else None
        return
    except Conflict:
        result.passwords[name] = None
    if given is None:
        return
    try:
        services.teams.authenticate(name, given)
    except NotAuthenticated:
        services.teams.set_password(name, given)
        result.notes.append(
            f"the password of {name} is now the one of the environment; its old logins have ended"
        )


def main() -> int:
    try:
        result = prepare(Settings.from_env())
    except (GoatError, BadSetting) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(asdict(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
