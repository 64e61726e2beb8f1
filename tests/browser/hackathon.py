"""A small hackathon on a real port, for browsers and notebooks: an event, teams, and an inline worker."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scoring_service.doors.http.app import create_app
from scoring_service.services import Services
from scoring_service.teams.identity import Identity
from tests.scoring_service.doors.http.conftest import BRISK, running
from tests.scoring_service.world import World

FIELDS = {
    "combined": [
        {"challenge": "task1", "weight": 0.9, "from": 0, "to": 50},
        {"manual": "talk", "weight": 0.1, "from": 0, "to": 10},
    ]
}
"""What the event file says beside its challenge."""


@dataclass
class Hackathon:
    """The service's world and its address; ``scoring`` off keeps submissions in the queue."""

    world: World
    url: str
    scoring: threading.Event = field(default_factory=threading.Event)
    _members: dict[str, Identity] = field(default_factory=dict)

    def team(self, name: str) -> Identity:
        if name not in self._members:
            self._members[name] = self.world.team(name)
        return self._members[name]

    def result(self, name: str, noise: float, *, seed: int = 1) -> None:
        """A scored submission of this team; less ``noise`` is a better one."""
        accepted = self.world.submit(self.team(name), noise=noise, seed=seed)
        self.world.score(accepted.id)

    def work(self, stop: threading.Event) -> None:
        while not stop.wait(0.1):
            if self.scoring.is_set():
                self.world.work()


@contextlib.contextmanager
def hackathon(services: Services, folder: Path) -> Iterator[Hackathon]:
    """The running hackathon, with a worker that scores whatever is submitted."""
    world = World(services, folder)
    world.apply(
        title="Restore the photographs",
        description="Bring **them** back.\n\n- `sample.zip`: inputs *and* truth\n- `eval.zip`: inputs",
        event_fields=FIELDS,
    )
    stop = threading.Event()
    with running(create_app(services, rhythm=BRISK)) as (_, port):
        site = Hackathon(world, f"http://127.0.0.1:{port}")
        site.scoring.set()
        worker = threading.Thread(target=site.work, args=(stop,), daemon=True)
        worker.start()
        try:
            yield site
        finally:
            stop.set()
            worker.join(timeout=10)
