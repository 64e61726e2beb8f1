"""Accounts, teams, logins."""

from __future__ import annotations

import pytest

from goat.errors import Conflict, Invalid, NotAuthenticated
from scoring_service.models import AuditEntry
from tests.scoring_service.world import PASSWORD, World


def test_a_team_logs_in_with_its_name_and_password(world: World) -> None:
    identity = world.team("team_awesome")
    assert (identity.team_name, identity.event, identity.role) == (
        "team_awesome",
        "photographs",
        "participant",
    )
    assert world.services.teams.authenticate("TEAM_AWESOME", PASSWORD).team_name == "team_awesome"


@pytest.mark.parametrize(("name", "password"), [("team_awesome", "wrong password"), ("nobody", PASSWORD)])
def test_a_wrong_name_and_a_wrong_password_are_told_in_the_same_words(
    world: World, name: str, password: str
) -> None:
    world.team("team_awesome")
    with pytest.raises(NotAuthenticated, match=r"^Unknown name or wrong password\.$"):
        world.services.teams.authenticate(name, password)


@pytest.mark.parametrize(
    "name",
    ["", "a" * 65, "<img onerror=x>", "=cmd()", "two words", "ev\u202eil", "a\r\nb", "\x1b[31mred", "-rf"],
)
def test_names_that_could_mislead_a_page_a_log_or_a_spreadsheet_are_refused(world: World, name: str) -> None:
    with pytest.raises(Invalid, match="letters, digits"):
        world.services.teams.add(name, PASSWORD)


def test_a_name_is_taken_whatever_its_case(world: World) -> None:
    world.team("Goats")
    with pytest.raises(Conflict):
        world.services.teams.add("goats", PASSWORD)


def test_a_new_password_ends_all_logins(world: World) -> None:
    identity = world.team()
    world.services.teams.change_password(identity, PASSWORD, "another password")
    with pytest.raises(NotAuthenticated, match="ended"):
        world.services.teams.identify(identity.account_id, identity.token_version)
    with pytest.raises(NotAuthenticated):
        world.services.teams.change_password(identity, PASSWORD, "a third password")


def test_a_csv_of_teams_is_imported_once_however_often_it_is_read(world: World) -> None:
    text = "name,password\nalpha,password-1\nbeta,password-2\n"
    assert [team.name for team in world.services.teams.import_csv(text)] == ["alpha", "beta"]
    assert world.services.teams.import_csv(text) == []
    assert world.services.teams.authenticate("beta", "password-2").team_name == "beta"


def test_a_faulty_csv_names_every_faulty_line_and_creates_nothing(world: World) -> None:
    with pytest.raises(Invalid) as refused:
        world.services.teams.import_csv(
            "good,password-1\nbad name,password-2\nshort,x\ngood,password-3\nlonely\n"
        )
    assert len(refused.value.facts["faults"]) == 4
    assert world.services.teams.list() == []


def test_deleting_a_team_with_results_must_be_meant(world: World) -> None:
    team = world.team()
    world.submit(team)
    world.work()
    with pytest.raises(Conflict, match="1 submissions"):
        world.services.teams.delete("team_awesome")
    world.services.teams.delete("team_awesome", force=True)
    assert world.services.leaderboard.board("task1", None).rows == []
    with pytest.raises(NotAuthenticated):
        world.services.teams.authenticate("team_awesome", PASSWORD)


def test_the_trail_names_accounts_and_teams_as_they_are_called_however_they_were_typed(world: World) -> None:
    world.team("Goats")
    teams = world.services.teams
    teams.set_password("GOATS", "another correct horse", actor="admin")
    teams.ban("goats", True)
    teams.ban("gOATS", False)
    teams.delete("goatS")
    with world.services.db.read() as session:
        found = [(one.action, one.subject) for one in session.query(AuditEntry).order_by(AuditEntry.id)]
    assert found[-4:] == [
        ("account.password", "Goats"),
        ("team.ban", "Goats"),
        ("team.unban", "Goats"),
        ("team.delete", "Goats"),
    ]
