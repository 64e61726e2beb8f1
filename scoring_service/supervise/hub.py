"""The hub, as the supervisor sees it: can it run here, and does it answer?"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import urllib.error
import urllib.request

from hub_config.plan import PACKAGE, CannotIsolate, Plan
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
    try:
        level = plan.isolation
    except CannotIsolate as trouble:
        raise Refused(f"{trouble} `goat-server up --no-hub` runs the scoring service alone.") from None
    plan.teams.mkdir(mode=0o700, parents=True, exist_ok=True)
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
        log = trial / ".server.log"
        said = (result.stderr or (log.read_text() if log.exists() else "")).strip().splitlines()
        raise Refused(
            "A team's own user cannot run the notebooks' programs here: "
            f"{said[-1] if said else 'it could not start'}. The environment ({sys.prefix}), its Python "
            f"({sys.base_prefix}) and this project ({PACKAGE.parent}) must be readable for everybody: "
            "chmod -R go+rX them, or name another Python (GOAT_PYTHON=/usr/bin/python3 make up)."
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
