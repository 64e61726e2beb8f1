"""What is found before anything runs."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path

import pytest

from scoring_service.settings import Settings
from scoring_service.supervise import checks


def settings_for(home: Path, **values: object) -> Settings:
    return dataclasses.replace(Settings.from_env({"GOAT_HOME": str(home)}), **values)


def test_a_taken_port_is_not_free_and_is_free_again_afterwards():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert not checks.is_free("127.0.0.1", port)
    assert checks.is_free("127.0.0.1", port)


def test_a_strange_address_is_named(tmp_path):
    settings = settings_for(tmp_path, api_host="no such host!")
    with pytest.raises(checks.Refused, match="no address of this machine"):
        checks.check_ports(settings, None)


def test_a_folder_that_others_use_keeps_its_mode(tmp_path):
    # Given a folder that is shared, named as GOAT_HOME by mistake
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)

    # When it is prepared
    checks.make_folders(settings_for(shared))

    # Then it is as it was, and ours inside are private
    assert shared.stat().st_mode & 0o777 == 0o755
    assert (shared / "secrets").stat().st_mode & 0o777 == 0o700


def test_a_folder_of_ours_is_private(tmp_path):
    home = tmp_path / "new"
    checks.make_folders(settings_for(home))
    assert home.stat().st_mode & 0o777 == 0o700


def test_a_link_laid_where_our_sockets_go_is_refused(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (home / "secrets").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(checks.Refused, match="belongs to another user"):
        checks.make_folders(settings_for(home))
