"""The hub, as the supervisor sees it: can it run here, and does it answer?"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request

from hub_config import memory
from hub_config.plan import ENCLOSE, PACKAGE, CannotIsolate, Plan
from hub_config.run import proxy_script
from scoring_service.settings import Settings
from scoring_service.supervise.checks import Refused

READABLE = "import jupyterhub.singleuser, goat"


def plan_of(settings: Settings) -> Plan:
    """The hub's plan, with its folders made. Raises `Refused` when the hub cannot run here."""
    if importlib.util.find_spec("jupyterhub") is None or not proxy_script().exists():
        raise Refused(
            "The hub is not installed in this environment. `make up` installs it; "
            "`goat-server up --no-hub` runs the scoring service alone."
        )
    plan = Plan(settings)
    if plan.in_containers:
        raise Refused(
            "GOAT_HUB_ISOLATION=docker is for the compose file (docs/deployment.md), where hub and proxy are "
            "containers too. Unset it here, or `goat-server up --no-hub`."
        )
    try:
        level = plan.isolation
    except CannotIsolate as trouble:
        raise Refused(f"{trouble} `goat-server up --no-hub` runs the scoring service alone.") from None
    plan.teams.mkdir(mode=0o700, parents=True, exist_ok=True)
    memory.prepare(plan.folder)
    if level == "user":
        _check_readable(plan)
    return plan


def _check_readable(plan: Plan) -> None:
    """Try, as a team's user, what every team's server does first. Raises `Refused`."""
    trial = plan.folder / "trial"
    # A number that no team gets: the one before the first.
    command = plan.enclosure(trial, plan.settings.hub_uid_base - 1, starters=False)
    result = subprocess.run(
        [*command, sys.executable, "-c", READABLE],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        env={"HOME": str(trial), "PATH": os.defpath},
    )
    if result.returncode != 0:
        if not _may_mount():
            raise Refused(
                f"Root may make no mounts here, as in a container without that right, so a team's own user "
                f"cannot enter its folder in {plan.settings.home}. Three ways out: give the container the "
                "right (docker run --cap-add=SYS_ADMIN --security-opt apparmor=unconfined), start as another "
                "user than root (with the package bubblewrap, where it may be used), or, for trying out on "
                "your own, GOAT_HUB_ISOLATION=none make up. `goat-server up --no-hub` runs the scoring "
                "service alone."
            )
        log = trial / ".server.log"
        said = (result.stderr or (log.read_text() if log.exists() else "")).strip().splitlines()
        raise Refused(
            "A team's own user cannot run the notebooks' programs here: "
            f"{said[-1] if said else 'it could not start'}. The environment ({sys.prefix}), its Python "
            f"({sys.base_prefix}) and this project ({PACKAGE.parent}) must be readable for everybody: "
            "chmod -R go+rX them, or name another Python (GOAT_PYTHON=/usr/bin/python3 make up)."
        )


def _may_mount() -> bool:
    """Whether a process of ours can have mounts of its own."""
    trial = [sys.executable, "-IS", str(ENCLOSE), "--may-mount"]
    return subprocess.run(trial, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def advice(plan: Plan) -> str:
    """What would keep teams apart where nothing does; "" where something does, or nothing was asked for."""
    if plan.isolation != "none" or plan.settings.hub_isolation == "none":
        return ""
    if not sys.platform.startswith("linux"):
        return "To keep teams apart run the hub on Linux, as root or with the package bubblewrap."
    if shutil.which("bwrap") is None:
        return (
            "To keep teams apart install the package bubblewrap (sudo apt-get install bubblewrap, or "
            "sudo dnf install bubblewrap) and start again."
        )
    return (
        "bubblewrap is installed, but this system does not let it make namespaces. To keep teams apart allow "
        "it (sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu, "
        "kernel.unprivileged_userns_clone=1 on older Debian), or start as root."
    )


def hub_problem(plan: Plan) -> str:
    """Empty when the hub answers through its proxy, else what is wrong."""
    url = f"{plan.public_url}/hub/health"
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own http address
            return ""
    except urllib.error.HTTPError as error:
        return f"the hub at {url} answers {error.code}"
    except OSError as error:
        return f"the hub at {url} does not answer ({error})"
