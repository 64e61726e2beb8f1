"""Submit: check here, pack, upload, wait, score.

from goat.submit import challenge1
challenge1(folder_path="./my_reconstructions", team_id="team_awesome", password="my_password")

import goat
goat.submit("./my_reconstructions", "task1")
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from goat.cache import known_challenge
from goat.callables import make_callable
from goat.client import DEFAULT_CHALLENGE, Client
from goat.errors import GoatError, Invalid, Rejection, TooLarge
from goat.kinds.base import get_kind, parse_config
from goat.progress import Display
from goat.records import FINAL_STATES, Challenge, Mode, Submission
from goat.results import Result, verdict
from goat.text import size
from goat.waiting import DEFAULT_TIMEOUT_S, changes, how_to_see, reference

PathLike = str | os.PathLike[str]


def challenge1(
    folder_path: PathLike,
    team_id: str | None = None,
    password: str | None = None,
    wait_for_result: bool = True,
) -> dict[str, Any]:
    """Submit a folder of reconstructions to the first challenge and return its score.

    Args:
        folder_path: The folder with one file per image of the evaluation inputs (a stored .zip or one
            stacked .pt works too).
        team_id, password: The team's name and password; not needed in the hub or after `goat login`.
        wait_for_result: Without it, the reply comes as soon as the submission is accepted and its
            ``score`` is None.

    Returns a dict with ``score``, ``submission_id``, ``submitted_at`` (ISO 8601, UTC), ``state``,
    ``rank``, … (the fields of `goat.Result`).

    Raises `goat.errors.Rejection`, listing every problem at once, before anything is uploaded, and
    the errors of `submit`.
    """
    with Client(team_id=team_id, password=password) as client:
        return submit(folder_path, DEFAULT_CHALLENGE, wait=wait_for_result, client=client).as_dict()


def submit(
    path: PathLike,
    challenge: str = DEFAULT_CHALLENGE,
    mode: Mode = "ranked",
    *,
    wait: bool = True,
    timeout: float | None = DEFAULT_TIMEOUT_S,
    quiet: bool | None = None,
    client: Client | None = None,
) -> Result:
    """Submit ``path`` (a file or a folder) to a challenge.

    Args:
        path: What to submit; the challenge's kind says what it may be.
        challenge: Its id, e.g. ``task1`` or ``event:task1``.
        mode: ``ranked`` for the board, ``test`` for the sample split (not ranked, own small limit).
        wait: Wait for the score, showing the place in the queue.
        timeout: Seconds to wait; None for as long as it takes.
        quiet: No display. By default there is one in a terminal or notebook only.
        client: The client to use; by default one for the saved login (or token) is made.

    Raises `goat.errors.Rejection` with every problem of the submission (found here before any upload,
    or by the service), `goat.errors.LimitReached`, `goat.errors.DeadlinePassed`,
    `goat.errors.ServiceUnreachable`, `goat.errors.ResultPending` after the timeout.
    """
    if client is None:
        with Client() as own:
            return submit(path, challenge, mode, wait=wait, timeout=timeout, quiet=quiet, client=own)
    if mode not in ("ranked", "test"):
        raise Invalid(f"mode is 'ranked' or 'test', not {mode!r}")
    client.me()  # "log in first" is said before anything is checked or packed
    display = Display(quiet)
    about, _ = known_challenge(client, challenge)
    check_here(path, about, mode, display)
    accepted = upload(Path(path), challenge, about, mode, display, client)
    if not wait:
        display.say(f"submission {accepted.id} accepted; {how_to_see(accepted.id)}", mark="note")
        return Result.of(accepted, unit=about.unit)
    return wait_for_score(client, accepted, about, timeout=timeout, display=display)


def check_here(path: PathLike, challenge: Challenge, mode: Mode, display: Display) -> None:
    """Check with the service's own code before a byte is sent.

    Raises `goat.errors.Rejection` with every problem at once.
    """
    kind = get_kind(challenge.kind)
    with display.spinner("checking"):
        problems = kind.check(Path(path), parse_config(kind, challenge.config), mode)
    if problems:
        raise Rejection(problems)
    display.say("checked: no problems found")


def upload(
    path: Path, challenge: str, about: Challenge, mode: Mode, display: Display, client: Client
) -> Submission:
    """Pack and send; the submission is accepted when this returns."""
    kind = get_kind(about.kind)
    with kind.pack(path, parse_config(kind, about.config), mode) as packed:
        if about.max_bytes and packed.size > about.max_bytes:
            raise TooLarge(
                f"The submission has {size(packed.size)}; {challenge} takes at most {size(about.max_bytes)}.",
                size=packed.size,
                max_bytes=about.max_bytes,
            )
        client.on_retry(display.note_once)
        try:
            with display.bar("uploading") as advance:
                accepted = client.submit(
                    challenge, packed.path, mode=mode, filename=packed.filename, progress=advance
                )
        finally:
            client.on_retry(None)
        display.say(f"uploaded {size(packed.size)}: submission {accepted.id}")
        if accepted.state in FINAL_STATES:
            display.say("the same bytes were submitted before; this is what they came to", mark="note")
    return accepted


def wait_for_score(
    client: Client,
    submission: Submission,
    challenge: Challenge,
    *,
    timeout: float | None,
    display: Display,
) -> Result:
    """Wait with live status and return the scored result; an interrupt leaves the submission alone."""
    try:
        with display.spinner("waiting") as tell:
            for now in changes(client, submission, timeout=timeout):
                submission = now
                tell(Result.of(now).sentence() if now.state in ("QUEUED", "RUNNING") else "done")
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"The submission goes on: {how_to_see(submission.id)}") from None
    if submission.state != "EVALUATED":
        raise verdict(submission)
    result = Result.of(submission, unit=challenge.unit, rank=_rank(client, submission))
    display.say(result.sentence())
    return result


def _rank(client: Client, submission: Submission) -> int | None:
    """The team's place on the public board; None when there is none or it cannot be asked for."""
    if submission.mode != "ranked":
        return None
    try:
        rows = client.leaderboard(reference(submission)).rows
    except GoatError:
        return None
    return next((row.rank for row in rows if row.team_name == submission.team_name), None)


make_callable(__name__, submit)
