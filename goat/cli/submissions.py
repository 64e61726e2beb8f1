"""``goat submit | status | history | cancel | select``."""

from __future__ import annotations

from pathlib import Path

import click

from goat import api
from goat.cli.output import (
    already_said,
    batch_size_option,
    challenge_of_path_option,
    console,
    emit,
    json_option,
    line,
)
from goat.client import Client
from goat.errors import NotFound
from goat.history import history as fetch_history
from goat.results import Result
from goat.submit import submit as send
from goat.waiting import DEFAULT_TIMEOUT_S, how_to_see


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@challenge_of_path_option
@batch_size_option
@click.option("--test", is_flag=True, help="Answers to the sample split: not ranked, own limit.")
@click.option("--no-wait", is_flag=True, help="Return as soon as it is accepted.")
@click.option(
    "--timeout",
    type=float,
    default=DEFAULT_TIMEOUT_S,
    show_default=True,
    metavar="S",
    help="Seconds to wait.",
)
@json_option
def submit(
    path: Path,
    challenge: str | None,
    batch_size: int | None,
    test: bool,
    no_wait: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Submit PATH and wait for its score.

    PATH is what the challenge asks for, e.g. a folder with one file per image, or an .onnx file. It is
    checked here first; an interrupted wait leaves the submission alone.
    """
    result = send(
        path,
        challenge,
        "test" if test else "ranked",
        batch_size=batch_size,
        wait=not no_wait,
        timeout=timeout,
        quiet=True if as_json else None,
    )
    _show(result, as_json, said=already_said())


@click.command()
@click.argument("submission_id", metavar="[ID]", required=False)
@click.option("--wait", is_flag=True, help="Wait for the score.")
@json_option
def status(submission_id: str | None, wait: bool, as_json: bool) -> None:
    """Show a submission, by default the last one."""
    with Client() as client:
        if submission_id is None:
            newest = client.submissions(limit=1)
            if not newest:
                raise NotFound("There is no submission yet: `goat submit` makes the first one.")
            submission_id = newest[0].id
        if wait:
            result = api.wait(submission_id, client=client, quiet=True if as_json else None)
        else:
            result = api.status(submission_id, client=client)
    _show(result, as_json, said=wait and already_said())
    if not result.pending:
        result.raise_without_score()


@click.command()
@click.option("-c", "--challenge", metavar="ID", help="Only this challenge.")
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many.")
@json_option
def history(challenge: str | None, limit: int, as_json: bool) -> None:
    """List the team's submissions, newest first."""
    found = fetch_history(challenge, limit=limit)
    if as_json:
        emit(found.submissions)
    elif found.submissions:
        console().print(found.table())
    else:
        line("no submissions yet: `goat submit` makes the first one", mark="note")


@click.command()
@click.argument("submission_id", metavar="ID")
@json_option
def cancel(submission_id: str, as_json: bool) -> None:
    """Call back a submission that is not scored yet."""
    result = api.cancel(submission_id)
    if as_json:
        emit(result.as_dict())
    else:
        line(f"submission {result.submission_id} is {result.state.lower()}")


@click.command()
@click.argument("submission_id", metavar="ID")
@click.option("--undo", is_flag=True, help="Take the choice back.")
@json_option
def select(submission_id: str, undo: bool, as_json: bool) -> None:
    """Choose a submission as one of the team's finals."""
    result = api.select(submission_id, not undo)
    if as_json:
        emit(result.as_dict())
    else:
        chosen = "is" if result.submission.selected else "is not"
        line(f"submission {result.submission_id} {chosen} one of your finals")


def _show(result: Result, as_json: bool, *, said: bool = False) -> None:
    if as_json:
        emit(result.as_dict())
        return
    mark = "ok" if result.state == "EVALUATED" else "note" if result.pending else "bad"
    if not said:
        line(f"{result.challenge}: {result.sentence()}", mark=mark)
    for name, value in result.metrics.items():
        if name != "score":
            console().print(f"  {name} {value:.4f}", markup=False)
    if result.pending:
        console().print(f"  {how_to_see(result.submission_id)}", markup=False, soft_wrap=True)
    else:
        console().print(f"  submission {result.submission_id}", markup=False, soft_wrap=True)


COMMANDS = (submit, status, history, cancel, select)
