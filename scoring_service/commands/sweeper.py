"""Run the sweeper, which repeats lost announcements and takes back jobs that fell silent."""

from __future__ import annotations

import threading

import click

from scoring_service.commands._process import log_to_stderr, on_stop


@click.command()
def command() -> None:
    """Sweep once a second until stopped. One is enough; more do no harm."""
    from scoring_service.settings import Settings
    from scoring_service.workers.connect import connected_services
    from scoring_service.workers.sweeper import Sweeper

    log_to_stderr()
    stop = threading.Event()
    on_stop(stop.set)
    Sweeper(connected_services(Settings.from_env()), stop).run()
