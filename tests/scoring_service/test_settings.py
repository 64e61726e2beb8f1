"""Settings come from the environment, and a bad one says what fits."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from scoring_service.settings import BadSetting, Settings, read_or_make_secret, runtime_folder


def test_without_any_variable_everything_lies_under_home(tmp_path: Path) -> None:
    settings = Settings.from_env({"GOAT_HOME": str(tmp_path)})
    assert settings.database_url == f"sqlite:///{tmp_path}/goat.sqlite3"
    assert settings.embedded_queue


def test_the_older_names_are_honoured() -> None:
    settings = Settings.from_env(
        {
            "DATABASE_URL": "postgresql://db/goat",
            "REDIS_HOST": "redis",
            "WORKER_COUNT": "7",
            "GPU_MEMORY_FRACTION": "0.5",
        }
    )
    assert settings.database_url == "postgresql://db/goat"
    assert settings.redis_url == "redis://redis:6379/0"
    assert not settings.embedded_queue
    assert (settings.worker_count, settings.gpu_memory_fraction) == (7, 0.5)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GOAT_API_PORT", "http"),
        ("GOAT_API_PORT", "70000"),
        ("WORKER_COUNT", "0"),
        ("GPU_MEMORY_FRACTION", "1.5"),
        ("SECRET_KEY", "short"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(variable: str, value: str) -> None:
    with pytest.raises(BadSetting, match=variable):
        Settings.from_env({variable: value})


def test_secrets_never_show_in_logs() -> None:
    settings = Settings.from_env({"SECRET_KEY": "k" * 40, "GOAT_ADMIN_PASSWORD": "hidden-pass"})
    assert "k" * 40 not in repr(settings)
    assert "hidden-pass" not in repr(settings)


def test_a_secret_is_made_once_and_is_ours_alone(tmp_path: Path) -> None:
    first = read_or_make_secret(tmp_path / "secrets", "token-key")
    assert len(first) >= 32
    assert read_or_make_secret(tmp_path / "secrets", "token-key") == first
    assert stat.S_IMODE((tmp_path / "secrets" / "token-key").stat().st_mode) == 0o600


def test_sockets_have_a_short_place_when_home_is_deep() -> None:
    deep = Path("/srv") / ("x" * 120)
    assert len(str(runtime_folder(deep))) < 100
    assert "?" not in str(runtime_folder(Path("/srv/what?")))
    assert runtime_folder(Path("/srv/goat")) == Path("/srv/goat/run")


def test_secrets_are_taken_from_the_folder_that_is_named(tmp_path: Path) -> None:
    # Given secrets as a container engine mounts them: files that cannot be written
    for name, text in (("database_password", "p/w@1\n"), ("redis_password", "q:w"), ("hub_x", "token\n")):
        (tmp_path / name).write_text(text)
    environment = {
        "GOAT_SECRETS": str(tmp_path),
        "DATABASE_URL": "postgresql://goat@db:5432/goat",
        "REDIS_HOST": "queue",
    }

    # Then both addresses get their password, safely written, and keys are read as they are
    settings = Settings.from_env(environment)
    assert settings.database_url == "postgresql://goat:p%2Fw%401@db:5432/goat"
    assert settings.redis_url == "redis://:q%3Aw@queue:6379/0"
    assert read_or_make_secret(settings.secrets_folder, "hub_x") == "token"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "database_password",
        "hub_x",
        "redis_password",
    ]
    assert "q%3Aw" not in repr(settings)


@pytest.mark.parametrize(
    "url",
    ["postgresql://goat:own@db/goat", "sqlite:////data/goat.sqlite3", "postgresql://goat@db/goat?a=b@c"],
)
def test_a_password_in_the_address_goes_before_the_file(tmp_path: Path, url: str) -> None:
    (tmp_path / "database_password").write_text("of the file")
    found = Settings.from_env({"GOAT_SECRETS": str(tmp_path), "DATABASE_URL": url}).database_url
    assert found == url.replace("goat@db/", "goat:of%20the%20file@db/")


def test_an_empty_or_missing_secret_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(BadSetting, match="is empty"):
        read_or_make_secret(tmp_path, "empty")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(BadSetting, match="cannot be made"):
        read_or_make_secret(tmp_path / "file", "key")
