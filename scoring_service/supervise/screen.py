"""What ``goat-server up`` says at the terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

from hub_config import memory
from hub_config.plan import LEVELS, Plan
from scoring_service.settings import Settings

DEMO_TEAM = "team_awesome"
ORGANISER = "admin"


class Screen:
    """One line per step, with the seconds since the start."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def say(self, text: str) -> None:
        _show(f"[{time.monotonic() - self._started:6.1f} s] {text}")

    def log_line(self, program: str, line: str) -> None:
        """A line of a program's log."""
        _show(f"{program:>12} | {line}")

    def block(self, text: str) -> None:
        _show(text)


def _show(text: str) -> None:
    # A full disk behind the standard output, or a terminal that went away, must not end the service.
    with contextlib.suppress(OSError):
        print(text, flush=True)


def base_url(settings: Settings) -> str:
    """Address of the API for somebody on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(settings.api_host, settings.api_host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{settings.api_port}" if ":" in host else f"http://{host}:{settings.api_port}"


def welcome(
    settings: Settings, passwords: dict[str, str | None], *, seconds: float, hub: Plan | None = None
) -> str:
    """The block that is printed when everything runs.

    ``passwords``: name → a password that was just made and is shown this once, or None.
    """
    url = base_url(settings)
    goat = _shortest(Path(sys.executable).with_name("goat"))
    logins = [
        f"    {what:<12}{name:<14}{_password(settings, name, passwords)}"
        for what, name in (("demo team", DEMO_TEAM), ("organiser", ORGANISER))
        if name in passwords
    ]
    return "\n".join(
        [
            "",
            f"  MLS-GOAT is running (ready after {seconds:.1f} s).",
            "",
            *(
                [f"    hub         {hub.public_url}  (notebooks, panels, boards: open it here)"]
                if hub
                else []
            ),
            f"    address     {url}",
            f"    API pages   {url}/docs",
            *logins,
            *(_limits(hub) if hub else []),
            "",
            "  From clone to a score, in a second terminal:",
            "",
            *(f"    {line}" for line in tour(goat, url)),
            "",
            f"  Data and logs: {settings.home}. Ctrl-C stops everything.",
            "",
        ]
    )


def _limits(hub: Plan) -> list[str]:
    """What keeps teams apart, and from each other's share of the machine."""
    bytes_ = hub.settings.hub_memory
    share = f"{bytes_ / (1 << 30):.3g} GB per team, {memory.LEVELS[memory.level(hub.folder)]}"
    return [
        f"    isolation   {hub.isolation}: {LEVELS[hub.isolation]}",
        f"    memory      {share if bytes_ else 'as much as a team asks for (GOAT_HUB_MEMORY=0)'}",
    ]


def tour(goat: str, url: str) -> list[str]:
    """The commands of the five-minute tour."""
    return [
        f"{goat} login {url} --team {DEMO_TEAM}",
        f"{goat} data",
        f"{goat} baseline my_answers",
        f"{goat} submit my_answers",
        f"{goat} board",
    ]


def _password(settings: Settings, name: str, passwords: dict[str, str | None]) -> str:
    fresh = passwords[name]
    kept = password_file(settings, name)
    if fresh is not None:
        return f"password {fresh}  (shown once; kept in {_shortest(kept)})"
    return f"password in {_shortest(kept)}" if kept.exists() else "password as you set it"


def password_file(settings: Settings, name: str) -> Path:
    """Where a generated password is kept, mode 0600."""
    return settings.secrets_folder / {ORGANISER: "admin_password", DEMO_TEAM: "demo_password"}[name]


def _shortest(path: Path) -> str:
    """The path as one would type it here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
