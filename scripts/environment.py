"""Set up the project's own virtual environment: one line per step, nothing done twice.

``environment.py hub`` installs what running the service with its hub needs (PyTorch as `pytorch` decides),
``server`` the service alone, ``test`` adds what tests and checks need, ``test browser`` the programs of the
system that tests drive (a Chromium, bubblewrap). Each gets the runtime of ONNX models that GOAT_RUNTIME
names: ``cpu``, ``gpu``, or ``auto`` (what fits). A stamp inside the environment holds a digest of what
decides what is installed; while it fits, this script returns at once and needs no network.

Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytorch
from steps import ROOT, STAMPS, VENV, SetupFailed, run, say

REQUIREMENTS = ROOT / "requirements"
SETS = {
    "server": ("server.txt", "build.txt", "uv.txt"),
    "hub": ("hub.txt", "build.txt", "uv.txt"),
    "test": ("test.txt", "build.txt", "uv.txt"),
}
RUNTIMES = {"cpu": "onnxruntime", "gpu": "onnxruntime-gpu"}
PROXY = [ROOT / "hub_config/proxy" / name for name in ("package.json", "package-lock.json")]
DCLINT = [ROOT / "tests/deployment/dclint" / name for name in ("package.json", "package-lock.json")]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
INSTALL_PROXY = ROOT / "scripts" / "proxy.py"
PRECOMPILE = ROOT / "scripts" / "precompile.py"


def python() -> str:
    return str(VENV / "bin" / "python")


def works(module: str) -> bool:
    """Whether the environment's Python starts and can import a module."""
    command = [python(), "-c", f"import {module}"]
    if not Path(python()).exists():
        return False
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0


def ensure_system_package(package: str, missing: str, otherwise: str) -> None:
    """Install a Debian package if we are root and there is apt; else stop and say what to do."""
    command = f"apt-get install -y {package}"
    apt = shutil.which("apt-get")
    if apt is None:
        raise SetupFailed(f"{missing}. {otherwise}")
    if os.geteuid() != 0:
        raise SetupFailed(f"{missing}. Install it and run the same command again:\n    sudo {command}")
    say(f"{missing}; running: {command}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run([apt, "update"], "apt-get update", attempts=2, extra_env=quiet)
    run([apt, "install", "-y", "--no-install-recommends", package], command, attempts=2, extra_env=quiet)


def ensure_venv_module() -> None:
    """Debian and Ubuntu ship Python without what ``venv`` needs."""
    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return
    ensure_system_package(
        f"python{sys.version_info.major}.{sys.version_info.minor}-venv",
        f"{sys.executable} has no venv module (ensurepip is missing)",
        "Install your system's package for it, or name another Python: GOAT_PYTHON=/path/to/python3 make up",
    )


def ensure_browser() -> None:
    """The tests in tests/browser drive a real Chromium; nothing else needs one."""
    chosen = os.environ.get("GOAT_CHROMIUM")
    if chosen:
        if shutil.which(chosen) is None:
            raise SetupFailed(f"GOAT_CHROMIUM={chosen} is no program that can be started.")
        return
    if any(shutil.which(name) for name in BROWSERS):
        return
    ensure_system_package(
        "chromium",
        f"the tests need a browser, and none was found ({', '.join(BROWSERS)})",
        "Install Chromium or Chrome and name it: GOAT_CHROMIUM=/path/to/chromium make test",
    )


def ensure_bubblewrap() -> None:
    """What keeps teams apart where root does not (Linux): its tests need it, everything else goes on."""
    if sys.platform.startswith("linux") and shutil.which("bwrap") is None:
        missing = "bubblewrap was not found, so the tests of servers without root are left out"
        try:
            ensure_system_package("bubblewrap", missing, "Install your system's package bubblewrap.")
        except SetupFailed as failure:
            say(f"note: {failure}")


def ensure_venv() -> None:
    config = VENV / "pyvenv.cfg"
    if config.exists() and works("pip"):
        return
    if config.exists():
        say(f"{VENV.name} no longer works (its Python moved or is gone); making it anew")
        shutil.rmtree(VENV)
    elif VENV.is_dir() and any(VENV.iterdir()):
        # Half made by a run that was cut off, or not ours at all: never delete what we did not make.
        if not (VENV / ".goat").is_dir():
            raise SetupFailed(f"{VENV} exists and is no virtual environment. Move it away, or set GOAT_VENV.")
        shutil.rmtree(VENV)
    ensure_venv_module()
    STAMPS.mkdir(parents=True, exist_ok=True)
    run([sys.executable, "-m", "venv", str(VENV)], "creating the virtual environment")
    (VENV / ".gitignore").write_text("*\n")
    say(f"virtual environment {VENV} (Python {sys.version.split()[0]})")


def pip(*arguments: str, step: str) -> str:
    command = [python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    return run([*command, "--retries", "6", *arguments], step, attempts=2)


def index_of_pip() -> dict[str, str]:
    """uv does not read pip's configuration: hand it the package index that pip was told to use."""
    if os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL"):
        return {}
    command = [python(), "-m", "pip", "config", "list"]
    listing = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        if name.strip() in ("global.index-url", "user.index-url", "site.index-url", ":env:.index-url"):
            return {"UV_DEFAULT_INDEX": value.strip().strip("'\"")}
    return {}


def has_nvidia_driver() -> bool:
    """Whether an NVIDIA driver answers on this machine."""
    try:
        return bool(ctypes.CDLL("libnvidia-ml.so.1").nvmlInit_v2() == 0)
    except (OSError, AttributeError):
        return False


def runtime() -> str:
    """Which runtime of ONNX models to install, ``cpu`` or ``gpu``. Raises `SetupFailed`."""
    wanted = os.environ.get("GOAT_RUNTIME") or "cpu"
    if wanted == "auto":
        return "gpu" if has_nvidia_driver() else "cpu"
    if wanted not in RUNTIMES:
        raise SetupFailed(f"GOAT_RUNTIME={wanted} is none; it is cpu, gpu or auto.")
    return wanted


def remove_other_runtime(kept: str) -> None:
    """The two runtimes overwrite each other's files: where one was, none of them may stay."""
    listing = subprocess.run([python(), "-m", "pip", "freeze"], capture_output=True, text=True).stdout
    there = {line.partition("==")[0].lower() for line in listing.splitlines()} & set(RUNTIMES.values())
    if there - {RUNTIMES[kept]}:
        command = [python(), "-m", "pip", "uninstall", "--quiet", "--yes", *sorted(there)]
        run(command, f"removing {' and '.join(sorted(there))}, in favour of {RUNTIMES[kept]}")


def install_locked(names: tuple[str, ...]) -> str:
    """Install pinned, hashed files: with uv, or with pip where uv cannot be had. Returns the installer."""
    hashed = ["--no-deps", "--require-hashes"]
    files = [part for name in names for part in ("-r", str(REQUIREMENTS / name))]
    try:
        pip(*hashed, "-r", str(REQUIREMENTS / "uv.txt"), step="fetching the installer (uv)")
        uv = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", python()]
        env = {"UV_HTTP_TIMEOUT": "120", "UV_HTTP_RETRIES": "6", **index_of_pip()}
        run([*uv, *hashed, *files], f"installing {', '.join(names)}", attempts=2, extra_env=env)
        return "uv"
    except SetupFailed as failure:
        if "No package index" in str(failure):
            raise
        say("uv could not install them; trying pip (slower)")
    pip(*hashed, *files, step=f"installing {', '.join(names)} with pip")
    return "pip"


def install_project() -> None:
    editable = ("--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    pip(*editable, step="installing the project itself (editable)")
    say("the project itself (editable): commands goat and goat-server")


def digest_of(name: str) -> str:
    """What decides the content of a set: Python, the pinned files, the project's metadata."""
    digest = hashlib.sha256(f"{sys.version}|{ROOT}|{VENV}|{runtime()}".encode())
    scripts = [ROOT / "pyproject.toml", Path(__file__), INSTALL_PROXY, PRECOMPILE, *PROXY]
    scripts += DCLINT if name == "test" else []
    for path in [*(REQUIREMENTS / file for file in (*SETS[name], f"{runtime()}.txt")), *scripts]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_current(name: str) -> bool:
    stamp = STAMPS / f"{name}.stamp"
    with contextlib.suppress(OSError):
        return stamp.read_text() == digest_of(name) and works("goat")
    return False


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """`make up` and `make test` at the same moment must not write into one environment together."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    descriptor = os.open(ROOT, os.O_RDONLY)  # the folder itself is the lock: no file to leave behind
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up of this folder is running; waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def set_up(name: str) -> None:
    """Bring the environment to the state that the set names. Raises `SetupFailed`."""
    # Each set contains the ones before it at the same versions.
    if not any(is_current(larger) for larger in list(SETS)[list(SETS).index(name) :]):
        install(name)
    if name != "server":
        pytorch.ensure(install_locked, needed=name == "test")


def install(name: str) -> None:
    ensure_venv()
    STAMPS.mkdir(parents=True, exist_ok=True)
    chosen = runtime()
    remove_other_runtime(chosen)
    locked = (*(file for file in SETS[name] if file != "uv.txt"), f"{chosen}.txt")
    installer = install_locked(locked)
    say(f"{name} set with the {chosen} runtime installed from pinned, hashed files (by {installer})")
    if name != "server":
        run([python(), str(INSTALL_PROXY)], "installing the hub's proxy with npm", attempts=2)
    if name == "test":
        command = [python(), str(INSTALL_PROXY), "dclint"]
        run(command, "installing the linter of the compose file with npm", attempts=2)
    install_project()
    run([python(), str(PRECOMPILE)], "compiling what is installed")
    (STAMPS / f"{name}.stamp").write_text(digest_of(name))
    say("environment ready")


def main() -> int:
    name, *more = sys.argv[1:] or [""]
    if name not in SETS or more not in ([], ["browser"]):
        print(f"usage: {sys.argv[0]} {'|'.join(SETS)} [browser]", file=sys.stderr)
        return 2
    try:
        with one_at_a_time():
            if more:  # first: who has to install something by hand hears it at once
                ensure_browser()
                ensure_bubblewrap()
            set_up(name)
    except SetupFailed as failure:
        say("set-up stopped")
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        sys.exit("\nset-up interrupted; run the same command again to go on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
