"""Modules that can be called, for names that the documented commands use both ways.

``from goat.submit import challenge1`` makes Python bind the module to ``goat.submit``, whatever the
package had there; and ``goat.submit(path)`` must work before and after. So the module itself is
callable, and the order of imports never matters.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


def make_callable(module_name: str, function: Callable[..., Any]) -> None:
    """Let the imported module ``module_name`` be called like ``function``, with its signature and help."""
    cls = type(
        "CallableModule",
        (ModuleType,),
        {"__call__": staticmethod(function), "__doc__": function.__doc__},
    )
    module = sys.modules[module_name]
    module.__class__ = cls
    # Without it `inspect` (and so Jupyter's help) would take the first parameter for ``self``.
    vars(module)["__signature__"] = inspect.signature(function)
