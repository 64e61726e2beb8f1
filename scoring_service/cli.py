"""``goat-server``: everything an organiser does from a terminal.

Subcommands are the modules of `scoring_service.commands`, imported only when they are called, so
that ``goat-server worker`` starts without paying for the web framework and the other way round.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
import sys
from pathlib import Path

import click

from goat.errors import GoatError, Rejection
from scoring_service import commands


class LazyGroup(click.Group):
    """A group whose subcommands are modules, found by name and imported at the last moment."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(
            module.name for module in pkgutil.iter_modules(commands.__path__) if module.name[0] != "_"
        )

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(f"{commands.__name__}.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # click would import every module to ask it for its help.
        rows = [(name, _first_line(name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _first_line(name: str) -> str:
    """First line of a subcommand module's docstring, read without running the module."""
    spec = importlib.util.find_spec(f"{commands.__name__}.{name}")
    if spec is None or spec.origin is None:
        return ""
    docstring = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mls-goat")
def cli() -> None:
    """Run and look after the scoring service."""


def main() -> None:
    """Entry point: errors of ours become one sentence and exit status 1, never a traceback."""
    from scoring_service.settings import BadSetting

    try:
        cli(prog_name="goat-server")
    except Rejection as rejection:
        for problem in rejection.problems:
            click.echo(f"{problem.file + ': ' if problem.file else ''}{problem.message}", err=True)
        sys.exit(1)
    except (GoatError, BadSetting) as error:
        click.echo(f"goat-server: {error}", err=True)
        sys.exit(1)
