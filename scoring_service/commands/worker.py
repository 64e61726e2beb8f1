"""Run one worker, which scores submissions of one lane."""

from __future__ import annotations

import click

from scoring_service.commands._process import log_to_stderr, on_stop


@click.command()
@click.option("--lane", default="short", show_default=True, help="Queue that it takes submissions from.")
def command(lane: str) -> None:
    """Score submissions of one lane until stopped. For more at once, start more of these.

    Lanes: short and long read files; cpu and gpu run models (GOAT_GPU_DEVICE names the device).
    """
    from scoring_service.evaluation.equipment import RuntimeMissing
    from scoring_service.settings import Settings
    from scoring_service.workers.connect import connected_services
    from scoring_service.workers.process import WorkerProcess
    from scoring_service.workers.scratch import Scratch

    log_to_stderr()
    try:
        settings = Settings.from_env()
        process = WorkerProcess(connected_services(settings), lane)
        on_stop(process.stop)
        with Scratch(settings.scratch_folder):
            process.run()
    except RuntimeMissing as missing:
        raise click.ClickException(str(missing)) from missing
