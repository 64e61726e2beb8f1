"""Waiting for a result on behalf of a caller, without holding a thread."""

from __future__ import annotations

import asyncio
import time

from goat.records import FINAL_STATES, Submission
from scoring_service.doors.http.state import Door
from scoring_service.teams.identity import Identity

FIRST_LOOK_S = 0.05
LAST_LOOK_S = 1.0


async def wait_for_result(door: Door, caller: Identity, submission: Submission, seconds: float) -> Submission:
    """The submission once it has a final state, or as it is when the time is over. Looks are spaced out:
    a good share of jobs takes less than a second, the rest can wait one more."""
    until = time.monotonic() + seconds
    pause = FIRST_LOOK_S
    while submission.state not in FINAL_STATES:
        left = until - time.monotonic()
        if left <= 0:
            break
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, LAST_LOOK_S)
        submission = await asyncio.to_thread(door.services.submissions.get, caller, submission.id)
    return submission
