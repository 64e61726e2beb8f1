"""A team's server: a local process behind `enclose`, in the team's own folder, with its own user."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from jupyterhub.spawner import LocalProcessSpawner
from traitlets import Any as AnyTrait

from hub_config import memory
from hub_config.keeper import MARK, kill_users
from hub_config.plan import Plan


class Users:
    """Numbers of the teams' users: given out once, kept in a file, never used again."""

    def __init__(self, path: Path, base: int) -> None:
        self._path = path
        self._base = base

    def number(self, name: str) -> int:
        """The number of a team's user."""
        known: dict[str, int] = json.loads(self._path.read_text()) if self._path.exists() else {}
        if name not in known:
            known[name] = max([self._base - 1, *known.values()]) + 1
            temporary = self._path.with_suffix(".new")
            temporary.write_text(json.dumps(known))
            temporary.chmod(0o600)
            os.replace(temporary, self._path)
        return known[name]


class TeamSpawner(LocalProcessSpawner):
    """Starts, watches and stops one team's server."""

    plan: Plan = AnyTrait(help="`hub_config.plan.Plan`").tag(config=True)  # type: ignore[assignment]

    @property
    def home(self) -> Path:
        """The team's folder. Names were checked by the scoring service: they hold no path."""
        name = str(self.user.name)
        if "/" in name or name.startswith("."):
            raise ValueError(f"{name!r} cannot name a folder")
        return self.plan.teams / name

    @property
    def uid(self) -> int:
        """The team's own user, or 0 where everything runs as one user."""
        if self.plan.isolation != "user":
            return 0
        return Users(self.plan.folder / "uids.json", self.plan.settings.hub_uid_base).number(self.user.name)

    def make_preexec_fn(self, name: str) -> None:
        """Nothing here: `enclose` gives up the rights after it has prepared the folder."""

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Environment of a user that the system has never heard of."""
        home, programs = str(self.home), str(Path(sys.executable).parent)
        env.update(
            {
                "HOME": home,
                "USER": self.user.name,
                "LOGNAME": self.user.name,
                "SHELL": "/bin/bash" if Path("/bin/bash").exists() else "/bin/sh",
                "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
                "TMPDIR": f"{home}/.tmp",
                # Kernels speak over Unix sockets, whose paths must be short.
                "JUPYTER_RUNTIME_DIR": f"/tmp/goat-{self.uid or os.getuid()}",  # noqa: S108 - 0700, checked
                "JUPYTER_CONFIG_PATH": os.pathsep.join(self.plan.jupyter_config()),
                "GOAT_URL": self.plan.service_url,
                MARK: home,
            }
        )
        env.pop("VIRTUAL_ENV", None)
        return env

    async def start(self) -> Any:
        """Start the server in its enclosure."""
        server = [sys.executable, "-m", "jupyterhub.singleuser"]
        settings = self.plan.settings
        group = memory.group_of(self.plan.folder, self.home.name, settings.hub_memory, settings.hub_processes)
        self.cmd = [*self.plan.enclosure(self.home, self.uid, group=group), *server]
        return await super().start()

    async def stop(self, now: bool = False) -> None:
        """Stop the server, and then whatever the team has left running outside of it."""
        uid = self.uid
        await super().stop(now=now)
        if uid:
            await asyncio.to_thread(kill_users, {uid})
        if outer := memory.all_teams(self.plan.folder):
            await asyncio.to_thread(memory.end, memory.group_in(outer, self.home.name))
