"""What a team's server is, where each runs in a container of its own: one description, two readers.

The spawner sends it to the container engine, and the gate in front of the engine (`hub_config.engine`)
writes it anew from the same function, whatever the hub sent: so a hub that was taken over still can start
nothing else than servers like these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from scoring_service.settings import Settings

PREFIX = "goat-team"
NAME = re.compile(rf"{PREFIX}-[a-z0-9][a-z0-9-]{{0,199}}")
"""A team's name has 64 characters at most, of which the spawner writes some with three (``-`` as ``-2d``)."""
LABEL = "org.mls-goat.team"
HOME = "/home/team"
USER = "10002:10002"
PORT = 8888
LOG = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}


def team_container(settings: Settings, name: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """The engine's description of one team's container.

    ``name``: the container's, and its volume's. ``environment``: variables of the server, by name.
    """
    memory = settings.hub_memory
    return {
        "Image": settings.hub_image,
        "User": USER,
        "WorkingDir": HOME,
        "Env": [f"{key}={value}" for key, value in environment.items()],
        "Labels": {LABEL: name},
        "ExposedPorts": {f"{PORT}/tcp": {}},
        "HostConfig": {
            "Mounts": [{"Type": "volume", "Source": name, "Target": HOME}],
            "NetworkMode": settings.hub_network,
            "Privileged": False,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "ReadonlyRootfs": True,
            "Tmpfs": {"/tmp": "rw,nosuid,nodev,size=512m,mode=1777"},  # noqa: S108 - the container's own
            "ShmSize": 256 << 20,
            "Init": True,
            "PidsLimit": settings.hub_processes or -1,
            "Memory": memory,
            "MemorySwap": memory,  # as much as the memory: no swap on top of it
            "NanoCpus": int(settings.hub_cpus * 1e9),
            "RestartPolicy": {"Name": "no"},
            "LogConfig": LOG,
        },
    }


def environment_of(description: Mapping[str, Any]) -> dict[str, str]:
    """The variables in a description of `team_container`. Raises `ValueError` where there are none."""
    variables = description.get("Env")
    if not isinstance(variables, list) or not all(isinstance(one, str) and "=" in one for one in variables):
        raise ValueError("Env is no list of NAME=value")
    return {key: value for key, _, value in (one.partition("=") for one in variables)}
