"""Does one of the hub's programs work? ``python -m hub_config.health hub|proxy|culler|engine``.

What a container's health check runs, inside that container. Says what is wrong and exits with 1.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Callable

from hub_config.engine import port
from hub_config.plan import Plan
from scoring_service.settings import BadSetting, Settings

PATIENCE_S = 8.0


def problem_at(url: str, token: str = "") -> str:
    """Empty when an address answers with 200, else what is wrong."""
    request = urllib.request.Request(url, headers={"Authorization": f"token {token}"} if token else {})  # noqa: S310 - our own
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S):  # noqa: S310 - our own address
            return ""
    except urllib.error.HTTPError as error:
        return f"{url} answers {error.code}"
    except OSError as error:
        return f"{url} does not answer ({error})"


def hub(plan: Plan) -> str:
    """The hub answers, and its database with it."""
    return problem_at(f"http://127.0.0.1:{plan.hub_port}/hub/health")


def proxy(plan: Plan) -> str:
    """The proxy takes the hub's orders."""
    return problem_at(f"http://127.0.0.1:{plan.proxy_api_port}/api/routes", plan.secret("proxy_token"))


def culler(plan: Plan) -> str:
    """The hub answers the culler; that the culler runs is seen by its container's life."""
    return problem_at(f"{plan.hub_api_url}/user", plan.secret("culler_token"))


def engine(plan: Plan) -> str:
    """The container engine answers through its gate."""
    return problem_at(f"http://127.0.0.1:{port()}/_ping")


CHECKS: dict[str, Callable[[Plan], str]] = {"hub": hub, "proxy": proxy, "culler": culler, "engine": engine}


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1] not in CHECKS:
        print(f"usage: python -m hub_config.health {'|'.join(CHECKS)}", file=sys.stderr)
        return 2
    try:
        problem = CHECKS[sys.argv[1]](Plan(Settings.from_env()))
    except BadSetting as error:
        problem = str(error)
    print(problem or "healthy")
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
