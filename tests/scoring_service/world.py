"""A small hackathon for tests: a tiny reconstruction challenge, teams, submissions, an inline worker."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from goat import records
from goat.errors import Rejection
from goat.kinds.base import get_kind, parse_config, parse_options
from goat.readers import write_pt
from scoring_service.events.dataset import ChallengeData, data_folder
from scoring_service.services import Services
from scoring_service.teams.identity import Identity

SHAPE = (1, 8, 8)
COUNTS = {"test": 2, "ranked": 4}
CONFIG: dict[str, Any] = {
    "shape": list(SHAPE),
    "dtype": "float32",
    "data_range": 1.0,
    "samples": dict(COUNTS),
    "pattern": "sample_{:04d}.pt",
    "range_tolerance": 0.01,
    "psnr_cap": 50.0,
    "formula": "psnr",
    "unit": "dB",
}
PASSWORD = "correct horse"


class SetClock:
    """A clock that stands where the test puts it."""

    def __init__(self, moment: datetime | None = None) -> None:
        self.moment = moment or datetime(2026, 6, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def drift(self) -> float:
        return 0.0


@dataclass
class RecordingDoorbell:
    """Remembers who was rung for; says what it is told to say is pending."""

    rings: list[tuple[str, str]] = field(default_factory=list)
    waiting: int | None = None

    def ring(self, lane: str, submission_ids: Any, *, first: bool = False) -> None:
        self.rings += [(lane, submission_id) for submission_id in submission_ids]

    def pending(self, lane: str) -> int | None:
        return self.waiting


def truth(mode: str) -> list[np.ndarray]:
    """The images that a perfect submission holds: float32, SHAPE, in [0.2, 0.8]."""
    generator = np.random.default_rng(7 if mode == "test" else 8)
    return [generator.uniform(0.2, 0.8, SHAPE).astype(np.float32) for _ in range(COUNTS[mode])]


def write_dataset(folder: Path) -> None:
    """The four parts; the hidden images 0 and 2 are public, 1 and 3 private."""
    for mode, part in (("test", "sample"), ("ranked", "eval")):
        inputs = folder / part / "inputs"
        inputs.mkdir(parents=True)
        for index, image in enumerate(truth(mode)):
            write_pt(inputs / f"sample_{index:04d}.pt", image * 0.5)
            split = "sample" if mode == "test" else ("public", "private")[index % 2]
            target = folder / split / "truth"
            target.mkdir(parents=True, exist_ok=True)
            write_pt(target / f"sample_{index:04d}.pt", image)


def event_file(folder: Path, *, event: str = "photographs", **challenge: Any) -> Path:
    """An event file with one challenge ``task1`` on the tiny dataset; keywords replace its fields."""
    if not (folder / "data").exists():
        write_dataset(folder / "data")
    extra = challenge.pop("event_fields", {})
    entry = {
        "id": "task1",
        "title": "Tiny",
        "kind": "image_reconstruction",
        "data": "./data",
        "max_bytes": 1_000_000,
        "config": CONFIG,
    }
    path = folder / "event.yaml"
    spec = {"event": event, "title": "Test event", "challenges": [entry | challenge]} | extra
    path.write_text(yaml.safe_dump(spec))
    return path


def submission_zip(mode: str = "ranked", noise: float = 0.1, *, seed: int = 1) -> bytes:
    """A valid archive whose images differ from the truth by a constant ``noise`` (so PSNR is known).

    ``seed`` changes the bytes but not the score, by the entries' comments.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.comment = str(seed).encode()
        for index, image in enumerate(truth(mode)):
            file = io.BytesIO()
            _write(file, image + np.float32(noise))
            archive.writestr(zipfile.ZipInfo(f"sample_{index:04d}.pt"), file.getvalue())
    return buffer.getvalue()


def _write(file: io.BytesIO, image: np.ndarray) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".pt") as temporary:
        write_pt(temporary.name, image)
        file.write(Path(temporary.name).read_bytes())


@dataclass
class World:
    """Services with an event, and the verbs that tests speak."""

    services: Services
    folder: Path

    def apply(self, **challenge: Any) -> None:
        self.services.events.apply(event_file(self.folder, **challenge))

    def team(self, name: str = "team_awesome") -> Identity:
        self.services.teams.add(name, PASSWORD)
        return self.services.teams.authenticate(name, PASSWORD)

    def organiser(self, name: str = "admin") -> Identity:
        self.services.teams.add_organiser(name, PASSWORD)
        return self.services.teams.authenticate(name, PASSWORD)

    def submit(
        self,
        identity: Identity,
        content: bytes | None = None,
        *,
        mode: records.Mode = "ranked",
        noise: float = 0.1,
        seed: int = 1,
        key: str | None = None,
        options: dict[str, Any] | None = None,
        challenge: str = "task1",
    ) -> records.Submission:
        """Upload and accept as a door would."""
        content = submission_zip(mode, noise, seed=seed) if content is None else content
        service = self.services.acceptance
        ticket = service.open_upload(identity, challenge, mode, len(content), options=options)
        with self.services.store.open_upload() as upload:
            upload.write(content)
            digest = upload.finish()
        return service.accept(
            ticket, sha256=digest, size=len(content), filename="submission.zip", idempotency_key=key
        )[0]

    def work(self, worker: str = "worker-a") -> int:
        """Score everything that waits, here and now; returns how many."""
        with self.services.db.read() as session:
            from scoring_service.submissions.repository import listing

            waiting = [row[0].id for row in listing(session, state="QUEUED")]
        for submission_id in reversed(waiting):
            self.score(submission_id, worker)
        return len(waiting)

    def score(self, submission_id: str, worker: str = "worker-a") -> bool:
        lifecycle = self.services.lifecycle
        claim = lifecycle.claim(worker, submission_id)
        if claim is None:
            return False
        kind = get_kind(claim.kind)
        root = self.services.settings.data_folder
        data = ChallengeData(data_folder(root, claim.event, claim.challenge, claim.data_version))
        artifact = self.services.store.path(claim.sha256)
        try:
            outcome = kind.evaluate(
                artifact,
                parse_config(kind, claim.config),
                claim.mode,
                data,
                kind.local_runner(),
                options=parse_options(kind, claim.options),
            )
        except Rejection as rejection:
            return lifecycle.reject(claim, rejection)
        return lifecycle.record(claim, outcome, machine={}, sandbox="none")
