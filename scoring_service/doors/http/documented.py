"""The documented commands of the older platform, as thin doors onto the same services.

Nothing is decided here: an id is passed on, an answer is given the shape that those clients read.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from goat.errors import NotFound, Problem, Rejection
from goat.records import FINAL_STATES, BoardRow, QueueStatus, Submission
from scoring_service.doors.http import describe
from scoring_service.doors.http.board_cache import TOP
from scoring_service.doors.http.boards import BoardRequest, board_response
from scoring_service.doors.http.encoding import Json
from scoring_service.doors.http.guard import (
    AccountRoute,
    AnyoneRoute,
    Known,
    Maybe,
    UploadRoute,
    documented_bearer,
)
from scoring_service.doors.http.intake import take_submission
from scoring_service.doors.http.schemas import Before, ChallengeId, ModeQuery, PageSize, SubmissionId
from scoring_service.doors.http.state import TheDoor, TheServices
from scoring_service.doors.http.waiting import wait_for_result
from scoring_service.services import Services
from scoring_service.teams.identity import Identity

public = APIRouter(route_class=AnyoneRoute, dependencies=[documented_bearer])
private = APIRouter(route_class=AccountRoute, dependencies=[documented_bearer])
uploads = APIRouter(route_class=UploadRoute, dependencies=[documented_bearer])

DEFAULT_WAIT_S = 60.0
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "batch_size": {"type": "integer", "minimum": 1, "maximum": 32},
                    },
                },
                "example": {"file": "(model.onnx)", "batch_size": 8},
            }
        },
    }
}


def result_of(submission: Submission, challenge: str) -> dict[str, Any]:
    """A submission in the documented shape: its own fields, ``submission_id`` and where to ask again."""
    record: dict[str, Any] = msgspec.to_builtins(submission, builtin_types=())
    return record | {
        "submission_id": submission.id,
        "submitted_at": submission.submitted_at,
        "status_url": f"/submit/{challenge}/status/{submission.id}",
    }


@public.get(
    "/submit/queue/status",
    response_model=QueueStatus,
    responses=describe.reply(describe.QUEUE) | describe.problems(),
)
def queue_status(services: TheServices) -> Response:
    """Length of the queue, running jobs, workers alive."""
    return Json(services.submissions.queue())


@uploads.post(
    "/submit/{challenge}",
    responses=describe.reply(describe.RESULT, description="Scored")
    | describe.reply(
        describe.RESULT | {"state": "QUEUED", "score": None}, status=202, description="Not scored yet"
    )
    | describe.problems(400, 401, 403, 404, 409, 413, 429, 507),
    openapi_extra=_FORM,
)
async def submit(
    challenge: ChallengeId,
    request: Request,
    caller: Known,
    door: TheDoor,
    mode: ModeQuery = "ranked",
    wait: Annotated[
        float | None,
        Query(
            ge=0,
            le=600,
            description="seconds to wait for the score; by default 60, and 0 where it takes a measurement",
        ),
    ] = None,
) -> Response:
    """Send a submission as a form with the field `file`, and wait a while for its score.

    Fields named like an option of the challenge are taken as such, e.g. `batch_size` (1 to 32).
    """
    submission, _ = await take_submission(door, request, caller, challenge, mode, form=True)
    if wait is None:
        measured = await asyncio.to_thread(door.services.events.is_measured, challenge)
        wait = 0.0 if measured else DEFAULT_WAIT_S
    submission = await wait_for_result(door, caller, submission, wait)
    result = result_of(submission, challenge)
    if submission.state == "REJECTED":
        raise _rejection(submission, result["status_url"])
    return Json(result, 200 if submission.state in FINAL_STATES else 202)


def _rejection(submission: Submission, status_url: str) -> Rejection:
    problems = [Problem(**problem) for problem in submission.problems] or [
        Problem(submission.error_code or "rejected", submission.error or "The submission was rejected.")
    ]
    rejection = Rejection(problems)
    rejection.facts.update(submission_id=submission.id, status_url=status_url)
    return rejection


@private.get(
    "/submit/{challenge}/status/{submission}",
    responses=describe.reply(describe.RESULT) | describe.problems(401, 404),
)
def status(
    challenge: ChallengeId, submission: SubmissionId, caller: Known, services: TheServices
) -> Response:
    """One submission of your team."""
    return Json(result_of(_of_challenge(services, caller, challenge, submission), challenge))


@private.delete(
    "/submit/{challenge}/{submission}",
    responses=describe.reply(describe.RESULT | {"state": "CANCELLED"}) | describe.problems(401, 404, 409),
)
def cancel(
    challenge: ChallengeId, submission: SubmissionId, caller: Known, services: TheServices
) -> Response:
    """Take back a submission that is not scored yet."""
    found = _of_challenge(services, caller, challenge, submission)
    return Json(result_of(services.submissions.cancel(caller, found.id), challenge))


def _of_challenge(services: Services, caller: Identity, challenge: str, submission_id: str) -> Submission:
    """The caller's submission, if it is one of that challenge. Raises `goat.errors.NotFound`."""
    found = services.submissions.get(caller, submission_id)
    if found.challenge != challenge.rpartition(":")[2]:
        raise NotFound(f"There is no submission {submission_id} of {challenge}.")
    return found


@public.get(
    "/leaderboard/{challenge}",
    response_model=list[BoardRow],
    responses=describe.reply([describe.ROW]) | describe.problems(401, 403, 404),
)
async def leaderboard(
    challenge: ChallengeId,
    caller: Maybe,
    door: TheDoor,
    team_name: Annotated[str | None, Query(max_length=64, examples=["team_awesome"])] = None,
    k: Annotated[int, Query(ge=1, le=100_000, description="how many rows")] = TOP,
    if_none_match: Annotated[str, Header()] = "",
) -> Response:
    """The first rows of a board (`task1`, `combined`, …), and the named team's own wherever it stands."""
    request = BoardRequest(challenge, listing=True, k=k, team_name=team_name)
    return await board_response(door.boards, request, caller, if_none_match)


@private.get(
    "/teams/me/submissions",
    response_model=list[Submission],
    responses=describe.reply([describe.SUBMISSION]) | describe.problems(401, 403),
)
def my_submissions(
    caller: Known, services: TheServices, limit: PageSize = 100, before: Before = None
) -> Response:
    """Your team's submissions, latest first."""
    return Json(services.submissions.history(caller, limit=limit, before=before))


@private.get(
    "/teams/me/submissions/{challenge}",
    response_model=list[Submission],
    responses=describe.reply([describe.SUBMISSION]) | describe.problems(401, 403, 404),
)
def my_submissions_of(
    challenge: ChallengeId,
    caller: Known,
    services: TheServices,
    limit: PageSize = 100,
    before: Before = None,
) -> Response:
    """Your team's submissions of one challenge, latest first."""
    return Json(services.submissions.history(caller, challenge=challenge, limit=limit, before=before))


router = APIRouter(tags=["documented commands"])
# The fixed address first: `/submit/queue/status` must not be taken for a challenge called queue.
for part in (public, uploads, private):
    router.include_router(part)
