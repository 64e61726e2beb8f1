"""What a team's container runs: starter notebooks into the home, then the notebook server.

The container itself is the enclosure, so nothing is hidden or limited here (`hub_config.container`).
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from hub_config.plan import SERVER, Plan
from scoring_service.settings import Settings


def main() -> None:
    environment = {**os.environ, "GOAT_HUB_ISOLATION": "none", "GOAT_HUB_MEMORY": "0"}
    plan = Plan(Settings.from_env(environment))
    home = Path(os.environ["HOME"])
    command = [*plan.enclosure(home, 0), *SERVER, *sys.argv[1:]]
    ours = {
        "JUPYTER_CONFIG_PATH": os.pathsep.join(plan.jupyter_config()),
        # Kernels speak over Unix sockets, whose paths must be short.
        "JUPYTER_RUNTIME_DIR": f"{tempfile.gettempdir()}/jupyter",
        "SHELL": "/bin/bash",
    }
    os.execve(command[0], command, {**os.environ, **ours})


if __name__ == "__main__":
    main()
