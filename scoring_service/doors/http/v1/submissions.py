"""Submissions of one's own team."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from goat.records import Submission
from scoring_service.doors.http import describe
from scoring_service.doors.http.encoding import Json
from scoring_service.doors.http.guard import AccountRoute, Known, documented_bearer
from scoring_service.doors.http.schemas import Before, ChallengeFilter, PageSize, Selection, SubmissionId
from scoring_service.doors.http.state import TheServices

router = APIRouter(tags=["submissions"], route_class=AccountRoute, dependencies=[documented_bearer])
ONE = describe.reply(describe.SUBMISSION)


@router.get(
    "/submissions",
    response_model=list[Submission],
    responses=describe.reply([describe.SUBMISSION]) | describe.problems(401, 403, 404),
)
def list_submissions(
    caller: Known,
    services: TheServices,
    challenge: ChallengeFilter = None,
    limit: PageSize = 100,
    before: Before = None,
) -> Response:
    """Your team's submissions, latest first."""
    return Json(services.submissions.history(caller, challenge=challenge, limit=limit, before=before))


@router.get(
    "/submissions/{submission}", response_model=Submission, responses=ONE | describe.problems(401, 404)
)
def get_submission(submission: SubmissionId, caller: Known, services: TheServices) -> Response:
    """One submission of your team: state, place in the queue, score, or what to change."""
    return Json(services.submissions.get(caller, submission))


@router.delete(
    "/submissions/{submission}", response_model=Submission, responses=ONE | describe.problems(401, 404, 409)
)
def cancel_submission(submission: SubmissionId, caller: Known, services: TheServices) -> Response:
    """Take back a submission that is not scored yet."""
    return Json(services.submissions.cancel(caller, submission))


@router.put(
    "/submissions/{submission}/selected",
    response_model=Submission,
    responses=ONE | describe.problems(401, 403, 404, 409),
)
def select_submission(
    submission: SubmissionId, body: Selection, caller: Known, services: TheServices
) -> Response:
    """Choose it (or not) as one of your team's final submissions."""
    return Json(services.submissions.select(caller, submission, body.selected))
