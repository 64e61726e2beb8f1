"""Show the queue: how many wait and run, and the workers alive."""

from __future__ import annotations

import time

import click

from goat.records import Lane, QueueStatus
from scoring_service.commands._open import services, table

WATCH_EVERY_S = 1.0


@click.command()
@click.option("--watch", is_flag=True, help="Print it again every second until Ctrl-C.")
def command(watch: bool) -> None:
    """Show per lane how many submissions wait and run and how many workers are alive."""
    with services() as opened:
        while True:
            show(opened.submissions.queue())
            if not watch:
                return
            try:
                time.sleep(WATCH_EVERY_S)
            except KeyboardInterrupt:
                return
            click.clear()


def show(status: QueueStatus) -> None:
    """Print one status."""
    rows: list[tuple[object, ...]] = [
        (lane.name, lane.length, lane.running, lane.workers_alive) for lane in status.lanes
    ]
    rows.append(("all", status.length, status.running, status.workers_alive))
    table(rows, ("lane", "waiting", "running", "workers alive"))
    for lane in status.lanes:
        if lane.unserved:
            click.echo(unserved(lane))


def unserved(lane: Lane) -> str:
    """What an organiser has to know of a lane that no worker serves."""
    whose = f" of {', '.join(lane.challenges)}" if lane.challenges else ""
    return (
        f"No worker takes from the lane {lane.name}: the submissions{whose} wait until one does. "
        f"goat-server up starts it where it can; by hand: goat-server worker --lane {lane.name}"
    )
