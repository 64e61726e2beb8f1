"""What could keep us from starting, found before anything runs, with what to do about it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from hub_config.plan import Plan
from scoring_service.settings import Settings, runtime_folder


class Refused(Exception):
    """Why we do not start, and what to do: sentences for the person at the terminal."""


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen on the port now."""
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    ):
        with socket.socket(family, kind, protocol) as probe:
            # As servers do: a port that merely cools down from a former connection is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError:
                return False
    return True


def check_ports(settings: Settings, hub: Plan | None) -> None:
    """Raise `Refused` when a port of ours is taken, naming one that is free."""
    _check_port("GOAT_API", settings.api_host, settings.api_port)
    if hub is None:
        return
    _check_port("GOAT_HUB", settings.hub_host, settings.hub_port)
    for port in (hub.hub_port, hub.proxy_api_port):
        if not is_free("127.0.0.1", port):
            raise Refused(
                f"Port {port}, which the hub needs for itself, is in use by another program. Stop it "
                f"(ss -ltnp 'sport = :{port}' shows which it is), or name the first of two free ports: "
                f"GOAT_HUB_INTERNAL_PORT={_free_pair(port)} make up"
            )


def _free_pair(after: int) -> int:
    """The first of two neighbouring ports that are free."""
    candidates = range(after + 1, min(after + 200, 65534))
    return next((p for p in candidates if is_free("127.0.0.1", p) and is_free("127.0.0.1", p + 1)), 18081)


def _check_port(variable: str, host: str, port: int) -> None:
    try:
        if is_free(host, port):
            return
    except socket.gaierror:
        raise Refused(f"{variable}_HOST={host} is no address of this machine.") from None
    if port < 1024 and os.geteuid() != 0:
        raise Refused(
            f"Port {port} needs root, or is in use. Choose one above 1023: {variable}_PORT=8000 make up"
        )
    other = next((p for p in range(port + 1, min(port + 100, 65535)) if is_free(host, p)), None)
    hint = f"or choose another port: {variable}_PORT={other} make up" if other else f"or set {variable}_PORT"
    raise Refused(
        f"Port {port} on {host} is in use by another program. Stop it "
        f"(ss -ltnp 'sport = :{port}' shows which it is), {hint}"
    )


def make_folders(settings: Settings) -> None:
    """Make GOAT_HOME and what lies in it, for our user only. Raises `Refused`."""
    home = settings.home
    try:
        ours = not home.exists() or (home / "up.lock").exists()
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if ours:  # never tighten a folder that somebody else may use, such as /tmp named by mistake
            home.chmod(0o700)
        for folder in (
            *([] if settings.secrets else [settings.secrets_folder]),
            home / "run",
            home / "queue",
            home / "log",
            runtime_folder(home),
        ):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_private(folder)
            folder.chmod(0o700)
    except OSError as error:
        raise Refused(
            f"GOAT_HOME={home} cannot be used: {error.strerror}. Name a folder that you may write to: "
            "GOAT_HOME=/path/to/folder make up"
        ) from error


def _check_private(folder: Path) -> None:
    """A folder below /tmp could have been made by somebody else before us."""
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise Refused(f"{folder} belongs to another user. Remove it, or choose another GOAT_HOME.")
