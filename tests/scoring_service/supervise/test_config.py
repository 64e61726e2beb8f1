"""What supervisord and the queue server are told."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from scoring_service.settings import Settings
from scoring_service.supervise import config


def settings_for(home: Path, **environ: str) -> Settings:
    return Settings.from_env({"GOAT_HOME": str(home), **environ})


def read(text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return parser


def test_everything_runs_and_is_started_again_whenever_it_ends():
    parser = read(config.supervisor_config(settings_for(Path("/srv/goat")), 1024))
    programs = [section for section in parser.sections() if section.startswith("program:")]
    assert programs == [
        "program:queue",
        "program:api",
        "program:worker",
        "program:worker-long",
        "program:sweeper",
    ]
    for section in programs:
        assert parser[section]["autorestart"] == "true"
        assert int(parser[section]["startretries"]) >= 1_000_000
        assert "child.py" in parser[section]["command"]


def test_there_are_as_many_short_workers_as_asked_and_one_long():
    parser = read(config.supervisor_config(settings_for(Path("/srv/goat"), WORKER_COUNT="7"), 1024))
    assert parser["program:worker"]["numprocs"] == "7"
    assert parser["program:worker"]["process_name"] == "%(program_name)s-%(process_num)d"
    assert parser["program:worker-long"]["numprocs"] == "1"


@pytest.mark.parametrize("environ", [{"REDIS_URL": "redis://elsewhere:6379/1"}, {"REDIS_HOST": "elsewhere"}])
def test_no_queue_server_is_started_where_one_is_named(environ):
    settings = settings_for(Path("/srv/goat"), **environ)
    assert next(program.name for program in config.programs(settings)) == "api"
    assert "--wait" not in config.supervisor_config(settings, 1024)


def test_stopping_everything_fits_into_ten_seconds():
    waits = {program.group: program.stop_s for program in config.programs(settings_for(Path("/srv/goat")))}
    assert sum(waits.values()) <= 7  # groups stop one after the other


def test_a_path_with_spaces_quotes_and_percent_signs_arrives_whole():
    # Given a home with a difficult name
    home = Path('/srv/100% "goat" it\'s')
    settings = settings_for(home)

    # Then supervisord sees its percent signs escaped, and the queue server its quotes
    text = config.supervisor_config(settings, 1024)
    assert '/srv/100%% "goat" it\'s/log/supervisor.log' in text
    assert 'dir "/srv/100% \\"goat\\" it\'s/queue"' in config.queue_config(settings)


def test_no_secret_is_written_into_the_configuration():
    secrets = {"SECRET_KEY": "k" * 40, "GOAT_ADMIN_PASSWORD": "p" * 20, "GOAT_DEMO_PASSWORD": "d" * 20}
    text = config.supervisor_config(settings_for(Path("/srv/goat"), **secrets), 1024)
    assert not [value for value in secrets.values() if value in text]
