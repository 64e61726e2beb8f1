"""Settings: one frozen object, read once from the environment by the composition root.

Names with ``GOAT_`` are ours; a few older names (``DATABASE_URL``, ``REDIS_URL``,
``REDIS_HOST``/``REDIS_PORT``, ``WORKER_COUNT``, ``GPU_MEMORY_FRACTION``, ``SECRET_KEY``) are
honoured beside them. Secrets may also lie as files in one folder, ``GOAT_SECRETS``, where containers
mount them. docs/settings.md lists each one.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote

MINIMUM_KEY_BYTES = 32
ISOLATIONS = ("auto", "user", "bubblewrap", "docker", "none")
LOGINS = ("team", "personal")
SWITCH = ("1", "true", "yes", "0", "false", "no")


class BadSetting(ValueError):
    """A variable has a value that cannot be used; the sentence names it and says what fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    home: Path
    """``GOAT_HOME``: folder that holds everything the service keeps. Default ``./var``."""
    secrets: str = ""
    """``GOAT_SECRETS``: folder of passwords and keys, one file each; default is ``GOAT_HOME/secrets``."""
    scratch: str = ""
    """``GOAT_SCRATCH``: folder of workers' temporary files; default is ``GOAT_HOME/scratch``."""
    api_host: str = "127.0.0.1"
    """``GOAT_API_HOST``: address the API listens on."""
    api_port: int = 8000
    """``GOAT_API_PORT``: port of the API."""
    hub_port: int = 8080
    """``GOAT_HUB_PORT``: port of the hub."""
    hub_host: str = "127.0.0.1"
    """``GOAT_HUB_HOST``: address the hub's proxy listens on."""
    hub_internal_port: int = 0
    """``GOAT_HUB_INTERNAL_PORT``: this port and the next are the hub's and its proxy's own, on this machine
    only; 0 means the two after `hub_port`."""
    hub_isolation: str = "auto"
    """``GOAT_HUB_ISOLATION``: ``user``, ``bubblewrap``, ``docker``, ``none``, or ``auto``: the best of what
    is possible on this machine (never ``docker``, which the compose file sets)."""
    hub_logins: str = "team"
    """``GOAT_HUB_LOGINS``: ``team``: a team's people share its login; ``personal``: each logs in with an
    account of their own and enters the team's server."""
    hub_uid_base: int = 20000
    """``GOAT_HUB_UID_BASE``: teams' servers run as users of numbers from here on, when started by root."""
    hub_memory: int = 4 << 30
    """``GOAT_HUB_MEMORY``: bytes of memory that a team's processes may hold together; 0 is no limit."""
    hub_processes: int = 1024
    """``GOAT_HUB_PROCESSES``: processes and threads of one team; 0 is no limit."""
    hub_idle_hours: float = 12.0
    """``GOAT_HUB_IDLE_HOURS``: a team's server without activity for so long is stopped; 0 is never."""
    hub_collaboration: bool = False
    """``GOAT_HUB_COLLABORATION``: several people in one notebook at once."""
    hub_notebooks: str = ""
    """``GOAT_HUB_NOTEBOOKS``: folder of starter notebooks; default is the project's ``notebooks``."""
    hub_api_url: str = ""
    """``GOAT_HUB_API_URL``: the hub's API, to ask whose a notebook's token is; set by ``goat-server up``."""
    hub_service_url: str = ""
    """``GOAT_HUB_SERVICE_URL``: the scoring service, as hub and teams' servers reach it; default: here."""
    hub_proxy_url: str = ""
    """``GOAT_HUB_PROXY_URL``: the proxy's own API, as the hub reaches it; default: on this machine."""
    hub_image: str = "mls-goat/notebook"
    """``GOAT_HUB_IMAGE``: the image of a team's server, with ``GOAT_HUB_ISOLATION=docker``."""
    hub_network: str = "goat-teams"
    """``GOAT_HUB_NETWORK``: the container network of the teams' servers, likewise."""
    hub_cpus: float = 2.0
    """``GOAT_HUB_CPUS``: processor cores that a team's server may use, likewise; 0 is no limit."""
    hub_api_token: str = field(default="", repr=False)
    """``GOAT_HUB_API_TOKEN``: the service's own token at the hub; default is the one in ``GOAT_HOME``."""
    database_url: str = field(default="", repr=False)
    """``DATABASE_URL``: SQLAlchemy URL; default is SQLite at ``GOAT_HOME/goat.sqlite3``."""
    redis_url: str = field(default="", repr=False)
    """``REDIS_URL`` (or ``REDIS_HOST``, ``REDIS_PORT``); default is our own Valkey on a Unix socket."""
    secret_key: str = field(default="", repr=False)
    """``SECRET_KEY``: signs login tokens, at least 32 bytes; made and kept in ``GOAT_HOME/secrets``."""
    admin_password: str | None = field(default=None, repr=False)
    """``GOAT_ADMIN_PASSWORD``: password of the organiser ``admin``; generated at first start if unset."""
    demo_password: str | None = field(default=None, repr=False)
    """``GOAT_DEMO_PASSWORD``: password of the demo team ``team_awesome``; generated likewise."""
    worker_count: int = 2
    """``WORKER_COUNT``: workers of the ``short`` lane; the ``long`` lane has one of its own."""
    cpu_workers: int = 1
    """``GOAT_CPU_WORKERS``: workers of the ``cpu`` lane, which run models on the processor; 0 is none."""
    gpu_workers: int | None = None
    """``GOAT_GPU_WORKERS``: workers of the ``gpu`` lane; ``auto`` (None): one per device of this machine."""
    gpu_device: str = ""
    """``GOAT_GPU_DEVICE``: device of a GPU worker (``GPU-…``, ``MIG-…`` or a number), or several, separated
    by commas, for the workers that ``goat-server up`` starts; default is all of this machine."""
    gpu_memory_fraction: float = 0.9
    """``GPU_MEMORY_FRACTION``: share of the device's real memory that the GPU workers on it may use together,
    in (0, 1]; ``goat-server up`` divides it among those that it starts on one device."""
    default_event: str = "photographs"
    """``GOAT_EVENT``: the event that a bare challenge id belongs to."""
    token_hours: float = 72.0
    """``GOAT_TOKEN_HOURS``: life of a login token."""
    free_space_floor: int = 512 << 20
    """``GOAT_FREE_SPACE_FLOOR``: bytes of disk that uploads must leave free; below it they get 507."""
    trusted_proxies: str = ""
    """``GOAT_TRUSTED_PROXIES``: comma-separated addresses whose X-Forwarded-For is believed."""
    cors_origins: str = ""
    """``GOAT_CORS_ORIGINS``: comma-separated origins that browsers may call the API from."""
    lease_seconds: float = 10.0
    """``GOAT_LEASE_SECONDS``: a running job that is silent for longer is taken back and run again."""
    max_attempts: int = 3
    """``GOAT_MAX_ATTEMPTS``: starts of one job before it is FAILED as ours."""

    @property
    def secrets_folder(self) -> Path:
        """Where passwords and keys are kept, one file each."""
        return Path(self.secrets) if self.secrets else self.home / "secrets"

    @property
    def scratch_folder(self) -> Path:
        """Where workers keep what an evaluation writes on the way."""
        return Path(self.scratch) if self.scratch else self.home / "scratch"

    @property
    def queue_socket(self) -> Path:
        """Unix socket of the embedded queue server."""
        return runtime_folder(self.home) / "queue.sock"

    @property
    def embedded_queue(self) -> bool:
        """True when we start the queue server ourselves."""
        return self.redis_url.startswith(f"unix://{self.queue_socket}")

    @property
    def data_folder(self) -> Path:
        return self.home / "data"

    @property
    def store_folder(self) -> Path:
        return self.home / "store"

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read, check and complete the settings. Raises `BadSetting`."""
        env = os.environ if environ is None else environ
        values: dict[str, Any] = {"home": Path(env.get("GOAT_HOME") or "var").resolve()}
        for name, variable, convert in _VARIABLES:
            raw = env.get(variable)
            if raw:
                try:
                    values[name] = convert(raw)
                except ValueError as error:
                    raise BadSetting(f"{variable}={raw!r} is not usable: {error}") from error
        values.setdefault("database_url", f"sqlite:///{values['home'] / 'goat.sqlite3'}")
        values.setdefault("redis_url", _redis_url(env, values["home"]))
        folder = Path(values.get("secrets") or values["home"] / "secrets")
        for name, file in (("database_url", "database_password"), ("redis_url", "redis_password")):
            values[name] = _with_password(values[name], folder / file)
        settings = cls(**values)
        if settings.secret_key and len(settings.secret_key.encode()) < MINIMUM_KEY_BYTES:
            raise BadSetting(
                f"SECRET_KEY needs at least {MINIMUM_KEY_BYTES} bytes; unset it to have one made"
            )
        return settings


def _redis_url(env: Mapping[str, str], home: Path) -> str:
    if env.get("REDIS_HOST"):
        return f"redis://{env['REDIS_HOST']}:{env.get('REDIS_PORT') or 6379}/0"
    return f"unix://{runtime_folder(home) / 'queue.sock'}?db=0"


def _with_password(url: str, file: Path) -> str:
    """The URL with the password of a file, if there is one and the URL of a server names none."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    login, _, host = authority.rpartition("@")
    if ":" in login or scheme == "unix" or scheme.startswith("sqlite"):
        return url
    try:
        password = file.read_text().strip()
    except FileNotFoundError:
        return url
    except OSError as error:
        raise BadSetting(f"The secret {file} cannot be read: {error.strerror}") from error
    return f"{scheme}://{login}:{quote(password, safe='')}@{host}{slash}{path}" if password else url


def runtime_folder(home: Path) -> Path:
    """Folder for sockets: ``home/run``, or a short private one where a socket there would not work.

    The kernel limits a Unix socket's path to about 100 bytes, and a URL cannot hold ``? # %`` in it.
    """
    folder = home / "run"
    if len(os.fsencode(folder / "supervisor.sock.12345")) < 100 and not set("?#%") & set(str(folder)):
        return folder
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"goat-{os.getuid()}-{digest}"


def _port(raw: str) -> int:
    port = int(raw)
    if not 0 < port < 65536:
        raise ValueError("a port is a number from 1 to 65535")
    return port


def _at_least(minimum: float, convert: Callable[[str], Any]) -> Callable[[str], Any]:
    def check(raw: str) -> Any:
        value = convert(raw)
        if not value >= minimum:
            raise ValueError(f"it must be at least {minimum:g}")
        return value

    return check


def _one_of(raw: str, allowed: tuple[str, ...]) -> str:
    if raw not in allowed:
        raise ValueError(f"it must be one of {', '.join(allowed)}")
    return raw


def _fraction(raw: str) -> float:
    value = float(raw)
    if not 0 < value <= 1:
        raise ValueError("it must be above 0 and at most 1")
    return value


_VARIABLES: tuple[tuple[str, str, Callable[[str], Any]], ...] = (
    ("secrets", "GOAT_SECRETS", lambda raw: str(Path(raw).resolve())),
    ("scratch", "GOAT_SCRATCH", lambda raw: str(Path(raw).resolve())),
    ("api_host", "GOAT_API_HOST", str),
    ("api_port", "GOAT_API_PORT", _port),
    ("hub_port", "GOAT_HUB_PORT", _port),
    ("hub_host", "GOAT_HUB_HOST", str),
    ("hub_internal_port", "GOAT_HUB_INTERNAL_PORT", _port),
    ("hub_isolation", "GOAT_HUB_ISOLATION", lambda raw: _one_of(raw, ISOLATIONS)),
    ("hub_logins", "GOAT_HUB_LOGINS", lambda raw: _one_of(raw, LOGINS)),
    ("hub_uid_base", "GOAT_HUB_UID_BASE", _at_least(1000, int)),
    ("hub_memory", "GOAT_HUB_MEMORY", _at_least(0, int)),
    ("hub_processes", "GOAT_HUB_PROCESSES", _at_least(0, int)),
    ("hub_idle_hours", "GOAT_HUB_IDLE_HOURS", _at_least(0, float)),
    ("hub_collaboration", "GOAT_HUB_COLLABORATION", lambda raw: _one_of(raw.lower(), SWITCH) in SWITCH[:3]),
    ("hub_notebooks", "GOAT_HUB_NOTEBOOKS", str),
    ("hub_api_url", "GOAT_HUB_API_URL", str),
    ("hub_service_url", "GOAT_HUB_SERVICE_URL", lambda raw: raw.rstrip("/")),
    ("hub_proxy_url", "GOAT_HUB_PROXY_URL", lambda raw: raw.rstrip("/")),
    ("hub_image", "GOAT_HUB_IMAGE", str),
    ("hub_network", "GOAT_HUB_NETWORK", str),
    ("hub_cpus", "GOAT_HUB_CPUS", _at_least(0, float)),
    ("hub_api_token", "GOAT_HUB_API_TOKEN", str),
    ("database_url", "DATABASE_URL", str),
    ("redis_url", "REDIS_URL", str),
    ("secret_key", "SECRET_KEY", str),
    ("admin_password", "GOAT_ADMIN_PASSWORD", str),
    ("demo_password", "GOAT_DEMO_PASSWORD", str),
    ("worker_count", "WORKER_COUNT", _at_least(1, int)),
    ("cpu_workers", "GOAT_CPU_WORKERS", _at_least(0, int)),
    ("gpu_workers", "GOAT_GPU_WORKERS", lambda raw: None if raw == "auto" else _at_least(0, int)(raw)),
    ("gpu_device", "GOAT_GPU_DEVICE", str),
    ("gpu_memory_fraction", "GPU_MEMORY_FRACTION", _fraction),
    ("default_event", "GOAT_EVENT", str),
    ("token_hours", "GOAT_TOKEN_HOURS", _at_least(0.01, float)),
    ("free_space_floor", "GOAT_FREE_SPACE_FLOOR", _at_least(0, int)),
    ("trusted_proxies", "GOAT_TRUSTED_PROXIES", str),
    ("cors_origins", "GOAT_CORS_ORIGINS", str),
    ("lease_seconds", "GOAT_LEASE_SECONDS", _at_least(1, float)),
    ("max_attempts", "GOAT_MAX_ATTEMPTS", _at_least(1, int)),
)

VARIABLES: Mapping[str, str] = {"home": "GOAT_HOME"} | {name: variable for name, variable, _ in _VARIABLES}
assert set(VARIABLES) == {f.name for f in fields(Settings)}, "every setting has its variable"


def read_or_make_secret(folder: Path, name: str, length: int = 32) -> str:
    """The secret kept in ``folder/name``; made at first use (mode 0600), once even if two ask at once.

    Raises `BadSetting` when it is missing and the folder takes no files, or when it cannot be read.
    """
    path = folder / name
    try:
        if not path.exists():
            _make_secret(path, secrets.token_urlsafe(length))
        found = path.read_text().strip()
    except OSError as error:
        raise BadSetting(
            f"The secret {path} cannot be {'read' if path.exists() else 'made'}: {error.strerror}. "
            "Put it there, readable for the user who runs this program."
        ) from error
    if not found:
        raise BadSetting(f"The secret {path} is empty. Delete the file, or put the secret into it.")
    return found


def _make_secret(path: Path, fresh: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, fresh.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(temporary, path)  # fails if somebody was first: then theirs counts
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
