"""From an upload to an accepted submission: the two doors for files share this one path."""

from __future__ import annotations

from starlette.requests import Request

from goat.records import Mode, Submission
from scoring_service.doors.http.state import Door
from scoring_service.doors.http.text import clean_filename, clean_key, header_text
from scoring_service.doors.http.uploads import declared_length
from scoring_service.teams.identity import Identity


async def take_submission(
    door: Door, request: Request, identity: Identity, challenge: str, mode: Mode, *, form: bool
) -> tuple[Submission, bool]:
    """Store the body and accept it; returns the submission and whether it is new.

    Who may and whether there is room is settled before a byte of the body is read.
    """
    key = clean_key(request.headers.get("idempotency-key"))
    service, desk = door.services.acceptance, door.uploads
    # The form's own length is a little above the file's, so only a raw body is judged by it here.
    size = None if form else declared_length(request)
    ticket = await desk.in_thread(service.open_upload, identity, challenge, mode, size, key)
    with desk.seat(ticket.team_id):
        received = await desk.take(request, ticket.max_bytes, form=form)
    filename = clean_filename(received.filename or header_text(request.headers.get("x-filename")))

    def accept() -> tuple[Submission, bool]:
        return service.accept(
            ticket, sha256=received.sha256, size=received.size, filename=filename, idempotency_key=key
        )

    return await desk.in_thread(accept)
