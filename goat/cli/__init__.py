"""The ``goat`` command. Each command is one call of the library; here is only what people read.

Exit codes: 0 it worked, 1 it was refused or rejected, 2 the command line is wrong, 3 the service
cannot be reached, 130 interrupted. Errors are one sentence (with ``--json``: one JSON object), never
a traceback, unless ``GOAT_DEBUG`` asks for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from goat import version
from goat.cli import account, board, data, submissions
from goat.cli.output import fail
from goat.errors import GoatError


class InOrder(click.Group):
    """Lists its commands in the order of a participant's day, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version(), prog_name="goat")
@click.option(
    "--url", metavar="URL", help="Address of the scoring service (default: GOAT_URL, or the last login)."
)
def cli(url: str | None) -> None:
    """Take part in an MLS-GOAT event: get the data, rehearse, submit, watch the board.

    \b
    First steps:
      goat login                   who you are, remembered on this machine
      goat data                    download the challenge's data
      goat baseline answers        a first valid submission
      goat submit answers          check, upload, wait for the score
      goat board                   where you stand
    """
    if url:
        # One place decides where the service is; a command line counts as this process's environment.
        os.environ["GOAT_URL"] = url


for module in (account, data, submissions, board):
    for command in module.COMMANDS:
        cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the ``goat`` command."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    try:
        code = cli.main(args=arguments, prog_name="goat", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as help_text:
        click.echo(help_text.format_message())
        return 2
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort) as stop:
        # click wraps an interrupt; what it says (how to see a submission that goes on) is inside.
        click.echo(f"Interrupted. {str(stop) or stop.__cause__ or ''}".strip(), err=True)
        return 130
    except BrokenPipeError:
        # The reader (e.g. `head`) has seen enough. Python would complain once more while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("GOAT_DEBUG"):
            raise
        # The command's own options are gone when its error arrives; the command line is not.
        as_json = "--json" in (sys.argv[1:] if arguments is None else arguments)
        return fail(_in_a_sentence(error), as_json=as_json)


def _in_a_sentence(error: Exception) -> GoatError:
    if isinstance(error, GoatError):
        return error
    if isinstance(error, OSError):
        return GoatError(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    return GoatError(
        f"goat has a fault of its own ({type(error).__name__}: {error}); GOAT_DEBUG=1 shows where."
    )
