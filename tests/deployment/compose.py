"""docker-compose.yml as the engine would read it: aliases followed, variables replaced."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
CHOSEN = {"DOCKER_GID": "999"}
"""What docker/setup.sh puts into .env and the file insists on."""
_VARIABLE = re.compile(r"\$(?:(\$)|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?])([^}]*))?\})")


@cache
def _written() -> Any:
    return yaml.safe_load(FILE.read_text())


class Missing(ValueError):
    """A variable that must be set is not."""


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """Replace ``$$``, ``${NAME}``, ``${NAME:-default}`` and ``${NAME:?complaint}`` as Compose does."""

    def replacement(found: re.Match[str]) -> str:
        escaped, name, operator, rest = found.groups()
        if escaped:
            return "$"
        value = variables.get(name)
        if value or (value is not None and not (operator or "").startswith(":")):
            return value
        if (operator or "").endswith("?"):
            raise Missing(f"{name}: {rest}")
        return rest or ""

    return _VARIABLE.sub(replacement, text)


def load(variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The whole file, with these variables set."""

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            return interpolate(value, {**CHOSEN, **(variables or {})})
        if isinstance(value, list):
            return [walk(item) for item in value]
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        return value

    content = walk(_written())
    assert isinstance(content, dict)
    return content


def services(variables: Mapping[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """Name → service."""
    found: dict[str, dict[str, Any]] = load(variables)["services"]
    return found


def started(profiles: set[str], variables: Mapping[str, str] | None = None) -> set[str]:
    """Names of the services that start under these profiles."""
    return {
        name
        for name, service in services(variables).items()
        if not service.get("profiles") or profiles & set(service["profiles"])
    }
