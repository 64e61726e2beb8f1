"""Examples and replies for the docs pages, one per record, so that every route can show what it gives."""

from __future__ import annotations

from typing import Any

Responses = dict[int | str, dict[str, Any]]

TOKEN = {"access_token": "eyJhbGciOi…", "token_type": "bearer", "expires_at": "2026-11-24T09:00:00Z"}
ME = {"name": "team_awesome", "role": "participant", "event": "photographs", "team_name": "team_awesome"}
TEAM = {
    "id": "8d2f6c01b7a94e55d3c0",
    "name": "team_awesome",
    "event": "photographs",
    "members": 1,
    "submissions": 3,
    "banned": False,
    "created_at": "2026-11-21T09:00:00Z",
}
CHALLENGE = {
    "id": "task1",
    "event": "photographs",
    "kind": "image_reconstruction",
    "title": "Restore damaged photographs",
    "description": "Each image has lost pixels and gained noise. Give back the original.",
    "config": {"shape": [3, 96, 96], "dtype": "float32", "data_range": 1.0},
    "opens_at": None,
    "deadline": "2027-12-31T23:00:00Z",
    "frozen": False,
    "revealed": False,
    "max_bytes": 200000000,
    "limits": {"per_day": 100, "per_hour": 30, "at_once": 3},
    "ladder_step": 0.01,
    "finals": 2,
    "higher_is_better": True,
    "unit": "dB",
    "data_version": "6f1c",
    "data": [{"name": "sample.zip", "sha256": "9b74…", "size": 2656000}],
    "scorer_digest": "51ab…",
    "server_time": "2026-11-21T09:00:00Z",
}
SUBMISSION = {
    "id": "3f1c9a6b2d4e5f60718a",
    "event": "photographs",
    "challenge": "task1",
    "team_name": "team_awesome",
    "account": "team_awesome",
    "mode": "ranked",
    "state": "EVALUATED",
    "filename": "answers.zip",
    "size": 10617000,
    "sha256": "c0ffee…",
    "options": {},
    "submitted_at": "2026-11-21T09:00:00Z",
    "started_at": "2026-11-21T09:00:01Z",
    "finished_at": "2026-11-21T09:00:02Z",
    "attempt": 1,
    "queue_position": None,
    "score": 27.413952,
    "improved": True,
    "metrics": {},
    "selected": False,
    "final_score": None,
    "error_code": None,
    "error": None,
    "problems": [],
    "run_no": 1,
}
QUEUED = SUBMISSION | {
    "state": "QUEUED",
    "started_at": None,
    "finished_at": None,
    "attempt": 0,
    "queue_position": 4,
    "score": None,
    "improved": None,
    "run_no": 0,
}
ROW = {
    "rank": 1,
    "team_name": "team_awesome",
    "score": 27.413952,
    "submission_id": "3f1c9a6b2d4e5f60718a",
    "submitted_at": "2026-11-21T09:00:00Z",
    "entries": 12,
    "metrics": {},
}
BOARD = {
    "event": "photographs",
    "challenge": "task1",
    "split": "public",
    "version": 17,
    "frozen": False,
    "higher_is_better": True,
    "unit": "dB",
    "rows": [ROW],
}
LIMIT = {"limit": "per_hour", "allowed": 30, "left": 27, "retry_after": None}
QUEUE = {
    "length": 4,
    "running": 2,
    "workers_alive": 3,
    "lanes": [
        {
            "name": "short",
            "length": 4,
            "running": 2,
            "workers_alive": 3,
            "challenges": ["photographs:task1"],
        }
    ],
}
RESULT = {
    "score": 27.413952,
    "submission_id": "3f1c9a6b2d4e5f60718a",
    "submitted_at": "2026-11-21T09:00:00Z",
    "status_url": "/submit/task1/status/3f1c9a6b2d4e5f60718a",
} | SUBMISSION
EVENTS = (
    'id: task1=17\nevent: board\ndata: {"challenge":"task1","from":16,"to":17,"rows":[…],"removed":[]}\n\n'
)

_WORDS = {
    400: ("upload_incomplete", "The upload ended before it was whole; nothing was accepted. Send it again."),
    401: ("not_authenticated", "Your login has expired. Log in again."),
    403: ("forbidden", "Only organisers may do this."),
    404: ("not_found", "There is no challenge task9. There is: task1."),
    409: ("conflict", "The name team_awesome is taken."),
    413: ("too_large", "The file has more than the 200000000 bytes that this challenge takes."),
    422: ("invalid", "body.name: Field required"),
    429: (
        "limit_reached",
        "Your team has used up its limit of 30 submissions an hour. Try again in 5 min 41 s.",
    ),
    507: ("storage_full", "The server's disk is full; nothing was accepted. Tell the organiser."),
}


def reply(example: Any, *, status: int = 200, description: str = "The answer") -> Responses:
    """One good reply with its example."""
    return {status: {"description": description, "content": {"application/json": {"example": example}}}}


def nothing(description: str) -> Responses:
    """A good reply without a body."""
    return {204: {"description": description}}


def problems(*statuses: int) -> Responses:
    """The problem replies (RFC 9457) that a route gives, each with its example."""
    return {status: _problem(status, *_WORDS[status]) for status in (*statuses, 422)}


def _problem(status: int, code: str, detail: str) -> dict[str, Any]:
    example = {"type": f"urn:goat:problem:{code}", "status": status, "code": code, "detail": detail}
    return {"description": code, "content": {"application/problem+json": {"example": example}}}
