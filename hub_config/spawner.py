"""A team's server: a local process behind `enclose`, in the team's own folder, with its own user."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any, ClassVar

from jupyterhub.spawner import LocalProcessSpawner, SpawnException
from traitlets import Any as AnyTrait

from hub_config import memory
from hub_config.enclose import LOG, TEMPORARY
from hub_config.keeper import MARK, end_team
from hub_config.plan import SERVER, Plan

LOOK_EVERY_S = 0.1


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


class ServerEnded(SpawnException):
    """A server that ended while it started; the sentence is for its team."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, reason="ended")
        self.jupyterhub_message = sentence


def log_size(home: Path) -> int:
    """Bytes in the log of a team's server; 0 if there is none."""
    with contextlib.suppress(OSError):
        return (home / LOG).lstat().st_size
    return 0


def last_words(home: Path, since: int = 0, limit: int = 400) -> str:
    """The end of what a team's server said from byte ``since`` of its log on, in one line; "" for nothing.

    The folder is the team's: what is there in the log's place is not followed.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with contextlib.suppress(OSError), os.fdopen(os.open(home / LOG, flags), "rb") as file:
        found = os.fstat(file.fileno())
        if stat.S_ISREG(found.st_mode):
            since = since if since <= found.st_size else 0  # a long log was begun anew
            file.seek(max(since, found.st_size - limit))
            said = file.read(limit).decode(errors="replace")
            return " ".join("".join(sign if sign.isprintable() else " " for sign in said).split())
    return ""


class TeamSpawner(LocalProcessSpawner):
    """Starts, watches and stops one team's server."""

    _ended_at_once: ClassVar[set[Path]] = set()
    """Whose last start failed: the next one leaves out the team's own configuration of Jupyter."""

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
        if self.home in self._ended_at_once:
            aside = f"{home}/{TEMPORARY}/without-our-own"
            env.update({"JUPYTER_CONFIG_DIR": f"{aside}/config", "JUPYTER_DATA_DIR": f"{aside}/data"})
        env.pop("VIRTUAL_ENV", None)
        return env

    async def start(self) -> Any:
        """Start the server in its enclosure, and wait until it listens. Raises `SpawnException`."""
        settings = self.plan.settings
        group = memory.group_of(self.plan.folder, self.home.name, settings.hub_memory, settings.hub_processes)
        self.cmd = [*self.plan.enclosure(self.home, self.uid, group=group), *SERVER]
        # A hub that died while it started the server left one that nobody knows.
        await asyncio.to_thread(end_team, self.home, self.uid)
        since = log_size(self.home)
        address, port = await super().start()
        if await self._ended(address, port):
            again = self.home in self._ended_at_once
            self._ended_at_once.add(self.home)
            raise ServerEnded(self._why(again, last_words(self.home, since)))
        self._ended_at_once.discard(self.home)
        return address, port

    async def _ended(self, address: str, port: int) -> bool:
        """Wait until the server listens; whether it ended instead, which the hub itself learns in minutes."""
        while await self.poll() is None:
            try:
                _, writer = await asyncio.open_connection(address, port)
            except OSError:
                await asyncio.sleep(LOOK_EVERY_S)
                continue
            writer.close()
            return False
        return True

    def _why(self, again: bool, said: str) -> str:
        advice = (
            "Ask the organiser to look into its folder."
            if again
            else "Start it once more: then it leaves out the configuration in your folder (.jupyter), and "
            "you can repair that. If the disk is full, ask the organiser."
        )
        quoted = f" Its last words (all are in {LOG}): {said}" if said else ""
        return f"The server of {self.user.name} ended while it started. {advice}{quoted}"

    async def stop(self, now: bool = False) -> None:
        """Stop the server, and then whatever the team has left running outside of it."""
        await super().stop(now=now)
        await asyncio.to_thread(end_team, self.home, self.uid)
        if outer := memory.all_teams(self.plan.folder):
            await asyncio.to_thread(memory.end, memory.group_in(outer, self.home.name))
