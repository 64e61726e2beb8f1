"""What is clicked in the panel runs in threads; how it ended is said below the buttons."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from goat.client import Client
from goat.widgets.about import good_html, verdict_html, verdict_text
from goat.widgets.form import Form
from goat.widgets.steps import Run

Action = Callable[[Client, Run], None]


class Clicks:
    """One action at a time, and beside it any number of submissions that wait for their score."""

    def __init__(self, form: Form, connect: Callable[[], Client]) -> None:
        self._form = form
        self._connect = connect
        self._working = threading.Lock()
        self._threads: list[threading.Thread] = []

    def run(self, action: Action) -> None:
        """Do it in a thread, with the buttons out of use; nothing if they are."""
        if self._working.acquire(blocking=False):
            self._start(self._act, action, self._form.steps.begin())

    def follow(self, action: Action, run: Run) -> None:
        """Go on with a run in a thread of its own; whoever wants to can do something else meanwhile."""
        self._start(self._attempt, action, run)

    def good(self, run: Run, sentence: str, numbers: str = "") -> None:
        """It went well."""
        run.settle(sentence)
        self._say(run, good_html(sentence, numbers), f"{sentence}. {numbers}" if numbers else sentence)

    def wait(self, timeout: float) -> None:
        """Block until nothing goes on. Raises TimeoutError."""
        end = time.monotonic() + timeout
        while any(thread.is_alive() for thread in self._threads):
            if time.monotonic() > end:
                raise TimeoutError("the panel is still busy")
            time.sleep(0.01)

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, name="goat-action", daemon=True)
        self._threads = [*filter(threading.Thread.is_alive, self._threads), thread]
        thread.start()

    def _act(self, action: Action, run: Run) -> None:
        form = self._form
        try:
            form.enable(False)
            form.verdict.value = ""
            self._attempt(action, run)
        finally:
            form.enable(True)
            self._working.release()

    def _attempt(self, action: Action, run: Run) -> None:
        try:
            with self._connect() as client:
                action(client, run)
        except Exception as error:  # noqa: BLE001 - shown where it happened; the panel stays usable
            self._say(run, verdict_html(error), verdict_text(error))

    def _say(self, run: Run, verdict: str, spoken: str) -> None:
        if run.current:  # else somebody went on meanwhile; the submissions below tell what came of it
            self._form.verdict.value = verdict
        self._form.herald.say(spoken)
