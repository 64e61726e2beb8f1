"""`goat.panel()`: from the data to the final score without leaving the notebook.

Stock widgets, each of which keeps its state in traits. Whatever takes time runs in a thread of its
own, so the panel answers while a cell is busy, and its errors become sentences where they happened.
Once a submission is accepted its score is waited for beside everything else: a queue may be long.
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
from goat.errors import Forbidden, GoatError, Invalid, NotFound
from goat.progress import Display
from goat.records import Challenge, Mode, Submission
from goat.submit import check_here, upload, wait_for_score
from goat.surface import board_metrics
from goat.text import markup, plain, size
from goat.widgets.about import Countdown, shown_of, task_html, verdict_html
from goat.widgets.asked import Asked
from goat.widgets.clicks import Clicks
from goat.widgets.form import Form
from goat.widgets.limits import Limits
from goat.widgets.numbers import dry_run_numbers, result_numbers
from goat.widgets.offers import own_challenges
from goat.widgets.steps import Run
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
        self._barred = ""
        self._closed = threading.Event()
        super().__init__(challenge, connect)
        self._clicks = Clicks(self, connect)
        self.fetch.on_click(lambda _button: self._clicks.run(self._fetch_data))
        self.check.on_click(lambda _button: self._clicks.run(self._check))
        self.rehearse.on_click(lambda _button: self._clicks.run(self._dry_run))
        self.send.on_click(lambda _button: self._clicks.run(self._submit))
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
        names = {f"{item.event}:{item.id}": name for name, item in found.items()} | {
            one: one for one in found
        }
        if self._wanted is None or (self._about is not None and self._wanted not in names):
            self._wanted = next(iter(found))  # none was named, or the one that was shown is gone
            self._limits.forget()
        self._wanted = names.get(self._wanted, self._wanted)
        self._offer([(plain(item.title, 80), name) for name, item in found.items()])
        self._barred = ""
        try:
            self._refresh(client)
            self.own.switch(self._wanted, client)
        except Forbidden as error:  # a ban: who only looks is not kept from the boards' stream
            self._barred = plain(error)

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
        if self._about is None or shown_of(about) != shown_of(self._about):
            self.head.value = f"<h3>{markup(about.title, 120)}</h3>"
            self.task.value = task_html(about)
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
            self._clicks.run(lambda client, run: self._begin(client))

    def _said(self, problem: str) -> None:
        problem = problem or self._barred
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

    def wait(self, timeout: float = 60.0) -> None:
        """Block until nothing goes on (for scripts and tests)."""
        self._clicks.wait(timeout)

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

    def _fetch_data(self, client: Client, run: Run) -> None:
        name = self._challenge()
        data = fetch_data(client, name, display=Display(screen=run))
        code = markup(f"data = goat.data({name!r})")
        rows = "".join(
            f"<div>{markup(part)}: <code>{markup(folder)}</code></div>"
            for part, folder in data.folders.items()
        )
        self.fetched.value = (
            f"<details><summary>fetched; in code: <code>{code}</code></summary>"
            f"<div class='goat-facts'>{rows}</div></details>"
        )

    def _check(self, client: Client, run: Run) -> None:
        about, _ = known_challenge(client, self._challenge())
        check_here(self._answers(), about, self._mode(), Display(screen=run), self.options())
        self._clicks.good(run, "Nothing to change: this can be submitted.")

    def _dry_run(self, client: Client, run: Run) -> None:
        display = Display(screen=run)
        found = rehearse(client, self._answers(), self._challenge(), None, display, self.options())
        self._clicks.good(run, found.sentence(), dry_run_numbers(found, self._metrics()))

    def _submit(self, client: Client, run: Run) -> None:
        display = Display(screen=run)
        name, path, mode, options = self._challenge(), self._answers(), self._mode(), self.options()
        client.me()  # "log in first" is said before anything is checked
        about, _ = known_challenge(client, name)
        check_here(path, about, mode, display, options)
        accepted = upload(path, name, about, mode, display, client, options)
        self._submission(accepted)
        with contextlib.suppress(GoatError):
            self._refresh(client)
        self._clicks.follow(lambda client, run: self._follow(client, run, accepted, about), run)

    def _follow(self, client: Client, run: Run, accepted: Submission, about: Challenge) -> None:
        display = Display(screen=run)
        result = wait_for_score(client, accepted, about, timeout=None, display=display)
        self._clicks.good(run, result.sentence(), result_numbers(result, about.kind))

    def _metrics(self) -> tuple[str, ...]:
        return board_metrics(self._about.kind) if self._about is not None else ()

    def _mode(self) -> Mode:
        return "test" if self.mode.value == "test" else "ranked"

    # --- where widgets are not shown ------------------------------------------------------------

    def _said_plainly(self) -> list[str]:
        title = self._about.title if self._about else "the challenge"
        named = repr(self._wanted) if self._wanted else ""
        calls = (
            f"data = goat.data({named})",
            *(f"goat.{verb}(path, {named})" for verb in ("dry_run", "submit")),
        )
        return [
            f"The panel of {plain(title, 120)} needs a notebook that shows widgets. The same in code:",
            *(f"  {call}" for call in calls),
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
