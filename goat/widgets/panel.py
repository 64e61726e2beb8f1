"""`goat.panel()`: from the data to the final score without leaving the notebook.

Stock widgets, each of which keeps its state in traits. Whatever takes time runs in a thread of its
own, so the panel answers while a cell is busy, and its errors become sentences where they happened.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from goat.cache import known_challenge
from goat.client import Client
from goat.datasets import fetch_data
from goat.dry_run import rehearse
from goat.errors import GoatError, Invalid, NotFound
from goat.progress import Display
from goat.records import Challenge, Mode, Submission
from goat.submit import check_here, upload, wait_for_score
from goat.surface import board_metrics
from goat.text import markup, plain, size
from goat.widgets.about import Countdown, good_html, verdict_html, verdict_text
from goat.widgets.asked import Asked
from goat.widgets.form import Form
from goat.widgets.limits import Limits
from goat.widgets.markdown import render
from goat.widgets.numbers import dry_run_numbers, result_numbers
from goat.widgets.offers import own_challenges
from goat.widgets.stream import Live

_REFRESH_S = 60.0


class Panel(Form):
    """One team's panel on the challenges it may see."""

    def __init__(
        self, challenge: str | None = None, *, live: Live, connect: Callable[[], Client] = Client
    ) -> None:
        self._connect = connect
        self._live = live
        self._wanted = challenge
        self._about: Challenge | None = None
        self._countdown: Countdown | None = None
        self._limits = Limits()
        self._working = threading.Lock()
        self._closed = threading.Event()
        super().__init__(challenge, connect)
        self.fetch.on_click(lambda _button: self._run(self._fetch_data))
        self.check.on_click(lambda _button: self._run(self._check))
        self.rehearse.on_click(lambda _button: self._run(self._dry_run))
        self.send.on_click(lambda _button: self._run(self._submit))
        live.tell_problems(self._said)
        live.listen(self._submission)
        self._begin_here()
        live.when_connected(self._begin)
        threading.Thread(target=self._tick, name="goat-panel", daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        self._live.forget(self._said, self._submission, self._begin)
        self.own.close()
        super().close()

    # --- what the service says -----------------------------------------------------------------

    def _begin_here(self) -> None:
        """Begin in the cell that made us. Raises `NotFound` for a challenge that is none."""
        try:
            with self._connect() as client:
                self._begin(client)
        except NotFound:
            if self._about is None:
                self.close()
                raise
        except GoatError:
            return  # an outage: the stream says what it is, and begins again

    def _begin(self, client: Client) -> None:
        """Find the challenges as they are now; called again after each connection and each change."""
        found = own_challenges(client)
        if not found:
            self.head.value = "<h3>There is no challenge yet.</h3>"
            return
        names = {one for name, item in found.items() for one in (name, f"{item.event}:{item.id}")}
        if self._wanted is None or (self._about is not None and self._wanted not in names):
            self._wanted = next(iter(found))  # none was named, or the one that was shown is gone
            self._limits.forget()
        self._offer([(plain(item.title, 80), name) for name, item in found.items()])
        self._refresh(client)
        self.own.switch(self._wanted, client)

    def _offer(self, options: list[tuple[str, str]]) -> None:
        """The challenges to choose from."""
        if tuple(options) == tuple(self.choose.options):
            return
        with contextlib.suppress(ValueError):  # the first time; its own observers must stay
            self.choose.unobserve(self._chosen, "value")
        self.choose.options = options  # which chooses the first one for a moment
        if self._wanted in [name for _, name in options]:
            self.choose.value = self._wanted
        self.choose.observe(self._chosen, "value")
        self.choose.layout.display = "none" if len(options) < 2 else None

    def _refresh(self, client: Client) -> None:
        assert self._wanted is not None, "set by `_begin`"
        about, _ = known_challenge(client, self._wanted)
        self._countdown = Countdown.of(about, time.monotonic())
        if self._about is None or _shown_of(about) != _shown_of(self._about):
            self.head.value = f"<h3>{markup(about.title, 120)}</h3>"
            self.task.value = _task(about)
            whole = size(sum(file.size for file in about.data))
            self.fetched.value = f"<span class='goat-facts'>{whole}, kept on this machine once fetched</span>"
        self.ask(Asked.by(about))
        self._about = about
        self._limits.ask(client, self._wanted, self._mode(), time.monotonic())
        self._show_facts()

    def _show_facts(self) -> None:
        if self._about is None or self._countdown is None:
            return
        now = time.monotonic()
        left = self._limits.sentence(self._mode(), now)
        shown = [f"<b>{markup(self._countdown.sentence(now))}</b>", markup(left)]
        if self._about.frozen:
            shown.append("the board is frozen")
        if not self._about.higher_is_better:
            shown.append("lower is better")
        value = f"<div class='goat-facts'>{'<br>'.join(part for part in shown if part)}</div>"
        if value != self.facts.value:
            self.facts.value = value

    def _chosen(self, change: dict[str, Any]) -> None:
        if change["new"] and change["new"] != self._wanted:
            self._wanted = change["new"]
            self._limits.forget()
            self.verdict.value = ""
            self.steps.clear()
            self._run(lambda client, display: self._begin(client))

    def _said(self, problem: str) -> None:
        self.problem.value = verdict_html(GoatError(problem)) if problem else ""
        if problem:
            self.herald.say(problem)

    def _submission(self, item: Submission) -> None:
        self._limits.heard(item)
        self.own._submission(item)

    def _tick(self) -> None:
        asked = time.monotonic()
        while not self._closed.wait(1.0):
            self._show_facts()
            if self._about is None:
                continue
            now = time.monotonic()
            all_again, mode = now - asked > _REFRESH_S, self._mode()
            if all_again:
                asked = now
            elif not self._limits.due(mode, now):
                continue
            with contextlib.suppress(GoatError, OSError), self._connect() as client:
                if all_again:
                    self._refresh(client)
                elif self._wanted is not None:
                    self._limits.ask(client, self._wanted, mode, now)
                    self._show_facts()

    # --- what is clicked -----------------------------------------------------------------------

    def _run(self, action: Callable[[Client, Display], None]) -> None:
        """Do it in a thread; one thing at a time."""
        if not self._working.acquire(blocking=False):
            return
        threading.Thread(target=self._act, args=(action,), name="goat-action", daemon=True).start()

    def _act(self, action: Callable[[Client, Display], None]) -> None:
        buttons = (self.fetch, self.check, self.rehearse, self.send, self.choose)
        try:
            for button in buttons:
                button.disabled = True
            self.steps.clear()
            self.verdict.value = ""
            with self._connect() as client:
                action(client, Display(screen=self.steps))
        except Exception as error:  # noqa: BLE001 - shown where it happened; the panel stays usable
            self.verdict.value = verdict_html(error)
            self.herald.say(verdict_text(error))
        finally:
            for button in buttons:
                button.disabled = False
            self.explain()
            self._working.release()

    def wait(self, timeout: float = 60.0) -> None:
        """Block until nothing goes on (for scripts and tests)."""
        if not self._working.acquire(timeout=timeout):
            raise TimeoutError("the panel is still busy")
        self._working.release()

    def _answers(self) -> Path:
        given = self.path.value.strip()
        if not given:
            raise Invalid(self.asked.missing)
        path = Path(given).expanduser()
        if not path.exists():
            raise Invalid(
                f"There is nothing at {plain(given, 200)}: choose another path, or upload the file."
            )
        return path

    def _challenge(self) -> str:
        if self._wanted is None:
            raise Invalid("No challenge is known yet: wait for the connection to the service.")
        return self._wanted

    def _fetch_data(self, client: Client, display: Display) -> None:
        name = self._challenge()
        data = fetch_data(client, name, display=display)
        code = markup(f"data = goat.data({name!r})")
        rows = "".join(
            f"<div>{markup(part)}: <code>{markup(folder)}</code></div>"
            for part, folder in data.folders.items()
        )
        self.fetched.value = (
            f"<details><summary>fetched; in code: <code>{code}</code></summary>"
            f"<div class='goat-facts'>{rows}</div></details>"
        )

    def _check(self, client: Client, display: Display) -> None:
        about, _ = known_challenge(client, self._challenge())
        check_here(self._answers(), about, self._mode(), display, self.options())
        self._good("Nothing to change: this can be submitted.")

    def _dry_run(self, client: Client, display: Display) -> None:
        found = rehearse(client, self._answers(), self._challenge(), None, display, self.options())
        self._good(found.sentence(), dry_run_numbers(found, self._metrics()))

    def _submit(self, client: Client, display: Display) -> None:
        name, path, mode, options = self._challenge(), self._answers(), self._mode(), self.options()
        client.me()  # "log in first" is said before anything is checked
        about, _ = known_challenge(client, name)
        check_here(path, about, mode, display, options)
        accepted = upload(path, name, about, mode, display, client, options)
        self._submission(accepted)
        with contextlib.suppress(GoatError):
            self._refresh(client)
        result = wait_for_score(client, accepted, about, timeout=None, display=display)
        self._good(result.sentence(), result_numbers(result, about.kind))

    def _metrics(self) -> tuple[str, ...]:
        return board_metrics(self._about.kind) if self._about is not None else ()

    def _good(self, sentence: str, numbers: str = "") -> None:
        self.verdict.value = good_html(sentence, numbers)
        self.herald.say(f"{sentence}. {numbers}" if numbers else sentence)

    def _mode(self) -> Mode:
        return "test" if self.mode.value == "test" else "ranked"

    # --- where widgets are not shown ------------------------------------------------------------

    def _said_plainly(self) -> list[str]:
        title = self._about.title if self._about else "the challenge"
        return [
            f"The panel of {plain(title, 120)} needs a notebook that shows widgets. The same in code:",
            *("  data = goat.data()", "  goat.dry_run(path)", "  goat.submit(path)"),
            self.own.as_text(),
        ]

    def __repr__(self) -> str:
        return "\n".join(self._said_plainly())

    def _repr_mimebundle_(self, **options: Any) -> Any:
        data = dict(super()._repr_mimebundle_(**options) or {})
        said = self._said_plainly()
        data["text/plain"] = "\n".join(said)
        data["text/html"] = f"<pre>{markup(said[0])}\n{'<br>'.join(said[1:4])}</pre>{self.own.as_html()}"
        return data


def _shown_of(about: Challenge) -> tuple[object, ...]:
    """What the head of the panel says; the rest is written anew each time."""
    return (about.id, about.event, about.title, about.description, about.data)


def _task(about: Challenge) -> str:
    if not about.description:
        return ""
    content = f"<summary>What to do</summary><div>{render(about.description)}</div>"
    return f"<details class='goat-task'>{content}</details>"
