"""One worker process: one lane, one submission at a time.

More workers are more processes: one that crashes takes nobody with it, and the supervisor starts it
again. A lane's workers take nothing from another lane, so long jobs never stand before short ones.
"""

from __future__ import annotations

import logging
import os
import platform
import threading
from secrets import token_hex

import dramatiq
from dramatiq.worker import Worker

from goat.kinds.base import get_kind, kinds
from scoring_service.evaluation.canary import require_device
from scoring_service.evaluation.equipment import RuntimeMissing, equip
from scoring_service.evaluation.evaluate import Evaluator
from scoring_service.evaluation.runner import ChildRunner, ForkServer, Stopped
from scoring_service.services import Services
from scoring_service.workers.broker import ACTOR, BellBroker

log = logging.getLogger(__name__)

SEEN_EVERY_S = 3.0
IDLE_WAIT_MS = 1000
"""How long an idle consumer waits for the bell before it looks by itself."""
FINISH_S = 2.5
"""Time that a running submission has to finish when the worker is told to stop; then it is handed back."""
STOP_S = 4.0
"""After this the process ends in any case, a second before the supervisor would end it."""


class WorkerProcess:
    """Everything that one worker process holds; `run` returns after `stop` was called."""

    def __init__(self, services: Services, lane: str) -> None:
        """Raises `RuntimeMissing` where this machine lacks what the lane needs, and says what to do."""
        self._services = services
        self._lane = lane
        self.id = f"{lane}-{os.getpid()}-{token_hex(4)}"
        self._stopping = threading.Event()
        settings = services.settings
        self._equipment = equip(lane, settings.gpu_device, settings.gpu_memory_fraction)
        self._server = ForkServer([*_kind_modules(), *self._equipment.preload], self._equipment.environment)
        self._evaluator = Evaluator(
            services,
            self._server,
            worker=self.id,
            lane=lane,
            equipment=self._equipment,
            # Started again by the supervisor, it takes work when the device works again.
            on_sick_device=self.stop,
        )

    def stop(self) -> None:
        """Ask the process to end in good order; safe in a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Work until `stop`. Raises `RuntimeMissing` where the lane's device does not work."""
        self._server.start()
        if self._equipment.device is not None:
            memory = self._equipment.gpu_memory_bytes
            runner = ChildRunner(self._server, self._stopping, gpu_memory_bytes=memory)
            try:
                require_device(runner, self._equipment.device)
            except Stopped:
                pass
            except RuntimeMissing:
                self._server.close()
                raise
        broker = BellBroker(self._services.settings.redis_url)
        dramatiq.actor(broker=broker, actor_name=ACTOR, queue_name=self._lane)(self._evaluator.run)
        worker = Worker(broker, worker_timeout=IDLE_WAIT_MS, worker_threads=1)
        # One at a time: a fetched message would wait behind the running job although others are idle.
        worker.queue_prefetch = 1
        worker.start()
        log.info("worker %s is ready", self.id)
        try:
            self._say_alive_until_stopped()
        finally:
            self._shut_down(worker)

    def _say_alive_until_stopped(self) -> None:
        started_at = self._services.clock.now()
        while True:
            try:
                self._services.lifecycle.worker_seen(
                    self.id, lane=self._lane, host=platform.node(), pid=os.getpid(), started_at=started_at
                )
            except Exception:
                log.exception("worker %s could not say that it is alive", self.id)
            if self._stopping.wait(SEEN_EVERY_S):
                return

    def _shut_down(self, worker: Worker) -> None:
        log.info("worker %s stops", self.id)
        hand_back = threading.Timer(FINISH_S, self._evaluator.stop)
        hand_back.daemon = True
        hand_back.start()
        worker.stop(timeout=int(STOP_S * 1000))
        hand_back.cancel()
        self._server.close()
        self._services.lifecycle.worker_gone(self.id)


def _kind_modules() -> list[str]:
    """Modules of the installed kinds: what children will need. A kind that cannot be imported is left
    out here; its submissions will say what is wrong."""
    modules = set()
    for name in kinds():
        try:
            modules.add(type(get_kind(name)).__module__)
        except Exception:
            log.exception("the kind %s cannot be loaded", name)
    return sorted(modules)
