"""Submit: check here, pack, upload, wait, score.

from goat.submit import challenge1, challenge2
challenge1(folder_path="./my_reconstructions", team_id="team_awesome", password="my_password")
challenge2(model_path="./my_model.onnx", team_id="team_awesome", password="my_password")

import goat
goat.submit("./my_reconstructions", "task1")
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from goat.artifact import Handed, PathLike, as_path, challenge_for, chosen
from goat.cache import known_challenge
from goat.callables import make_callable
from goat.client import DEFAULT_CHALLENGE, MODEL_CHALLENGE, Client
from goat.errors import GoatError, Invalid, Rejection, TooLarge
from goat.kinds.base import get_kind, parse_config, parse_options
from goat.progress import Display
from goat.records import FINAL_STATES, Challenge, Mode, Submission
from goat.results import Result, verdict
from goat.text import size
from goat.waiting import DEFAULT_TIMEOUT_S, changes, how_to_see, reference


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


def challenge2(
    model_path: Handed,
    team_id: str | None = None,
    password: str | None = None,
    wait_for_result: bool = True,
    batch_size: int | None = None,
) -> dict[str, Any]:
    """Submit an ONNX model to the second challenge and return its score.

    Args:
        model_path: The `.onnx` file, with its weights inside (or an ``onnx.ModelProto``).
        team_id, password: The team's name and password; not needed in the hub or after `goat login`.
        wait_for_result: Without it, the reply comes as soon as the submission is accepted and its
            ``score`` is None.
        batch_size: Samples per call, 1 to 32, for a model whose batch dimension is dynamic.

    Returns a dict with ``score``, ``inference_time`` (ms per sample, median), ``model_size_mb``,
    ``accuracy``, ``submission_id``, ``submitted_at``, … (the fields of `goat.Result`); what is not known
    yet is None.

    Raises `goat.errors.Rejection`, listing every problem at once, before anything is uploaded, and
    the errors of `submit`.
    """
    with Client(team_id=team_id, password=password) as client:
        result = submit(
            model_path, MODEL_CHALLENGE, wait=wait_for_result, batch_size=batch_size, client=client
        )
    metrics = result.metrics
    return result.as_dict() | {
        "inference_time": metrics.get("latency_ms"),
        "model_size_mb": metrics.get("size_mb"),
        "accuracy": metrics.get("accuracy"),
    }


def submit(
    path: Handed,
    challenge: str | None = None,
    mode: Mode = "ranked",
    *,
    batch_size: int | None = None,
    wait: bool = True,
    timeout: float | None = DEFAULT_TIMEOUT_S,
    quiet: bool | None = None,
    client: Client | None = None,
) -> Result:
    """Submit ``path`` (a file or a folder) to a challenge.

    Args:
        path: What to submit; the challenge's kind says what it may be. An ONNX model may be given as an
            ``onnx.ModelProto`` instead of a file.
        challenge: Its id, e.g. ``task1`` or ``event:task1``; by default ``task1``, for a model ``task2``.
        mode: ``ranked`` for the board, ``test`` for the sample split (not ranked, own small limit).
        batch_size: Samples per call, 1 to 32, for a model whose batch dimension is dynamic.
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
            return submit(
                path,
                challenge,
                mode,
                batch_size=batch_size,
                wait=wait,
                timeout=timeout,
                quiet=quiet,
                client=own,
            )
    if mode not in ("ranked", "test"):
        raise Invalid(f"mode is 'ranked' or 'test', not {mode!r}")
    client.me()  # "log in first" is said before anything is checked or packed
    display = Display(quiet)
    name, options = challenge_for(path, challenge), chosen(batch_size)
    about, _ = known_challenge(client, name)
    with as_path(path) as place:
        check_here(place, about, mode, display, options)
        accepted = upload(place, name, about, mode, display, client, options)
    if not wait:
        display.say(f"submission {accepted.id} accepted; {how_to_see(accepted.id)}", mark="note")
        return Result.of(accepted, unit=about.unit)
    return wait_for_score(client, accepted, about, timeout=timeout, display=display)


def check_here(
    path: PathLike,
    challenge: Challenge,
    mode: Mode,
    display: Display,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Check with the service's own code before a byte is sent.

    Raises `goat.errors.Rejection` with every problem at once, `goat.errors.Invalid` for an option that
    the challenge does not know, `goat.errors.MissingPackage` where a package for it is not installed.
    """
    kind = get_kind(challenge.kind)
    config, parsed = parse_config(kind, challenge.config), parse_options(kind, options or {})
    with display.spinner("checking"):
        problems = kind.check(Path(path), config, mode, options=parsed)
    if problems:
        raise Rejection(problems)
    display.say("checked: no problems found")


def upload(
    path: Path,
    challenge: str,
    about: Challenge,
    mode: Mode,
    display: Display,
    client: Client,
    options: Mapping[str, Any] | None = None,
) -> Submission:
    """Pack and send; the submission is accepted when this returns."""
    kind = get_kind(about.kind)
    config, parsed = parse_config(kind, about.config), parse_options(kind, options or {})
    with kind.pack(path, config, mode, options=parsed) as packed:
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
                    challenge,
                    packed.path,
                    mode=mode,
                    filename=packed.filename,
                    options=options,
                    progress=advance,
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
