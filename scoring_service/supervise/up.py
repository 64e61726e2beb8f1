"""The story of ``goat-server up``: check, prepare, start, watch, stop."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType
from typing import Any

from hub_config.plan import Plan
from scoring_service.settings import Settings
from scoring_service.supervise import config
from scoring_service.supervise.checks import Refused, check_ports, make_folders
from scoring_service.supervise.control import ProcessState, Supervisord
from scoring_service.supervise.hub import advice, hub_problem, plan_of
from scoring_service.supervise.lock import AlreadyRunning, HomeLock
from scoring_service.supervise.logs import LogFollower, last_lines
from scoring_service.supervise.screen import Screen, base_url, welcome

HEALTHY_WITHIN_S = 120.0
STOP_WITHIN_S = 8.5
"""Then by force: everything has to be gone ten seconds after the signal."""
LOOK_EVERY_S = 1.0


def up(settings: Settings, *, hub: bool = False, verbose: bool = False) -> int:
    """Run everything until a signal ends it. Returns the exit status; raises `Refused`."""
    os.umask(0o077)
    make_folders(settings)
    url = base_url(settings)
    plan = plan_of(settings) if hub else None
    try:
        with HomeLock(settings.home, url=url) as lock:
            return Run(settings, lock, plan, verbose=verbose).run()
    except AlreadyRunning as error:
        pid, where = error.holder.get("pid", "unknown"), error.holder.get("url", "an unknown address")
        raise Refused(
            f"MLS-GOAT is already running in {settings.home} (process {pid}, {where}). Use that one, stop it "
            f"with Ctrl-C there or: kill {pid}. For a second one: GOAT_HOME=/other/folder "
            f"GOAT_API_PORT={settings.api_port + 1} make up"
        ) from None


class Run:
    """One run, from the lock to the last process gone."""

    def __init__(self, settings: Settings, lock: HomeLock, hub: Plan | None = None, *, verbose: bool) -> None:
        self._settings = settings
        self._hub = hub
        self._lock = lock
        self._verbose = verbose
        self._screen = Screen()
        self._supervisord = Supervisord(settings, hub)
        self._stop = threading.Event()
        self._pids: dict[str, int] = {}
        self._failing: set[str] = set()

    def run(self) -> int:
        started = time.monotonic()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        self._take_over()
        check_ports(self._settings, self._hub)
        prepared = self._prepare()
        if prepared is None:
            return 0
        self._supervisord.write_config()
        follower = LogFollower(config.log_folder(self._settings), everything=self._verbose)
        try:
            self._supervisord.start()
            names = [
                name for program in config.programs(self._settings, self._hub) for name in program.names()
            ]
            self._screen.say(f"starting {', '.join(names)}")
            if not self._wait_until_healthy(follower):
                return 0 if self._stop.is_set() else 1
            seconds = time.monotonic() - started
            self._screen.block(welcome(self._settings, prepared["passwords"], seconds=seconds, hub=self._hub))
            if self._hub and (better := advice(self._hub)):
                self._screen.say(better)
            self._watch(follower)
            return 0
        finally:
            self._stop_everything()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt  # a second Ctrl-C: do not wait
        self._stop.set()

    def _take_over(self) -> None:
        if self._lock.crashed is None:
            return
        pid = self._lock.crashed.get("pid", "unknown")
        self._screen.say(
            f"note: the last run (process {pid}) ended without cleaning up; taking over its lock"
        )
        if self._supervisord.stop_leftover():
            self._screen.say("note: stopped the processes that it had left running")

    def _prepare(self) -> dict[str, Any] | None:
        """Run `first_start` in a process of its own. None when a signal came in between."""
        command = config.launch(sys.executable, "-m", "scoring_service.supervise.first_start")
        new = not (self._settings.home / "first-start.done").exists()
        self._screen.say(
            "first start: making database, logins and the sample event" if new else "checking the database"
        )
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "GOAT_HOME": str(self._settings.home)},
        )
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                output, errors = process.communicate(timeout=0.2)
                break
            if self._stop.is_set():
                process.terminate()
                process.communicate()
                return None
        if process.returncode != 0:
            log = self._log("first_start")
            log.write_text(errors)
            raise Refused(
                f"The database could not be prepared: {_gist(errors)}\nThe whole story is in {log}."
            )
        prepared: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
        for note in prepared["notes"]:
            self._screen.say(note)
        return prepared

    def _wait_until_healthy(self, follower: LogFollower) -> bool:
        deadline = time.monotonic() + HEALTHY_WITHIN_S
        problem = "no answer"
        while not self._stop.wait(0.1):
            self._show(follower)
            if self._supervisord.exit_status is not None:
                problem = f"the supervisor ended: {' '.join(last_lines(self._log('supervisor'), 3))}"
                break
            problem = health_problem(base_url(self._settings))
            if not problem and self._hub is not None:
                problem = hub_problem(self._hub)
            if not problem:
                self._note_states(self._supervisord.states())
                return True
            if time.monotonic() > deadline:
                break
            self._note_states(self._supervisord.states())
        if not self._stop.is_set():
            self._screen.say(f"the service did not become healthy: {problem}")
            name = "hub" if "hub" in problem else "api"
            for line in last_lines(self._log(name)):
                self._screen.log_line(name, line)
            self._screen.say(f"all logs: {config.log_folder(self._settings)}")
        return False

    def _watch(self, follower: LogFollower) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            self._show(follower)
            if self._supervisord.exit_status is not None:
                self._screen.say("the supervisor itself died; starting it and everything else again")
                self._pids.clear()
                self._supervisord.start()
                continue
            states = self._supervisord.states()
            self._note_states(states)
            self._supervisord.shorten_waits(states)

    def _note_states(self, states: list[ProcessState]) -> None:
        """Tell of every process that died, once for a series of failed starts."""
        for state in states:
            before = self._pids.get(state.name, 0)
            if state.state == "RUNNING" and state.name in self._failing:
                self._failing.discard(state.name)
                self._screen.say(f"{state.name} runs again (process {state.pid})")
            elif state.state in ("RUNNING", "STARTING"):
                if before not in (0, state.pid) and state.name not in self._failing:
                    self._screen.say(
                        f"{state.name} died (process {before}); started again (process {state.pid})"
                    )
            elif state.state in ("BACKOFF", "FATAL") and state.name not in self._failing:
                self._failing.add(state.name)
                self._screen.say(f"{state.name} does not stay up; trying again and again. Its last words:")
                for line in last_lines(self._log(state.name), 5):
                    self._screen.log_line(state.name, line)
            if state.pid:
                self._pids[state.name] = state.pid

    def _show(self, follower: LogFollower) -> None:
        for program, line in follower.new_lines():
            # What fails again and again has said its words once (`_note_states`).
            if program not in self._failing:
                self._screen.log_line(program, line)

    def _log(self, name: str) -> Path:
        return config.log_folder(self._settings) / f"{name}.log"

    def _stop_everything(self) -> None:
        self._screen.say("stopping everything")
        try:
            in_order = self._supervisord.stop(STOP_WITHIN_S)
        except KeyboardInterrupt:
            in_order = self._supervisord.stop(0)
        self._screen.say("stopped" if in_order else "stopped by force; nothing acknowledged is lost")


def _gist(errors: str) -> str:
    """What a traceback says at its end, or the whole of something shorter."""
    if "Traceback" not in errors:
        return errors.strip()
    said = re.findall(r"^[\w.]+(?:Error|Exception|Refused)\b.*", errors, flags=re.MULTILINE)
    return str(said[-1]) if said else errors.strip().splitlines()[-1]


def health_problem(url: str) -> str:
    """Empty when ``GET /`` says healthy, else what is wrong."""
    try:
        with urllib.request.urlopen(f"{url}/", timeout=2) as reply:  # noqa: S310 - our own http address
            health = json.load(reply)
    except urllib.error.HTTPError as error:
        return f"{url}/ answers {error.code}: {error.read(300).decode(errors='replace')}"
    except (OSError, ValueError) as error:
        return f"{url}/ does not answer ({error})"
    return "" if health.get("status") == "healthy" else f"{url}/ says {health}"
