"""The queue."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from goat.records import QueueStatus
from scoring_service.doors.http import describe
from scoring_service.doors.http.encoding import Json
from scoring_service.doors.http.guard import AnyoneRoute
from scoring_service.doors.http.state import TheServices

router = APIRouter(tags=["queue"], route_class=AnyoneRoute)


@router.get(
    "/queue", response_model=QueueStatus, responses=describe.reply(describe.QUEUE) | describe.problems()
)
def get_queue(services: TheServices) -> Response:
    """How many submissions wait and run, and how many workers are alive, in all and per lane."""
    return Json(services.submissions.queue())
