"""What is written is so: see scripts/check_docs.py, which `make check` runs as a whole."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from scripts import check_docs

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", check_docs.CHECKS)
def test_documents_tell_the_truth_about(name):
    assert list(check_docs.CHECKS[name]()) == []


def test_the_readme_shows_the_two_commands():
    commands = [command[:2] for command in check_docs.commands_of(ROOT / "README.md")]
    assert ["make", "up"] in commands
    assert ["make", "test"] in commands


def test_a_wrong_link_is_found(tmp_path, monkeypatch):
    # Given a document with one good and two bad links
    document = tmp_path / "README.md"
    document.write_text("# A heading: yes\n[a](#a-heading-yes) [b](missing.md) [c](README.md#nowhere)\n")
    monkeypatch.setattr(check_docs, "ROOT", tmp_path)
    monkeypatch.setattr(check_docs, "documents", lambda: [document])

    # When the links are checked
    faults = list(check_docs.check_links())

    # Then the bad ones are named
    assert len(faults) == 2
    assert "missing.md" in faults[0]
    assert "no such heading" in faults[1]


def test_a_wrong_command_or_option_is_found():
    @click.group()
    def program() -> None: ...

    @program.command()
    @click.option("--url")
    def login(url: str) -> None: ...

    assert check_docs.command_fault(program, ["login", "--url", "x"]) == ""
    assert "no such command" in check_docs.command_fault(program, ["logout"])
    assert "no such option" in check_docs.command_fault(program, ["login", "--name"])


def test_a_registry_address_is_found(tmp_path, monkeypatch):
    file = tmp_path / "requirements.txt"
    file.write_text("--index-url https://py" + "pi.org/simple\n")
    monkeypatch.setattr(check_docs, "ROOT", tmp_path)
    monkeypatch.setattr(check_docs, "tracked", lambda: [file])
    assert len(list(check_docs.check_addresses())) == 1


def test_every_requirement_is_pinned_and_hashed():
    for name in ("server.txt", "test.txt", "goat.txt", "build.txt", "uv.txt"):
        text = (ROOT / "requirements" / name).read_text().replace("\\\n", " ")
        requirements = [line for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]
        assert requirements
        assert [one for one in requirements if "==" not in one or "--hash=sha256:" not in one] == [], name


def test_the_sets_agree_on_every_version():
    # Given what the test set pins
    def pins(name: str) -> set[str]:
        text = (ROOT / "requirements" / name).read_text()
        return {line.rstrip(" \\") for line in text.splitlines() if re.match(r"[a-z0-9].*==", line)}

    versions = {
        re.split(r"[=;]", pin)[0].strip(): pin.partition("==")[2].split()[0] for pin in pins("test.txt")
    }

    # Then a server environment that becomes a test environment changes no version
    for pin in pins("server.txt") | pins("goat.txt"):
        name, version = re.split(r"[=;]", pin)[0].strip(), pin.partition("==")[2].split()[0]
        several = [one for one in pins("test.txt") if one.startswith(f"{name}==")]
        assert version == versions[name] or any(f"=={version}" in one for one in several)


def test_every_setting_of_the_onnx_kind_is_described():
    from goat.kinds.onnx.settings import Config

    page = (ROOT / "docs" / "onnx.md").read_text(encoding="utf-8")
    described = re.findall(r"^\| `([a-z_]+)` \|", page[page.index("## For organisers") :], re.MULTILINE)
    assert sorted(described) == sorted(Config.__struct_fields__)
