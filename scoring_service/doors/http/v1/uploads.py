"""Sending a submission: the body is the file."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from goat.records import Submission
from scoring_service.doors.http import describe
from scoring_service.doors.http.encoding import Json
from scoring_service.doors.http.guard import Known, UploadRoute, documented_bearer
from scoring_service.doors.http.intake import take_submission
from scoring_service.doors.http.schemas import ChallengeId, ModeQuery, OptionsQuery
from scoring_service.doors.http.state import TheDoor
from scoring_service.doors.http.text import options_of

router = APIRouter(tags=["submissions"], route_class=UploadRoute, dependencies=[documented_bearer])

_BODY = {
    "requestBody": {
        "required": True,
        "description": "The file itself, streamed; Content-Length or chunked",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    "parameters": [
        {"in": "header", "name": "X-Filename", "schema": {"type": "string"}, "example": "answers.zip"},
        {"in": "header", "name": "Idempotency-Key", "schema": {"type": "string"}, "example": "5b0f7c9e"},
        {"in": "header", "name": "Content-Digest", "schema": {"type": "string"}, "example": "sha-256=:…:"},
    ],
}


@router.post(
    "/challenges/{challenge}/submissions",
    response_model=Submission,
    status_code=201,
    responses=describe.reply(describe.QUEUED, status=201, description="Accepted")
    | describe.reply(describe.SUBMISSION, description="The same bytes and options, or key, came before")
    | describe.problems(400, 401, 403, 404, 409, 413, 429, 507),
    openapi_extra=_BODY,
)
async def submit(
    challenge: ChallengeId,
    request: Request,
    caller: Known,
    door: TheDoor,
    mode: ModeQuery = "ranked",
    options: OptionsQuery = "",
) -> Response:
    """Send a submission. Once this says 201 it is safe; sending it again with the same key is harmless."""
    submission, created = await take_submission(
        door, request, caller, challenge, mode, form=False, options=options_of(options)
    )
    return Json(submission, 201 if created else 200, {"Location": f"/v1/submissions/{submission.id}"})
