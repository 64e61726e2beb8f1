"""Teams' servers find everything compiled, also what a service has compiled for itself alone."""

from __future__ import annotations

import os
from pathlib import Path

import precompile
import pytest


@pytest.fixture(autouse=True)
def same_umask() -> object:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_everything_is_compiled_for_everybody(tmp_path: Path) -> None:
    # Given a package with a module, one that no Python can read, tests, and a cache that only root can read
    for name, text in (("a.py", "x = 1"), ("sub/b.py", "y = 2"), ("broken.py", "def ("), ("tests/t.py", "")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "__pycache__").mkdir(mode=0o700)
    private = tmp_path / "__pycache__" / "old.pyc"
    private.touch(mode=0o600)

    # When it is compiled, by somebody whose files are private
    os.umask(0o077)
    precompile.compile_all([tmp_path])

    # Then each module is, the tests are not, and everybody can read it
    compiled = {path.name.partition(".")[0]: path for path in tmp_path.rglob("*.pyc")}
    assert set(compiled) == {"a", "b", "old"}
    for path in compiled.values():
        assert path.stat().st_mode & 0o044 == 0o044
        assert path.parent.stat().st_mode & 0o055 == 0o055

    # And a second time nothing is written
    times = {path: path.stat().st_mtime_ns for path in compiled.values()}
    precompile.compile_all([tmp_path])
    assert times == {path: path.stat().st_mtime_ns for path in compiled.values()}
