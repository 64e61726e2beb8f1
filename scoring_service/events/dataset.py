"""A challenge's data on the organiser's side: build or copy, check, version, publish.

The four parts (see goat.kinds.base) lie in ``GOAT_HOME/data/<event>/<challenge>/<version>/``, readable
by the service's user only. The version is the digest of every path and byte, so the same data applied
again is the same version, and a path's content never changes.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goat.errors import Invalid
from goat.kinds.base import HIDDEN_PARTS, PUBLISHED_PARTS, Kind
from scoring_service.events.spec import ChallengeSpec
from scoring_service.store import Store, fsync_folder

_FIXED_TIME = (1980, 1, 1, 0, 0, 0)
"""Archives of equal content are equal bytes: the oldest time that a zip can hold."""


@dataclass(frozen=True, slots=True)
class ChallengeData:
    """`goat.kinds.base.Data` over one imported version."""

    folder: Path

    def part(self, name: str) -> Path:
        if name not in PUBLISHED_PARTS + HIDDEN_PARTS:
            raise ValueError(f"there is no part {name!r}")
        return self.folder / name


def data_folder(root: Path, event: str, challenge: str, version: str) -> Path:
    """Where a version of a challenge's data lies."""
    return root / event / challenge / version


def import_data(
    spec: ChallengeSpec, kind: Kind, config: Any, *, base: Path, root: Path, event: str, store: Store
) -> tuple[str, list[dict[str, Any]]]:
    """Bring a challenge's data in; returns its version and its published archives.

    ``base`` is the folder of the event file, which ``data`` is relative to. Raises
    `goat.errors.Invalid` with every fault of the data.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _source(spec, base, root) as folder:
        missing = [part for part in PUBLISHED_PARTS + HIDDEN_PARTS if not (folder / part).is_dir()]
        faults = [f"the folder {part}/ is missing" for part in missing] or kind.validate_data(folder, config)
        if faults:
            raise Invalid(f"data of challenge {spec.id}: " + "; ".join(faults), faults=faults)
        version = _version(folder)
        target = data_folder(root, event, spec.id, version)
        if not target.exists():
            for level in (target.parent.parent, target.parent):  # parents=True would forget the mode
                level.mkdir(mode=0o700, exist_ok=True)
            _settle(folder)
            folder.rename(target)
            fsync_folder(target.parent)
    return version, [_publish(target / part, f"{part}.zip", store) for part in PUBLISHED_PARTS]


@contextmanager
def _source(spec: ChallengeSpec, base: Path, root: Path) -> Iterator[Path]:
    """The data in a temporary folder beside its final place, built or copied."""
    with tempfile.TemporaryDirectory(prefix=".import-", dir=root) as temporary:
        folder = Path(temporary) / "data"
        if spec.generator is not None:
            folder.mkdir(mode=0o700)
            _generator(spec.generator)(folder)
        else:
            source = base / str(spec.data)
            if not source.is_dir():
                raise Invalid(f"data of challenge {spec.id}: there is no folder {source}")
            shutil.copytree(source, folder, symlinks=False)
        yield folder


def _generator(name: str) -> Any:
    module, _, function = name.partition(":")
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise Invalid(f"generator {name!r} cannot be loaded: {error}") from error


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _version(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in _files(folder):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _settle(folder: Path) -> None:
    """Make it ours alone, and durable: a version that exists is never written again, so one that a power
    cut left empty would stay so."""
    for path in [*folder.rglob("*"), folder]:
        os.chmod(path, 0o700 if path.is_dir() else 0o600)
        fsync_folder(path)


def _publish(part: Path, name: str, store: Store) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile(dir=store.spool, suffix=".zip") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for path in _files(part):
                entry = zipfile.ZipInfo(path.relative_to(part).as_posix(), _FIXED_TIME)
                entry.external_attr = 0o644 << 16
                with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target, 1 << 20)
        file.flush()
        sha256, size = store.add(Path(file.name))
    return {"name": name, "sha256": sha256, "size": size}
