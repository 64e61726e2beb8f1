"""What ``import goat`` costs and where it works."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import goat

ROOT = Path(__file__).parents[2]
HEAVY = {"httpx", "pandas", "plotly", "numpy", "torch", "rich", "msgspec", "ipywidgets", "click"}
RUNTIME = {"onnx", "onnxruntime"}
SERVER = {"fastapi", "starlette", "sqlalchemy", "dramatiq", "uvicorn", "alembic", "cv2", "redis", "torch"}

BLOCKER = """
import sys
BLOCKED = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "readline", "crypt", "spwd"}
for name in BLOCKED:
    sys.modules.pop(name, None)

class NotHere:
    def find_spec(self, name, path=None, target=None):
        if name in BLOCKED:
            raise ModuleNotFoundError(f"{name} is not on this system", name=name)

sys.meta_path.insert(0, NotHere())
import os, select
for module, name in ((select, "epoll"), (select, "poll"), (os, "fork"), (os, "getuid"), (os, "geteuid"),
                     (os, "fchmod"), (os, "setsid"), (os, "killpg")):
    if hasattr(module, name):
        delattr(module, name)
"""

EVERYTHING = """
import pkgutil, importlib, goat
for name in goat.__all__:
    getattr(goat, name)
for module in pkgutil.walk_packages(goat.__path__, "goat."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from goat.cli import run
assert run(["--help"]) == 0
assert run(["board", "--url"]) == 2
"""


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_importing_goat_loads_nothing_heavy() -> None:
    # When goat alone is imported, in a fresh interpreter
    done = _python("import sys, goat; print(' '.join(sys.modules))")

    # Then nothing heavy came with it, so the import takes as long as a handful of small modules
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) & (HEAVY | RUNTIME) == set()


def test_importing_goat_costs_less_than_starting_python() -> None:
    # Given what the interpreter itself imports, and what goat adds to it
    done = _python(
        "import sys; before = set(sys.modules); import goat; print(len(set(sys.modules) - before))"
    )

    # Then it is a few dozen modules of the standard library (a count does not depend on the machine)
    assert int(done.stdout) < 40


def test_everything_imports_without_posix_modules() -> None:
    # Given a system without the modules that only POSIX has, When all of goat is imported and its help shown
    done = _python(BLOCKER + EVERYTHING)

    # Then it works
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_there() -> None:
    for name in goat.__all__:
        assert getattr(goat, name) is not None
        assert name in dir(goat)


def test_a_participants_install_brings_no_server() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {line.split(">")[0].split("[")[0].strip() for line in project["dependencies"]}
    assert names & {"opencv-python-headless", "pyjwt", "argon2-cffi", *SERVER} == set()


def test_no_participant_module_imports_server_packages() -> None:
    # When all of goat is loaded in a fresh interpreter
    done = _python(
        EVERYTHING + "\nimport sys; print(' '.join(name.partition('.')[0] for name in sys.modules))"
    )

    # Then no server package was asked for (cv2 is used where it happens to be installed)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert loaded & (SERVER - {"cv2"}) == set()
    assert not loaded & {"scoring_service", "hub_config"}
    assert not loaded & RUNTIME  # optional, and loaded where a model is read or run


def test_the_api_process_never_loads_the_runtime_of_models() -> None:
    # When the service's API is loaded with every kind, in a fresh interpreter
    done = _python(
        "import sys, scoring_service.main, scoring_service.doors.http.app\n"
        "from goat.kinds.base import get_kind, kinds\n"
        "print(*[get_kind(name).name for name in kinds()], *sys.modules)"
    )

    # Then what parses and runs models is not there: that is the children's business
    assert done.returncode == 0, done.stderr
    assert "onnx_inference" in done.stdout.split()
    assert not {name.partition(".")[0] for name in done.stdout.split()} & RUNTIME


def test_the_documented_names_work_in_either_order() -> None:
    # Given both documented ways to reach the functions, When they are used in either order
    orders = (
        "import goat; goat.submit; from goat.submit import challenge1",
        "from goat.submit import challenge1; import goat",
        "import goat.submit; goat.submit.challenge1",
    )
    check = "; assert callable(goat.submit) and callable(goat.leaderboard) and callable(goat.history)"
    check += "; import inspect; assert list(inspect.signature(goat.submit).parameters)[0] == 'path'"

    # Then goat.submit is the function each time
    for order in orders:
        done = _python(order + check)
        assert done.returncode == 0, done.stderr
