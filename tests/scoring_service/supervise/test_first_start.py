"""What the first start makes, and what later starts leave alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from goat.errors import NotAuthenticated
from scoring_service.services import Services, build_services
from scoring_service.settings import Settings
from scoring_service.supervise import first_start
from scoring_service.supervise.first_start import prepare

LIGHT_EVENT = """
event: photographs
title: A light stand-in
timezone: UTC
challenges: []
"""


@pytest.fixture
def settings(tmp_path, monkeypatch) -> Settings:
    """Settings of an empty home, with an event that takes no time to make."""
    event = tmp_path / "event.yaml"
    event.write_text(LIGHT_EVENT)
    monkeypatch.setattr(first_start, "sample_event_file", lambda: event)
    return Settings.from_env({"GOAT_HOME": str(tmp_path / "home")})


def services_of(settings: Settings) -> Services:
    return build_services(settings)


def test_the_first_start_makes_event_organiser_and_demo_team(settings):
    prepared = prepare(settings)

    services = services_of(settings)
    assert services.events.exists("photographs")
    admin, demo = prepared.passwords["admin"], prepared.passwords["team_awesome"]
    assert admin
    assert demo
    assert services.teams.authenticate("admin", admin).role == "organiser"
    assert services.teams.authenticate("team_awesome", demo).team_name == "team_awesome"


def test_generated_passwords_are_kept_for_their_owner_only(settings):
    prepared = prepare(settings)
    for name, file in (("admin", "admin_password"), ("team_awesome", "demo_password")):
        path: Path = settings.home / "secrets" / file
        assert path.read_text() == prepared.passwords[name]
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_second_start_changes_and_shows_nothing(settings):
    first = prepare(settings)
    second = prepare(settings)
    assert second.passwords == {"admin": None, "team_awesome": None}
    assert second.notes == []
    assert services_of(settings).teams.authenticate("admin", first.passwords["admin"] or "")


def test_a_start_cut_off_in_the_middle_is_completed_by_the_next(settings, monkeypatch):
    # Given a first start that dies before the demo team
    monkeypatch.setattr(first_start, "DEMO_TEAM", "no such name!")
    with pytest.raises(KeyError):
        prepare(settings)
    monkeypatch.undo()
    monkeypatch.setattr(first_start, "sample_event_file", lambda: settings.home.parent / "event.yaml")

    # When it is started again, all is there
    assert prepare(settings).passwords["team_awesome"]


def test_a_demo_team_that_the_organiser_deleted_stays_deleted(settings):
    prepare(settings)
    services_of(settings).teams.delete("team_awesome")
    prepare(settings)
    assert services_of(settings).teams.list() == []


def test_a_password_from_the_environment_counts_from_the_next_start_on(settings):
    # Given a generated password
    old = prepare(settings).passwords["team_awesome"]

    # When one is chosen
    chosen = prepare(dataclasses.replace(settings, demo_password="chosen by the organiser"))

    # Then it is the one that works, and the start says so without showing it
    teams = services_of(settings).teams
    assert teams.authenticate("team_awesome", "chosen by the organiser")
    with pytest.raises(NotAuthenticated):
        teams.authenticate("team_awesome", old or "")
    assert "the password of team_awesome is now the one of the environment" in chosen.notes[0]
    assert "chosen by" not in str(chosen)


def test_a_given_password_is_neither_stored_nor_shown(settings):
    prepared = prepare(dataclasses.replace(settings, admin_password="given from outside"))
    assert prepared.passwords["admin"] is None
    assert not (settings.home / "secrets" / "admin_password").exists()


def test_another_default_event_is_asked_for_by_name(settings):
    prepared = prepare(dataclasses.replace(settings, default_event="ours"))
    assert "goat-server event apply" in prepared.notes[0]
    assert "team_awesome" not in prepared.passwords
