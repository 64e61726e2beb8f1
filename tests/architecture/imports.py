"""The import graph of the sources, read from their syntax trees: nothing is imported to find out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("goat", "scoring_service", "hub_config")


@dataclass(frozen=True, slots=True, order=True)
class Import:
    """``module`` imports ``target`` (a module, or a name inside one)."""

    module: str
    target: str
    line: int
    at_start: bool
    """True when it happens on import of the module: neither inside a function nor for types only."""

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


@cache
def modules() -> dict[str, Path]:
    """Dotted name → file of every module of ours."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports() -> tuple[Import, ...]:
    """Every import statement of every module of ours."""
    return tuple(found for name, path in modules().items() for found in imports_of(name, path))


def imports_of(name: str, path: Path) -> Iterator[Import]:
    """Every import of one module, relative ones resolved."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    yield from _walk(ast.parse(path.read_text(encoding="utf-8")), name, package, at_start=True)


def _walk(node: ast.AST, name: str, package: str, *, at_start: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(name, alias.name, child.lineno, at_start)
        elif isinstance(child, ast.ImportFrom):
            base = child.module or ""
            if child.level:
                parent = package.split(".")[: len(package.split(".")) - child.level + 1]
                base = ".".join([*parent, base] if base else parent)
            for alias in child.names:
                yield Import(name, f"{base}.{alias.name}", child.lineno, at_start)
        else:
            lazy = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            typing_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            yield from _walk(child, name, package, at_start=at_start and not lazy and not typing_only)


def is_inside(target: str, *packages: str) -> bool:
    """Whether a dotted name is one of the packages or lies in one of them."""
    return any(target == package or target.startswith(f"{package}.") for package in packages)


def module_of(target: str) -> str | None:
    """Our module that an import target names or lies in; None for foreign ones."""
    while target:
        if target in modules():
            return target
        target = target.rpartition(".")[0]
    return None
