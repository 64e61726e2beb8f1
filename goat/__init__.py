"""The participant's library of MLS-GOAT: submit, rehearse and see the board from anywhere.

    import goat

    goat.login("team_awesome", "my_password")       # once; or `goat login` in a terminal
    data = goat.data("task1")                       # download, verified and cached
    ...                                             # write one answer per file of data.eval_inputs
    goat.dry_run("./answers", "task1")              # the server's number, on your machine
    goat.submit("./answers", "task1")               # check, upload, wait, score
    goat.leaderboard("task1").figure

Names are loaded when they are first asked for (PEP 562), so ``import goat`` stays quick: nothing
heavy (httpx, numpy, pandas, plotly) is imported before it is needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from goat.api import cancel as cancel
    from goat.api import challenges as challenges
    from goat.api import data as data
    from goat.api import login as login
    from goat.api import logout as logout
    from goat.api import select as select
    from goat.api import status as status
    from goat.api import wait as wait
    from goat.api import whoami as whoami
    from goat.client import Client as Client
    from goat.datasets import Dataset as Dataset
    from goat.dry_run import DryRun as DryRun
    from goat.dry_run import dry_run as dry_run
    from goat.errors import Conflict as Conflict
    from goat.errors import DeadlinePassed as DeadlinePassed
    from goat.errors import Forbidden as Forbidden
    from goat.errors import GoatError as GoatError
    from goat.errors import Invalid as Invalid
    from goat.errors import LimitReached as LimitReached
    from goat.errors import LocalError as LocalError
    from goat.errors import MissingPackage as MissingPackage
    from goat.errors import NoResult as NoResult
    from goat.errors import NotAuthenticated as NotAuthenticated
    from goat.errors import NotFound as NotFound
    from goat.errors import NotLoggedIn as NotLoggedIn
    from goat.errors import Rejection as Rejection
    from goat.errors import RequestError as RequestError
    from goat.errors import ResultPending as ResultPending
    from goat.errors import ScorerMismatch as ScorerMismatch
    from goat.errors import ServiceUnreachable as ServiceUnreachable
    from goat.errors import StorageFull as StorageFull
    from goat.errors import TooLarge as TooLarge
    from goat.errors import Unavailable as Unavailable
    from goat.errors import UploadIncomplete as UploadIncomplete
    from goat.history import History as History
    from goat.history import history as history
    from goat.leaderboard import Leaderboard as Leaderboard
    from goat.leaderboard import leaderboard as leaderboard
    from goat.results import Result as Result
    from goat.submit import submit as submit
    from goat.widgets.api import board as board
    from goat.widgets.api import panel as panel

_HOME_OF: dict[str, str] = {
    **dict.fromkeys(
        ("cancel", "challenges", "data", "login", "logout", "select", "status", "wait", "whoami"), "goat.api"
    ),
    **dict.fromkeys(("board", "panel"), "goat.widgets.api"),
    "Client": "goat.client",
    "Dataset": "goat.datasets",
    "DryRun": "goat.dry_run",
    "History": "goat.history",
    "Leaderboard": "goat.leaderboard",
    "Result": "goat.results",
    **dict.fromkeys(
        (
            "Conflict",
            "DeadlinePassed",
            "Forbidden",
            "GoatError",
            "Invalid",
            "LimitReached",
            "LocalError",
            "MissingPackage",
            "NoResult",
            "NotAuthenticated",
            "NotFound",
            "NotLoggedIn",
            "Rejection",
            "RequestError",
            "ResultPending",
            "ScorerMismatch",
            "ServiceUnreachable",
            "StorageFull",
            "TooLarge",
            "Unavailable",
            "UploadIncomplete",
        ),
        "goat.errors",
    ),
}
"""Public name → the module that defines it."""

_CALLABLE_MODULES = ("dry_run", "history", "leaderboard", "submit")
"""Modules that are functions too: ``goat.submit(...)`` and ``from goat.submit import challenge1``."""

__all__ = [*sorted(_HOME_OF), *_CALLABLE_MODULES]  # noqa: PLE0604 - names of the table above


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        value = getattr(import_module(_HOME_OF[name]), name)
        globals()[name] = value
        return value
    if name in _CALLABLE_MODULES or name in ("errors", "figures", "records"):
        return import_module(f"goat.{name}")
    raise AttributeError(f"module 'goat' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def version() -> str:
    """Version of the installed library, e.g. ``0.1.0``."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("mls-goat")
    except PackageNotFoundError:  # a bare checkout on the path
        return "0"
