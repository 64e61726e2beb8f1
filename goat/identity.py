"""Who am I, and where is the service?

Asked in this order, the first that knows answers: what the call was given (token, or name and
password), ``GOAT_TOKEN``, the hub's own token, the saved login of ``goat login``. The address:
what the call was given, ``GOAT_URL``, the server of the last login, this machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from goat.errors import Invalid, NotLoggedIn

DEFAULT_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A token, or a name and password to get one with; ``source`` says where they come from."""

    source: str
    token: str | None = field(default=None, repr=False)
    name: str | None = None
    password: str | None = field(default=None, repr=False)


def normal_url(url: str) -> str:
    """The address in one spelling, so that a saved login is found again.

    >>> normal_url("LocalHost:8000/")
    'http://localhost:8000'
    """
    text = url.strip()
    if "://" not in text:
        text = f"http://{text}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise Invalid(f"{url!r} is not an address: write it like {DEFAULT_URL}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise Invalid(f"{url!r} is not an address of the service: write it like {DEFAULT_URL}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


# --- saved logins -----------------------------------------------------------------------------


def logins_file() -> Path:
    """Where logins are saved: ``logins.json`` in the user's configuration folder, readable by its owner."""
    from platformdirs import user_config_dir

    return Path(user_config_dir("goat", appauthor=False)) / "logins.json"


def _load() -> dict[str, Any]:
    try:
        content = json.loads(logins_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {"default": None, "servers": {}}
    sound = isinstance(content, dict) and isinstance(content.get("servers"), dict)
    return content if sound else {"default": None, "servers": {}}


def _store(content: Mapping[str, Any]) -> None:
    target = logins_file()
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    # Created with mode 0600 from its first byte: there is no moment at which others could read it.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
    os.replace(temporary, target)


def save_login(url: str, token: str, name: str) -> Path:
    """Remember the token (never the password) for this server, and the server as the default one."""
    content = _load()
    content["servers"][normal_url(url)] = {"token": token, "name": name}
    content["default"] = normal_url(url)
    _store(content)
    return logins_file()


def forget_login(url: str) -> bool:
    """Forget the saved login of this server; False if there was none."""
    content = _load()
    known = content["servers"].pop(normal_url(url), None) is not None
    if content["default"] == normal_url(url):
        content["default"] = next(iter(content["servers"]), None)
    if known:
        if content["servers"]:
            _store(content)
        else:
            with contextlib.suppress(FileNotFoundError):
                logins_file().unlink()
    return known


def saved_name(url: str) -> str | None:
    """The team or account that is logged in to this server here."""
    saved = _load()["servers"].get(normal_url(url))
    return saved.get("name") if isinstance(saved, dict) else None


def service_url(url: str | None = None) -> str:
    """Where the service is: the argument, ``GOAT_URL``, the last login's server, or this machine."""
    return normal_url(url or os.environ.get("GOAT_URL") or _load()["default"] or DEFAULT_URL)


# --- who am I ---------------------------------------------------------------------------------


def _from_environment(url: str) -> Credentials | None:
    token = os.environ.get("GOAT_TOKEN")
    return Credentials("GOAT_TOKEN", token=token) if token else None


def _from_hub(url: str) -> Credentials | None:
    """A notebook's own token, which the service shows to the hub. It goes to ``GOAT_URL`` only."""
    token, own = os.environ.get("JUPYTERHUB_API_TOKEN"), os.environ.get("GOAT_URL")
    if not token or not own or normal_url(own) != url:
        return None
    return Credentials("hub", token=token, name=os.environ.get("JUPYTERHUB_USER"))


def _from_saved(url: str) -> Credentials | None:
    saved = _load()["servers"].get(url)
    if not isinstance(saved, dict) or not saved.get("token"):
        return None
    return Credentials("saved login", token=saved["token"], name=saved.get("name"))


_SOURCES: tuple[Callable[[str], Credentials | None], ...] = (_from_environment, _from_hub, _from_saved)


def find_credentials(
    url: str, *, token: str | None = None, name: str | None = None, password: str | None = None
) -> Credentials:
    """Who is asking the service at ``url``.

    A ``name`` alone takes its password from ``GOAT_PASSWORD``, or the saved login of that name.
    Raises `goat.errors.NotLoggedIn`, saying how to log in.
    """
    url = normal_url(url)
    if token:
        return Credentials("token", token=token, name=name)
    if name and not password:
        password = os.environ.get("GOAT_PASSWORD")
    if name and password:
        return Credentials("name and password", name=name, password=password)
    if password:
        raise NotLoggedIn("A password needs the team's name: give team_id as well.")
    for source in _SOURCES:
        found = source(url)
        if found is None:
            continue
        # Names that differ only in case are one name; the hub writes them in small letters.
        if name and found.name and found.name.lower() != name.lower():
            raise NotLoggedIn(
                f"You are logged in to {url} as {found.name}, not {name}: "
                f"give its password, or run `goat login --team {name}`."
            )
        return found
    raise NotLoggedIn(
        f"Nobody is logged in to {url}: run `goat login` (or goat.login(name, password)), "
        "set GOAT_TOKEN, or pass team_id and password."
    )
