"""What supervisord and the queue server are told."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from scoring_service.evaluation import equipment
from scoring_service.settings import Settings
from scoring_service.supervise import config


@pytest.fixture
def no_driver(monkeypatch):
    """A machine whose driver does not answer, whatever this one has."""

    def missing():
        raise equipment.RuntimeMissing("no driver")

    monkeypatch.setattr(equipment, "gpus", missing)


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
        "program:worker-cpu",
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


def lanes(settings: Settings) -> dict[str, config.Program]:
    """Worker programs by name, those of models only."""
    return {
        program.name: program
        for program in config.programs(settings)
        if program.name.startswith(("worker-cpu", "worker-gpu"))
    }


def test_models_have_a_worker_of_their_own_or_as_many_as_asked():
    assert lanes(settings_for(Path("/srv/goat")))["worker-cpu"].processes == 1
    assert lanes(settings_for(Path("/srv/goat"), GOAT_CPU_WORKERS="3"))["worker-cpu"].processes == 3
    assert lanes(settings_for(Path("/srv/goat"), GOAT_CPU_WORKERS="0")) == {}


def test_every_gpu_worker_gets_its_device_and_its_share_of_the_memory():
    # Given three workers on two slices of a device
    settings = settings_for(
        Path("/srv/goat"), GOAT_GPU_WORKERS="3", GOAT_GPU_DEVICE="MIG-a,MIG-b", GPU_MEMORY_FRACTION="0.8"
    )
    # When they are planned
    found = {name: dict(program.environment) for name, program in lanes(settings).items()}
    # Then the two that share a slice share its memory, and each has a process of its own
    assert found["worker-gpu-0"] == {"GOAT_GPU_DEVICE": "MIG-a", "GPU_MEMORY_FRACTION": "0.4"}
    assert found["worker-gpu-1"] == {"GOAT_GPU_DEVICE": "MIG-b", "GPU_MEMORY_FRACTION": "0.8"}
    assert found["worker-gpu-2"] == {"GOAT_GPU_DEVICE": "MIG-a", "GPU_MEMORY_FRACTION": "0.4"}


def test_a_machine_without_a_driver_starts_no_gpu_worker(no_driver):
    assert list(lanes(settings_for(Path("/srv/goat")))) == ["worker-cpu"]


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
