"""Who am I, and where is the service?"""

from __future__ import annotations

import json
import stat

import pytest

import goat
from goat.identity import (
    DEFAULT_URL,
    find_credentials,
    forget_login,
    logins_file,
    normal_url,
    save_login,
    saved_name,
    service_url,
)
from tests.goat.fake_service import FakeService

URL = "http://goat.example:8000"


def test_what_the_call_is_given_wins_over_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOAT_TOKEN", "from environment")
    save_login(URL, "saved", "team_a")
    assert find_credentials(URL, token="given").token == "given"
    found = find_credentials(URL, name="team_b", password="secret")
    assert (found.name, found.password) == ("team_b", "secret")


def test_the_environment_wins_over_the_saved_login(monkeypatch: pytest.MonkeyPatch) -> None:
    save_login(URL, "saved", "team_a")
    assert find_credentials(URL).token == "saved"
    monkeypatch.setenv("GOAT_TOKEN", "from environment")
    assert find_credentials(URL).token == "from environment"


def test_a_name_alone_takes_the_password_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOAT_PASSWORD", "secret")
    assert find_credentials(URL, name="team_a").password == "secret"


def test_a_name_alone_uses_its_own_saved_login_and_no_other() -> None:
    save_login(URL, "saved", "team_a")
    assert find_credentials(URL, name="team_a").token == "saved"
    with pytest.raises(goat.NotLoggedIn, match="as team_a, not team_b"):
        find_credentials(URL, name="team_b")


def test_nobody_is_told_how_to_log_in() -> None:
    with pytest.raises(goat.NotLoggedIn, match="goat login"):
        find_credentials(URL)


def test_a_login_counts_for_its_server_only() -> None:
    save_login(URL, "saved", "team_a")
    assert find_credentials("http://GOAT.example:8000/").token == "saved"
    with pytest.raises(goat.NotLoggedIn):
        find_credentials("http://goat.example:9000")


def test_a_saved_login_is_readable_by_its_owner_alone_and_has_no_password(service: FakeService) -> None:
    # When somebody logs in
    goat.login("team_awesome", "my_password")

    # Then a token is saved, with mode 0600, and the password is not
    assert stat.S_IMODE(logins_file().stat().st_mode) == 0o600
    assert "my_password" not in logins_file().read_text()
    assert goat.whoami().team_name == "team_awesome"
    assert list(logins_file().parent.iterdir()) == [logins_file()]


def test_a_wrong_password_keeps_the_old_login(logged_in: FakeService) -> None:
    with pytest.raises(goat.NotAuthenticated):
        goat.login("team_awesome", "wrong")
    assert saved_name(logged_in.url) == "team_awesome"


def test_logging_in_again_works_with_a_login_that_ran_out(service: FakeService) -> None:
    # Given a saved token that the service no longer knows (its key changed, or it expired)
    save_login(service.url, "old", "team_awesome")

    # Then the sentence says what to do, a public board is still there, and a new login replaces it
    with pytest.raises(goat.NotAuthenticated, match="run `goat login`"):
        goat.whoami()
    assert len(goat.leaderboard("task1")) == 3
    goat.login("team_awesome", "my_password")
    assert goat.whoami().team_name == "team_awesome"


def test_logging_out_forgets(logged_in: FakeService) -> None:
    assert goat.logout()
    assert not goat.logout()
    assert not logins_file().exists()
    with pytest.raises(goat.NotLoggedIn):
        goat.whoami()


def test_the_address_is_asked_for_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    assert service_url() == DEFAULT_URL
    save_login(URL, "saved", "team_a")
    assert service_url() == URL
    monkeypatch.setenv("GOAT_URL", "other.example:1234/")
    assert service_url() == "http://other.example:1234"
    assert service_url("https://third.example/goat/") == "https://third.example/goat"
    forget_login(URL)


def test_a_damaged_login_file_is_as_good_as_none() -> None:
    save_login(URL, "saved", "team_a")
    for content in ("{", "[]", json.dumps({"servers": [1]}), json.dumps({"servers": {URL: "x"}})):
        logins_file().write_text(content)
        with pytest.raises(goat.NotLoggedIn):
            find_credentials(URL)


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://user@host", "http://h:port", "http://h?x=1"])
def test_what_is_no_address_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(goat.Invalid, match=r"127\.0\.0\.1:8000"):
        normal_url(url)


def test_secrets_never_show_in_a_repr() -> None:
    shown = repr(find_credentials(URL, name="team_a", password="secret")) + repr(
        find_credentials(URL, token="tell-nobody")
    )
    assert "secret" not in shown
    assert "tell-nobody" not in shown


def test_a_notebooks_own_token_goes_to_its_service_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a notebook in the hub
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "the server's own")
    monkeypatch.setenv("JUPYTERHUB_USER", "team_a")
    monkeypatch.setenv("GOAT_URL", URL)

    # Then it is known there without a login, also by its name in another spelling
    assert find_credentials(URL).source == "hub"
    assert find_credentials(URL, name="Team_A").token == "the server's own"

    # But no other service gets the token, and nobody else's name is taken
    with pytest.raises(goat.NotLoggedIn):
        find_credentials("http://somewhere.example")
    with pytest.raises(goat.NotLoggedIn, match="as team_a, not team_b"):
        find_credentials(URL, name="team_b")
