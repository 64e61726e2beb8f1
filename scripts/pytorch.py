"""PyTorch for the notebooks: the CPU build where one can be had, gigabytes only for who asks for them.

``GOAT_WITH_TORCH`` is ``auto`` (the default), ``1`` (whatever build pip takes) or ``0`` (none). With it
comes what exports its models (requirements/notebook.txt). `ensure` is the whole story; its stamp makes the
second time instant. Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import sys
from collections.abc import Callable

from steps import ROOT, STAMPS, VENV, SetupFailed, run, say

REQUIREMENTS = ROOT / "requirements"
PINNED, NEEDED = REQUIREMENTS / "torch.txt", REQUIREMENTS / "notebook.txt"
STAMP = STAMPS / "torch.stamp"
WISH, PIP_ARGS = "GOAT_WITH_TORCH", "GOAT_TORCH_PIP_ARGS"
HEAVY = re.compile(r"nvidia|cuda|triton|rocm|intel-cmplr|dpcpp", re.IGNORECASE)
"""Names of the packages that make an install several gigabytes."""

HOW = (
    f"{WISH}=1 takes the large one, {WISH}=0 asks no more; for the small one name the CPU index that "
    f'pytorch.org shows: {PIP_ARGS}="--index-url ADDRESS".'
)

# Which needs of a package hold on this machine: asked of the environment's own Python.
NEEDS = """
import json, sys
from pip._vendor.packaging.requirements import Requirement
found = []
for item in json.load(open(sys.argv[1]))["install"]:
    needs = [Requirement(line) for line in item["metadata"].get("requires_dist") or []]
    found += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
print(json.dumps(found))
"""


def wish() -> str:
    """What was asked for: auto, 1 or 0. Raises `SetupFailed`."""
    said = os.environ.get(WISH, "").strip().lower() or "auto"
    if said not in ("auto", "0", "1"):
        raise SetupFailed(f"{WISH}={said} is not known. Use auto, 1 (PyTorch in any case) or 0 (without).")
    return said


def ensure(install_locked: Callable[[tuple[str, ...]], object], *, needed: bool) -> None:
    """Bring PyTorch into the environment as it was asked for.

    install_locked: installs one of our hashed requirement files. needed: without PyTorch the set is of no
    use, so say it and stop. Raises `SetupFailed`.
    """
    if wish() == "0":
        return
    _pip_args()  # what cannot be read is said before anything is asked
    mark, _, note = (STAMP.read_text() if STAMP.exists() else "").partition("\n")
    if mark == _digest() and (note or _is_there()):
        if not note:
            return
    else:
        note, final = _install(install_locked)
        if final:
            STAMP.write_text(f"{_digest()}\n{note}")
    if note and needed:
        raise SetupFailed(note)
    if note:
        say(note)


def _install(install_locked: Callable[[tuple[str, ...]], object]) -> tuple[str, bool]:
    """What to tell if it was left out, and whether asking again would bring nothing new."""
    if wish() == "1":
        say("PyTorch, in the build that pip takes (README, 'PyTorch', tells how to get the small one) …")
        _take(install_locked, _with_pip)
        return "", True
    try:
        large = large_packages()
    except SetupFailed:
        return f"PyTorch was left out: pip finds none for this Python, or reaches no index. {HOW}", False
    try:
        if not large:
            say("PyTorch (the CPU build) …")
            _take(install_locked, _with_pip)
            return "", True
        say(f"PyTorch: pip's build brings {len(large)} packages for GPUs; trying the CPU build …")
    except SetupFailed as failure:
        return f"{failure}\nPyTorch was left out; the same command tries it again. {HOW}", False
    try:
        _take(install_locked, _with_uv)
    except SetupFailed:
        return (
            f"PyTorch was left out: the build that pip takes here brings several gigabytes for GPUs, "
            f"and the CPU build could not be reached. {HOW}"
        ), True
    return "", True


def large_packages() -> list[str]:
    """Packages for GPUs that the build needs that pip would take; asks for metadata only."""
    report = STAMPS / "torch.json"
    options = ["--dry-run", "--no-deps", "--ignore-installed", "--report", str(report), "--retries", "1"]
    run([*_pip(), *options, "--timeout", "15", *_pip_args()], "asking pip for PyTorch")
    names: list[str] = json.loads(run([_python(), "-c", NEEDS, str(report)], "reading what it needs"))
    return [name for name in names if HEAVY.search(name)]


def _take(install_locked: Callable[[tuple[str, ...]], object], install: Callable[[], None]) -> None:
    install_locked((NEEDED.name,))
    install()
    version = run([_python(), "-c", "import torch; print(torch.__version__)"], "trying PyTorch")
    say(f"PyTorch {version.strip()}, with what exports its models to ONNX")


def _with_pip() -> None:
    # pip looks wherever its configuration points (a folder of wheels, a mirror).
    run([*_pip(), "--retries", "6", *_pip_args()], "installing PyTorch", attempts=2)


def _with_uv() -> None:
    # uv knows by itself where each build of PyTorch is.
    uv = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", _python(), "--no-deps"]
    quick = {"UV_HTTP_RETRIES": "1"}
    run([*uv, "--torch-backend", "cpu", "-r", str(PINNED)], "installing PyTorch", extra_env=quick)


def _python() -> str:
    return str(VENV / "bin" / "python")


def _pip() -> list[str]:
    return [_python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]


def _pip_args() -> list[str]:
    """What was said for pip, and what is to be installed. Raises `SetupFailed`."""
    said = os.environ.get(PIP_ARGS, "")
    try:
        return [*shlex.split(said), "-r", str(PINNED)]
    except ValueError as error:
        raise SetupFailed(
            f"{PIP_ARGS}={said} cannot be read: {error}. Write it as on a command line, each quote closed: "
            f'{PIP_ARGS}="--index-url ADDRESS".'
        ) from None


def _is_there() -> bool:
    return any(VENV.glob("lib/python*/site-packages/torch/version.py"))


def _digest() -> str:
    """What decides which build is installed."""
    facts = f"{sys.version}|{VENV}|{os.environ.get(PIP_ARGS, '')}|{wish()}".encode()
    return hashlib.sha256(facts + PINNED.read_bytes() + NEEDED.read_bytes()).hexdigest()
