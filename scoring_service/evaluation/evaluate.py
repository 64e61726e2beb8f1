"""Claim a submission, score it, record what came of it: exactly one of result, verdict, or our fault.

A thread keeps the lease alive while the kind works. It also learns when the claim is lost (cancelled,
or taken back after a stall); then the work stops and nothing is written. Whatever is raised here ends
as a line in the log and a change in the database, never as an exception in the queue's machinery.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from goat.errors import Rejection, StorageFull, Unavailable
from goat.kinds.base import Outcome, get_kind, parse_config, parse_options, scorer_digest
from scoring_service.evaluation.canary import require_device
from scoring_service.evaluation.equipment import READS_FILES, Equipment, RuntimeMissing
from scoring_service.evaluation.machine import machine_record
from scoring_service.evaluation.runner import ChildRunner, ForkServer, Stopped
from scoring_service.evaluation.wire import clean_problems
from scoring_service.events.dataset import ChallengeData, data_folder
from scoring_service.services import Services
from scoring_service.submissions.lifecycle import Claim

log = logging.getLogger(__name__)

HEARTBEATS_PER_LEASE = 4
PATIENCE_S = 60.0
"""How long a result waits until it can be written, before its job is left to be run again."""

DEVICE_MAY_BE_AT_FAULT = frozenset(
    {"load_failed", "memory_limit", "model_crashed", "non_deterministic", "non_finite", "not_supported"}
    | {"run_failed", "time_limit"}
)
"""Verdicts on a model that a sick GPU, or one that somebody else filled, would give a good one, too."""

FAULT = "evaluator_error"
FAULT_SENTENCE = (
    "The scoring service failed while working on this submission. It did not count against your limits; "
    "the organiser can see it and start it again."
)


class Evaluator:
    """Evaluates one submission at a time in the name of one worker."""

    def __init__(
        self,
        services: Services,
        server: ForkServer,
        *,
        worker: str,
        lane: str | None = None,
        equipment: Equipment = READS_FILES,
        on_sick_device: Callable[[], None] = lambda: None,
    ) -> None:
        """``lane``: take submissions of this lane only; None for any. ``on_sick_device``: called when the
        GPU has stopped working; no further submission is taken."""
        self._services = services
        self._lifecycle = services.lifecycle
        self._server = server
        self._worker = worker
        self._lane = lane
        self._equipment = equipment
        self._on_sick_device = on_sick_device
        self._shutting_down = threading.Event()
        self._stop = threading.Event()

    def stop(self) -> None:
        """Give the running submission back and take no other; callable from any thread."""
        self._shutting_down.set()
        self._stop.set()

    def run(self, submission_id: str) -> None:
        """Evaluate a submission if it still waits; never raises."""
        try:
            if self._shutting_down.is_set():
                return
            self._stop.clear()
            claim = self._lifecycle.claim(self._worker, submission_id, self._lane)
            if claim is not None:
                self._work_on(claim)
        except Exception:
            # The lease lapses and the sweeper has it run again.
            log.exception("submission %s: left to the sweeper", submission_id)

    def _work_on(self, claim: Claim) -> None:
        log.info("submission %s: attempt %d starts", claim.submission_id, claim.attempt)
        memory = self._equipment.gpu_memory_bytes
        runner = ChildRunner(self._server, self._stop, gpu_memory_bytes=memory)
        with self._lease_kept(claim):
            try:
                claim, outcome = self._score(claim, runner)
            except Rejection as rejection:
                # Some of its words may have come from a child that was taken over.
                verdict = Rejection(clean_problems(rejection.problems))
                self._persist(lambda: self._lifecycle.reject(claim, verdict))
                log.info("submission %s: rejected, %s", claim.submission_id, verdict.verdict)
            except Stopped:
                self._stopped(claim)
            except RuntimeMissing as sick:
                log.error(
                    "submission %s: the device is sick, this worker ends: %s", claim.submission_id, sick
                )
                self._shutting_down.set()
                self._persist(lambda: self._lifecycle.fail(claim, FAULT, FAULT_SENTENCE))
                self._on_sick_device()
            except Exception:
                log.exception("submission %s: attempt %d failed", claim.submission_id, claim.attempt)
                self._persist(lambda: self._lifecycle.fail(claim, FAULT, FAULT_SENTENCE))
            else:
                self._record(claim, outcome, runner.level)

    def _score(self, claim: Claim, runner: ChildRunner) -> tuple[Claim, Outcome]:
        """The outcome, and the claim with the digest of the code that really made it."""
        started = time.perf_counter()
        kind = get_kind(claim.kind)
        config = parse_config(kind, claim.config)
        digest = scorer_digest(kind, config)
        if digest != claim.scorer_digest:
            log.warning(
                "challenge %s: this code scores differently; apply the event file again", claim.challenge
            )
        settings = self._services.settings
        data = ChallengeData(
            data_folder(settings.data_folder, claim.event, claim.challenge, claim.data_version)
        )
        artifact = self._services.store.path(claim.sha256)
        if not artifact.is_file():
            raise FileNotFoundError(f"the stored file is missing: {artifact}")
        options = parse_options(kind, claim.options)
        try:
            outcome = kind.evaluate(artifact, config, claim.mode, data, runner, options=options)
        except Rejection as rejection:
            if self._equipment.device == "gpu" and rejection.verdict in DEVICE_MAY_BE_AT_FAULT:
                require_device(runner, "gpu")
            raise
        timings = {**outcome.timings, "total": time.perf_counter() - started}
        return replace(claim, scorer_digest=digest), replace(outcome, timings=timings)

    def _record(self, claim: Claim, outcome: Outcome, level: str) -> None:
        machine = {**machine_record(), **self._equipment.machine}
        try:
            done = self._persist(
                lambda: self._lifecycle.record(claim, outcome, machine=machine, sandbox=level)
            )
        except (StorageFull, Unavailable):
            raise
        except Exception:
            # E.g. a score that the database refuses: the kind's fault, so ours.
            log.exception("submission %s: the result could not be recorded", claim.submission_id)
            self._persist(lambda: self._lifecycle.fail(claim, FAULT, FAULT_SENTENCE))
            return
        if done:
            log.info("submission %s: scored in %.3f s", claim.submission_id, outcome.timings["total"])

    def _stopped(self, claim: Claim) -> None:
        if self._shutting_down.is_set():
            log.info("submission %s: handed back, this worker stops", claim.submission_id)
            self._lifecycle.release(claim)
        else:
            log.warning("submission %s: attempt %d was abandoned", claim.submission_id, claim.attempt)

    @staticmethod
    def _persist(write: Callable[[], bool]) -> bool:
        """Do ``write``, waiting for a full disk or a database that is away: a finished result is worth
        some patience."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return write()
            except (StorageFull, Unavailable):
                if time.monotonic() > deadline:
                    raise
                log.exception("a result waits for the database; trying again in a second")
                time.sleep(1.0)

    @contextmanager
    def _lease_kept(self, claim: Claim) -> Iterator[None]:
        """Prolong the lease in the background; stop the work when it is lost."""
        over = threading.Event()

        def keep() -> None:
            while not over.wait(self._services.settings.lease_seconds / HEARTBEATS_PER_LEASE):
                try:
                    held = self._lifecycle.heartbeat(claim)
                except Exception:
                    log.exception("submission %s: the lease could not be prolonged", claim.submission_id)
                    continue
                if not held and not over.is_set():
                    self._stop.set()
                    return

        thread = threading.Thread(target=keep, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
