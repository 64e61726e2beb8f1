"""Compile what is installed, and the project, once: a team's own user may not write into the environment.

What is not compiled here is compiled again at the start of each team's server. Run by environment.py with the
environment's own Python; standard library only.
"""

from __future__ import annotations

import compileall
import os
import re
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = re.compile(r"[/\\]tests?[/\\]")
"""Nobody imports the tests of packages; they are a third of all files."""


def compile_all(folders: Iterable[Path]) -> None:
    """Compile every module below the folders that has changed, readable by everybody."""
    os.umask(0o022)
    for folder in folders:
        # Files that no Python of this version can read lie in many packages: templates, examples.
        compileall.compile_dir(folder, maxlevels=50, quiet=2, workers=0, rx=LEFT_OUT)
        for cache in folder.rglob("__pycache__"):  # also those that a service made for itself alone
            for path in (cache, *cache.glob("*.pyc")):
                mode = path.stat().st_mode
                if mode & 0o044 != 0o044:
                    path.chmod(mode | (0o055 if path.is_dir() else 0o044))


def main() -> int:
    own = [ROOT / name for name in ("goat", "hub_config", "scoring_service")]
    compile_all([Path(sysconfig.get_path("purelib")), *own])
    return 0


if __name__ == "__main__":
    sys.exit(main())
