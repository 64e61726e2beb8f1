"""``goat challenges | data | check | dry-run | baseline``: everything before a submission."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import click

from goat import api
from goat.artifact import challenge_for, chosen
from goat.cache import known_challenge
from goat.cli.output import (
    already_said,
    batch_size_option,
    challenge_of_path_option,
    challenge_option,
    console,
    display,
    emit,
    json_option,
    line,
)
from goat.client import DEFAULT_CHALLENGE, Client
from goat.datasets import PARTS, fetch_data
from goat.dry_run import dry_run as rehearse
from goat.errors import Invalid
from goat.records import Challenge
from goat.submit import check_here
from goat.text import duration, plain, size

PATH = click.Path(exists=True, path_type=Path)


@click.command()
@json_option
def challenges(as_json: bool) -> None:
    """List the challenges."""
    found = api.challenges()
    if as_json:
        emit(found)
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table("challenge", "title", "kind", "closes", "up to", box=SIMPLE_HEAD)
    for item in found:
        table.add_row(
            Text(plain(item.id)),
            Text(plain(item.title)),
            plain(item.kind),
            _closes(item),
            size(item.max_bytes),
        )
    console().print(table)


def _closes(challenge: Challenge) -> str:
    """When it closes, counted on the service's clock: this machine's may be wrong."""
    if challenge.deadline is None:
        return "never"
    left = (challenge.deadline - challenge.server_time).total_seconds()
    return f"in {duration(left)}" if left > 0 else "closed"


@click.command()
@challenge_option
@click.option("--part", type=click.Choice(PARTS), help="Only this part.")
@json_option
def data(challenge: str, part: str | None, as_json: bool) -> None:
    """Download the data (once) and say where it lies.

    It is verified and read-only, in the cache folder (GOAT_CACHE moves it).
    """
    with Client() as client:
        wanted = (part,) if part else PARTS
        found = fetch_data(client, challenge, parts=wanted, display=display(as_json))
    if as_json:
        emit({name: str(folder) for name, folder in found.folders.items()})
        return
    out = console()
    for name, folder in found.folders.items():
        for inner in sorted(folder.iterdir()):
            out.print(f"{name}/{inner.name}: {inner}", markup=False, soft_wrap=True)


@click.command()
@click.argument("path", type=PATH)
@challenge_of_path_option
@batch_size_option
@click.option("--test", is_flag=True, help="As answers to the sample split.")
@json_option
def check(path: Path, challenge: str | None, batch_size: int | None, test: bool, as_json: bool) -> None:
    """Check a submission without sending it.

    The service's own code runs here and lists every problem at once.
    """
    name = challenge_for(path, challenge)
    with Client() as client:
        about, _ = known_challenge(client, name)
    check_here(path, about, "test" if test else "ranked", display(True), chosen(batch_size))
    if as_json:
        emit({"problems": []})
    else:
        line(f"{path} is a valid {'test' if test else 'ranked'} submission to {name}")


@click.command("dry-run")
@click.argument("path", type=PATH)
@challenge_of_path_option
@batch_size_option
@click.option(
    "--truth", type=PATH, help="Score against this folder (it holds truth/) instead of the sample split."
)
@json_option
def dry_run(
    path: Path, challenge: str | None, batch_size: int | None, truth: Path | None, as_json: bool
) -> None:
    """Score answers to the sample split, or a model, here.

    The number is exactly that of `goat submit --test`; but the speed of a model is this machine's.
    """
    result = rehearse(path, challenge, truth, batch_size=batch_size, quiet=True if as_json else None)
    if as_json:
        emit(result.as_dict())
        return
    if not already_said():
        line(result.sentence())
    for name, value in result.metrics.items():
        if name != "score":
            console().print(f"  {plain(name)} {value:.4f}", markup=False)


@click.command()
@click.argument("output", type=click.Path(path_type=Path))
@challenge_option
@click.option("--test", is_flag=True, help="Answer the sample split.")
def baseline(output: Path, challenge: str, test: bool) -> None:
    """Write a first valid submission into OUTPUT.

    A folder of answers or a model, as the challenge asks. Read how it works (goat/baselines), submit it,
    beat it.
    """
    show = display(False)
    with Client() as client:
        about, _ = known_challenge(client, challenge)
        module = _baseline_of(about.kind)
        learns = getattr(module, "LEARNS", False)
        part = "sample" if test or learns else "eval"
        found = fetch_data(client, challenge, parts=(part,), display=show, about=about)
    inputs = found.part(part) / "inputs"
    with show.bar("learning from" if learns else "answering", "images") as advance:
        count = module.baseline(inputs, output, progress=advance)
    if learns:
        line(f"{output} ({size(output.stat().st_size)}) learnt from {count} images")
    else:
        line(f"{count} answers in {output}")
    named = "" if challenge == DEFAULT_CHALLENGE else f" -c {challenge}"
    line(f"next: goat {'dry-run' if test or learns else 'submit'} {output}{named}", mark="note")
    if learns:
        line(f"then: goat submit {output}{named}", mark="note")


def _baseline_of(kind: str) -> Any:
    """The module named like the kind, with its function ``baseline(inputs, output, *, progress)``."""
    try:
        return importlib.import_module(f"goat.baselines.{kind}")
    except ModuleNotFoundError:
        raise Invalid(f"there is no baseline for challenges of kind {kind!r}") from None


COMMANDS = (challenges, data, check, dry_run, baseline)
