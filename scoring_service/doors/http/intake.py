"""From an upload to an accepted submission: the two doors for files share this one path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from goat.records import Mode, Submission
from scoring_service.doors.http.state import Door
from scoring_service.doors.http.text import clean_filename, clean_key, header_text, plain
from scoring_service.doors.http.uploads import declared_length
from scoring_service.teams.identity import Identity


async def take_submission(
    door: Door,
    request: Request,
    identity: Identity,
    challenge: str,
    mode: Mode,
    *,
    form: bool,
    options: Mapping[str, Any] | None = None,
) -> tuple[Submission, bool]:
    """Store the body and accept it; returns the submission and whether it is new.

    Who may and whether there is room is settled before a byte of the body is read. Fields of a form that
    are named like an option of the challenge's kind are options; others mean nothing here.
    """
    key = clean_key(request.headers.get("idempotency-key"))
    service, desk = door.services.acceptance, door.uploads
    # The form's own length is a little above the file's, so only a raw body is judged by it here.
    size = None if form else declared_length(request)
    ticket = await desk.in_thread(service.open_upload, identity, challenge, mode, size, key, options)
    with desk.seat(ticket.team_id):
        received = await desk.take(request, ticket.max_bytes, form=form)
    filename = clean_filename(received.filename or header_text(request.headers.get("x-filename")))

    chosen = {name: plain(text) for name, text in received.fields.items() if name in ticket.option_names}

    def accept() -> tuple[Submission, bool]:
        return service.accept(
            ticket,
            sha256=received.sha256,
            size=received.size,
            filename=filename,
            idempotency_key=key,
            options=chosen,
        )

    return await desk.in_thread(accept)
