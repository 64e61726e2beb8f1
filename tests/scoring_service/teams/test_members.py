"""People with a login of their own: what they may, for whom, and until when."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from goat.errors import Conflict, Forbidden, GoatError, Invalid, NotAuthenticated, NotFound
from scoring_service.cli import cli
from scoring_service.models import AuditEntry
from tests.scoring_service.world import PASSWORD, World, event_file, submission_zip


def test_a_member_acts_for_the_team_and_is_named_beside_it(world: World) -> None:
    # Given a team with a person in it
    world.apply()
    world.team("team_awesome")
    password = world.services.members.add("TEAM_AWESOME", "Ada").password
    assert password is not None
    # When the person logs in and submits
    ada = world.services.teams.authenticate("ada", password)
    submission = world.submit(ada)
    # Then it is the team's, with the person's name
    assert (submission.team_name, submission.account) == ("team_awesome", "Ada")
    listed = world.services.members.list("team_awesome")
    assert [(m.name, m.shared, m.submissions, m.password) for m in listed] == [
        ("team_awesome", True, 0, None),
        ("Ada", False, 1, None),
    ]
    assert world.services.teams.list()[0].members == 2


def test_a_removed_member_is_out_at_once_and_what_it_sent_stays(world: World) -> None:
    world.apply()
    team = world.team("team_awesome")
    world.services.members.add("team_awesome", "ada", PASSWORD)
    ada = world.services.teams.authenticate("ada", PASSWORD)
    world.submit(ada)
    world.work()
    # When ada is removed
    world.services.members.remove("team_awesome", "ADA", actor="admin")
    # Then the login has ended, a new one is in no team, and the team's own goes on with the result
    with pytest.raises(NotAuthenticated, match="ended"):
        world.services.teams.identify(ada.account_id, ada.token_version)
    with pytest.raises(Forbidden, match="in no team"):
        world.services.teams.authenticate("ada", PASSWORD).require_team()
    assert world.services.leaderboard.board("task1", None).rows[0].team_name == "team_awesome"
    assert world.services.submissions.history(team)[0].account == "ada"
    with world.services.db.read() as session:
        entry = session.query(AuditEntry).filter_by(action="member.remove").one()
    assert (entry.actor, entry.subject, entry.facts) == ("admin", "ada", {"team": "team_awesome"})


def test_an_upload_that_was_open_when_its_sender_was_removed_is_refused(world: World) -> None:
    world.apply()
    world.team("team_awesome")
    world.services.members.add("team_awesome", "ada", PASSWORD)
    ada = world.services.teams.authenticate("ada", PASSWORD)
    content = submission_zip()
    ticket = world.services.acceptance.open_upload(ada, "task1", "ranked", len(content))
    with world.services.store.open_upload() as upload:
        upload.write(content)
        digest = upload.finish()
    world.services.members.remove("team_awesome", "ada")
    with pytest.raises(Forbidden, match="not in this team any more"):
        world.services.acceptance.accept(ticket, sha256=digest, size=len(content), filename="a.zip")
    assert not world.services.store.holds(digest)


def test_a_ban_of_the_team_bars_its_members_too(world: World) -> None:
    world.team("team_awesome")
    world.services.members.add("team_awesome", "ada", PASSWORD)
    world.services.teams.ban("team_awesome", True)
    with pytest.raises(Forbidden, match="banned"):
        world.services.teams.authenticate("ada", PASSWORD).require_team()


def test_who_was_removed_comes_back_with_a_new_password_also_to_another_team(world: World) -> None:
    world.team("team_a")
    world.team("team_b")
    first = world.services.members.add("team_a", "ada")
    world.services.members.remove("team_a", "ada")
    second = world.services.members.add("team_b", "ada")
    assert first.password != second.password
    with pytest.raises(NotAuthenticated):
        world.services.teams.authenticate("ada", first.password or "")
    assert world.services.teams.authenticate("ada", second.password or "").team_name == "team_b"


def test_a_person_is_in_one_team_of_an_event_and_keeps_the_password_in_another_event(
    world: World, tmp_path: Path
) -> None:
    # Given two teams of one event, one of another
    world.team("team_a")
    world.team("team_b")
    (tmp_path / "other").mkdir()
    world.services.events.apply(event_file(tmp_path / "other", event="other"))
    world.services.teams.add("team_c", PASSWORD, event="other")
    world.services.members.add("team_a", "ada", PASSWORD)
    # Then ada cannot join the second, but can be in the other event
    with pytest.raises(Conflict, match="is in the team team_a already"):
        world.services.members.add("team_b", "ada")
    with pytest.raises(Conflict, match="without a password"):
        world.services.members.add("team_c", "ada", PASSWORD, event="other")
    assert world.services.members.add("team_c", "ada", event="other").password is None
    assert world.services.teams.authenticate("ada", PASSWORD).team_name == "team_a"


def test_names_that_are_a_teams_or_an_organisers_are_no_persons(world: World) -> None:
    # A member with a team's name would be that team at the hub.
    world.team("team_a")
    world.team("team_b")
    world.organiser("admin")
    for name in ("Team_B", "team_a", "ADMIN"):
        with pytest.raises(Conflict):
            world.services.members.add("team_a", name)
    with pytest.raises(Invalid, match="letters, digits"):
        world.services.members.add("team_a", "../team_b")
    with pytest.raises(Invalid, match="characters"):
        world.services.members.add("team_a", "ada", "short")
    with pytest.raises(NotFound):
        world.services.members.add("nobody", "ada")
    # And a team cannot take the name of a person, not even of one who was removed
    world.services.members.add("team_a", "ada", PASSWORD)
    world.services.members.remove("team_a", "ada")
    with pytest.raises(Conflict):
        world.services.teams.add("ADA", PASSWORD)


def test_an_empty_password_is_refused_and_none_is_made_that_nobody_sees(world: World) -> None:
    world.apply()
    world.team("team_awesome")
    with pytest.raises(Invalid, match="8 to 256 characters"):
        world.services.members.add("team_awesome", "ada", "")


def test_only_who_is_in_the_team_is_removed_and_never_its_own_login(world: World) -> None:
    world.team("team_a")
    world.team("team_b")
    world.services.members.add("team_b", "ada", PASSWORD)
    for name in ("ada", "team_b", "nobody"):
        with pytest.raises(NotFound, match="is not in the team team_a"):
            world.services.members.remove("team_a", name)
    with pytest.raises(Conflict, match="own login"):
        world.services.members.remove("team_a", "TEAM_A")
    assert world.services.teams.authenticate("ada", PASSWORD).team_name == "team_b"


def test_of_two_who_add_the_same_person_at_once_one_succeeds(world: World) -> None:
    world.team("team_a")
    world.team("team_b")
    done: list[str] = []

    def add(team: str) -> None:
        try:
            done.append(world.services.members.add(team, "ada").team_name)
        except GoatError as error:
            done.append(error.code)

    threads = [threading.Thread(target=add, args=(team,)) for team in ("team_a", "team_b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done)[0] == "conflict", done
    assert sorted(done)[1] in ("team_a", "team_b")
    assert [t.members for t in world.services.teams.list()].count(2) == 1


def test_the_terminal_adds_lists_and_removes(sqlite_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    services, settings = sqlite_world.services, sqlite_world.services.settings
    sqlite_world.team("team_awesome")
    monkeypatch.setenv("GOAT_HOME", str(settings.home))
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    runner = CliRunner()

    said = runner.invoke(cli, ["team", "member", "add", "team_awesome", "ada"], catch_exceptions=False).output
    password = said.rpartition("shown only now: ")[2].strip()
    assert "goat login --team ada" in said
    assert services.teams.authenticate("ada", password).team_name == "team_awesome"

    said = runner.invoke(cli, ["team", "member", "list", "team_awesome"], catch_exceptions=False).output
    assert [line.split()[0] for line in said.splitlines()] == ["ACCOUNT", "team_awesome", "ada"]
    assert password not in said

    runner.invoke(cli, ["team", "member", "remove", "team_awesome", "ada"], catch_exceptions=False)
    assert [m.name for m in services.members.list("team_awesome")] == ["team_awesome"]
