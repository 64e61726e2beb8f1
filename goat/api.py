"""The functions of ``import goat`` that are not a module of their own. One short call each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from goat.client import DEFAULT_CHALLENGE, Client
from goat.datasets import PARTS, Dataset, fetch_data
from goat.errors import GoatError
from goat.identity import forget_login, save_login, service_url
from goat.progress import Display
from goat.records import Challenge, Me
from goat.results import Result
from goat.submit import wait_for_score
from goat.waiting import DEFAULT_TIMEOUT_S, reference


@contextlib.contextmanager
def _using(client: Client | None) -> Iterator[Client]:
    """The given client, or one that lives for this call."""
    if client is not None:
        yield client
        return
    with Client() as own:
        yield own


def login(name: str, password: str, url: str | None = None) -> Me:
    """Log in and remember the token (not the password) on this machine, for this server.

    Raises `goat.errors.NotAuthenticated` for a wrong name or password.
    """
    with Client(url) as client:
        token = client.login(name, password)
        me = client.me()
        save_login(client.url, token.access_token, me.team_name or me.name)
        return me


def logout(url: str | None = None) -> bool:
    """Forget the saved login; False if there was none."""
    return forget_login(service_url(url))


def whoami(*, client: Client | None = None) -> Me:
    """The account that is logged in and its team."""
    with _using(client) as service:
        return service.me()


def challenges(*, client: Client | None = None) -> list[Challenge]:
    """The challenges that can be seen."""
    with _using(client) as service:
        return service.challenges()


def data(
    challenge: str = DEFAULT_CHALLENGE,
    *,
    parts: tuple[str, ...] = PARTS,
    quiet: bool | None = None,
    client: Client | None = None,
) -> Dataset:
    """The published data of a challenge: downloaded once, verified, read-only, kept in the cache.

    ``parts`` chooses among ``sample`` (inputs and truth) and ``eval`` (the inputs of a ranked
    submission). The result has ``sample_inputs``, ``sample_truth`` and ``eval_inputs``.
    """
    with _using(client) as service:
        return fetch_data(service, challenge, parts=parts, display=Display(quiet))


def status(submission_id: str, *, client: Client | None = None) -> Result:
    """A submission as it is now."""
    with _using(client) as service:
        found = service.submission(submission_id)
        return Result.of(found, unit=_unit(service, reference(found)))


def wait(
    submission_id: str,
    *,
    timeout: float | None = DEFAULT_TIMEOUT_S,
    quiet: bool | None = None,
    client: Client | None = None,
) -> Result:
    """Wait for a submission's score with live status, as `goat.submit` does."""
    with _using(client) as service:
        found = service.submission(submission_id)
        about = service.challenge(reference(found))
        return wait_for_score(service, found, about, timeout=timeout, display=Display(quiet))


def cancel(submission_id: str, *, client: Client | None = None) -> Result:
    """Call back a submission that is not scored yet."""
    with _using(client) as service:
        return Result.of(service.cancel(submission_id))


def select(submission_id: str, selected: bool = True, *, client: Client | None = None) -> Result:
    """Choose a submission as one of the team's finals, or take the choice back."""
    with _using(client) as service:
        return Result.of(service.select(submission_id, selected))


def _unit(client: Client, challenge: str) -> str:
    try:
        return client.challenge(challenge).unit
    except GoatError:
        return ""
