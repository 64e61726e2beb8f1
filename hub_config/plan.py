"""Everything the hub needs to know, derived once from the settings: addresses, folders, isolation."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hub_config.memory import of_one_process
from scoring_service.settings import Settings, read_or_make_secret, runtime_folder

PACKAGE = Path(__file__).resolve().parent
ENCLOSE = PACKAGE / "enclose.py"
SINGLEUSER = PACKAGE / "singleuser"
SERVICE = "goat"
SOCKETS = ("/run", "/var/snap/lxd", "/var/lib/lxd", "/var/lib/incus")
"""Where container engines, virtual machines and the user's session listen: who may speak to them rules."""
HOMES = ("/home", "/root")
SERVICE_PREFIX = f"/services/{SERVICE}/"
SERVER = [sys.executable, "-P", "-m", "jupyterhub.singleuser"]
"""A team's server. ``-P``: it starts in the team's folder, where ``random.py`` is none of its modules."""
LEVELS = {
    "user": "every team's server runs as a user of its own, and sees no other files",
    "bubblewrap": "every team's server runs in bubblewrap, and sees no other processes and files",
    "docker": "every team's server runs in a container of its own",
    "none": "NONE: a team's notebook can read everything that this user can. For trying out only",
}


class CannotIsolate(Exception):
    """The isolation that was asked for is not possible here: a sentence for the person at the terminal."""


@dataclass(frozen=True)
class Plan:
    """The hub of one GOAT_HOME."""

    settings: Settings

    @property
    def folder(self) -> Path:
        """What the hub keeps: its database, cookie secret and the teams' folders."""
        return self.settings.home / "hub"

    @property
    def teams(self) -> Path:
        return self.folder / "teams"

    @property
    def hub_port(self) -> int:
        return self.settings.hub_internal_port or self.settings.hub_port + 1

    @property
    def proxy_api_port(self) -> int:
        return self.hub_port + 1

    @property
    def public_url(self) -> str:
        return f"http://{_bracketed(self.settings.hub_host)}:{self.settings.hub_port}"

    @property
    def in_containers(self) -> bool:
        """Whether hub, proxy and teams' servers are containers, which reach each other by network."""
        return self.settings.hub_isolation == "docker"

    @property
    def listens(self) -> str:
        """Where hub and proxy listen for each other: this machine only, if they are on one."""
        return "0.0.0.0" if self.in_containers else "127.0.0.1"  # noqa: S104 - the container's own network

    @property
    def hub_api_url(self) -> str:
        return self.settings.hub_api_url or f"http://127.0.0.1:{self.hub_port}/hub/api"

    @property
    def hub_url(self) -> str:
        """The hub itself, for its proxy and the teams' servers."""
        return self.hub_api_url.removesuffix("/hub/api")

    @property
    def proxy_api_url(self) -> str:
        """Where the proxy takes the hub's orders."""
        return self.settings.hub_proxy_url or f"http://127.0.0.1:{self.proxy_api_port}"

    @property
    def service_url(self) -> str:
        """The scoring service, for the hub and the teams' servers."""
        if self.settings.hub_service_url:
            return self.settings.hub_service_url
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(  # noqa: S104 - compared, not bound
            self.settings.api_host, self.settings.api_host
        )
        return f"http://{_bracketed(host)}:{self.settings.api_port}"

    @property
    def personal(self) -> bool:
        """Whether people log in as themselves and share their team's server."""
        return self.settings.hub_logins == "personal"

    @property
    def notebooks(self) -> Path | None:
        """Folder of starter notebooks, if there is one."""
        named = self.settings.hub_notebooks
        folder = Path(named).resolve() if named else PACKAGE.parent / "notebooks"
        return folder if folder.is_dir() else None

    @property
    def first_page(self) -> str:
        """Where a team's server opens: its first starter notebook (copied back when it is missing)."""
        first = (
            min((path.name for path in self.notebooks.glob("*.ipynb")), default="") if self.notebooks else ""
        )
        return f"/lab/tree/notebooks/{first}" if first else "/lab"

    def secret(self, name: str) -> str:
        """One of the hub's secrets (mode 0600), made at first use."""
        return read_or_make_secret(self.settings.secrets_folder, f"hub_{name}", 32)

    @cached_property
    def isolation(self) -> str:
        """The level that is reached: a key of `LEVELS`. Raises `CannotIsolate`."""
        wanted = self.settings.hub_isolation
        root = os.geteuid() == 0
        if wanted == "user" and not root:
            raise CannotIsolate("GOAT_HUB_ISOLATION=user needs root; without root use bubblewrap.")
        if wanted in ("user", "docker", "none"):
            return wanted
        if root and wanted == "auto":
            return "user"
        if bubblewrap_works():
            return "bubblewrap"
        if wanted == "bubblewrap":
            raise CannotIsolate(
                "GOAT_HUB_ISOLATION=bubblewrap: bubblewrap is missing or may not be used here. "
                "Install the package bubblewrap and allow unprivileged user namespaces."
            )
        if self.settings.hub_host not in ("127.0.0.1", "::1", "localhost"):
            raise CannotIsolate(
                "Teams cannot be kept apart here (no root, no bubblewrap), and GOAT_HUB_HOST lets others in. "
                "Install bubblewrap, start as root, or set GOAT_HUB_ISOLATION=none to accept the risk."
            )
        return "none"

    def enclosure(
        self, home: Path, uid: int, *, starters: bool = True, group: Path | None = None
    ) -> list[str]:
        """The command in front of what runs for a team in its folder, in a control group if there is one."""
        settings = self.settings
        command = [sys.executable, "-IS", str(ENCLOSE), f"--home={home}"]
        command.append(f"--memory={of_one_process(settings.hub_memory)}")
        if group:
            command.append(f"--cgroup={group}")
        if self.isolation == "user":
            command.append(f"--uid={uid}")
            # A model's time is measured on them: nobody else is to use them meanwhile.
            command += ["--no-gpus"] if settings.gpu_workers != 0 else []
        if self.isolation == "bubblewrap":
            command.append(f"--bubblewrap={shutil.which('bwrap')}")
        if self.isolation != "none":
            command.append(f"--processes={settings.hub_processes}")
            command += [f"--hide={folder}" for folder in self.hidden()]
            command += [f"--keep={folder}" for folder in self.needed()]
        if starters and self.notebooks:
            command.append(f"--starters={self.notebooks}")
        return [*command, "--"]

    def jupyter_config(self) -> list[str]:
        """Folders of Jupyter's configuration inside a team's server; the first wins.

        jupyter-collaboration is always installed, and ``alone`` turns every part of it off.
        """
        together = self.settings.hub_collaboration
        return [*([] if together else [str(SINGLEUSER / "alone")]), str(SINGLEUSER)]

    def hidden(self) -> list[Path]:
        """Folders that no team may look into."""
        found = [self.settings.home, runtime_folder(self.settings.home)]
        if self.isolation == "bubblewrap":
            # The same user's other files, and the sockets of programs that obey it.
            found += [Path.home(), *_folders(SOCKETS)]
        if self.isolation == "user":
            # An organiser's own folders may be open to other users, and an event's hidden data lie in one.
            found += _folders(HOMES)
        found += [folder for needed in self.needed() for folder in _closed_parents(needed)]
        top = [folder for folder in found if not any(folder.is_relative_to(o) for o in found if o != folder)]
        return list(dict.fromkeys(top))

    def needed(self) -> list[Path]:
        """Folders that every team's server reads its programs from."""
        places = [Path(sys.prefix), Path(sys.base_prefix), PACKAGE, PACKAGE.parent / "goat"]
        if self.notebooks:
            places.append(self.notebooks)
        names = Path("/etc/resolv.conf").resolve()  # on many systems a link into a hidden folder
        if names.is_relative_to(SOCKETS[0]):
            places.append(names.parent)
        return list(dict.fromkeys(place.resolve() for place in places if str(place) not in ("/", "/usr")))


def _folders(names: Sequence[str]) -> list[Path]:
    return [Path(name) for name in names if Path(name).is_dir()]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host or "127.0.0.1"


def _closed_parents(folder: Path) -> list[Path]:
    """Parents that other users may not enter: they are replaced by empty ones from inside."""
    closed = [parent for parent in folder.parents if not parent.stat().st_mode & stat.S_IXOTH]
    return closed[-1:]


def bubblewrap_works() -> bool:
    """Whether bubblewrap is there and the system lets it make its namespaces."""
    program = shutil.which("bwrap")
    if program is None:
        return False
    trial = [program, "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    return subprocess.run(trial, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
