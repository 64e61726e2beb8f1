"""What the clients send, and what must come of it."""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.scoring_service.world import CONFIG, submission_zip, write_dataset

EVENT = "soak"
PASSWORD = "correct horse"
TEAMS = [f"team_{n}" for n in range(4)]
PER_DAY = 1_000_000
LADDER_STEP = 0.25

NO_LIMITS: dict[str, Any] = {
    "per_day": PER_DAY,
    "per_hour": None,
    "at_once": None,
    "rejections_per_hour": None,
    "test_per_hour": None,
}


@dataclass(frozen=True, slots=True)
class Sending:
    """One submission as a client sends it."""

    challenge: str
    mode: str
    content: bytes
    state: str
    """How it must end, unless our faults use up its attempts."""
    score: float | None
    """The public score that it must get; None if it is to be rejected."""


def write_event(folder: Path) -> Path:
    """An event with two challenges on the tiny dataset: real images, and scripts that take a while."""
    write_dataset(folder / "data")
    common = {"data": "./data", "max_bytes": 1_000_000, "limits": NO_LIMITS, "ladder_step": LADDER_STEP}
    images = {"id": "images", "title": "Images", "kind": "image_reconstruction", "config": CONFIG}
    scripts = {"id": "scripts", "title": "Scripts", "kind": "scripted", "config": {}}
    path = folder / "event.yaml"
    path.write_text(
        yaml.safe_dump({"event": EVENT, "title": "Soak", "challenges": [images | common, scripts | common]})
    )
    return path


def draw(generator: random.Random) -> Sending:
    """The next submission of a client."""
    what = generator.random()
    if what < 0.35:
        noise = round(generator.uniform(0.02, 0.15), 3)
        content = submission_zip("ranked", noise, seed=generator.getrandbits(60))
        return Sending("images", "ranked", content, "EVALUATED", -20 * math.log10(noise))
    if what < 0.45:
        content = b"not a zip %d" % generator.getrandbits(60)
        return Sending("images", "ranked", content, "REJECTED", None)
    mode = "test" if what < 0.55 else "ranked"
    score = round(generator.uniform(0, 100), 3)
    script = {"score": score, "sleep": generator.choice([0, 0.2, 0.5, 1.5]), "n": generator.getrandbits(60)}
    return Sending("scripts", mode, json.dumps(script).encode(), "EVALUATED", score)
