"""`/v1`: one router per resource, collected here."""

from __future__ import annotations

from fastapi import APIRouter

from scoring_service.doors.http.v1 import challenges, leaderboard, me, queue, stream, submissions, uploads

router = APIRouter(prefix="/v1")
for resource in (challenges, leaderboard, me, queue, stream, submissions, uploads):
    router.include_router(resource.router)
