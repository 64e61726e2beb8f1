"""Whatever is sent, the reply is a typed problem with a sentence, and never a fault of ours."""

from __future__ import annotations

import json

import pytest

from scoring_service.doors.http import guard
from tests.scoring_service.doors.http.conftest import Site
from tests.scoring_service.world import PASSWORD, submission_zip

SUBMIT = "/v1/challenges/task1/submissions"


def problem(reply: object) -> tuple[int, str]:
    """Status and code of a problem reply, which must be complete."""
    body = reply.json()  # type: ignore[attr-defined]
    assert reply.headers["content-type"] == "application/problem+json"  # type: ignore[attr-defined]
    assert {"type", "title", "status", "detail", "code", "instance"} <= body.keys()
    assert body["status"] == reply.status_code  # type: ignore[attr-defined]
    assert body["detail"]
    return body["status"], body["code"]


def test_a_wrong_password_and_an_unknown_name_sound_the_same(site: Site) -> None:
    site.team()
    wrong = site.http.post("/auth/login", json={"name": "team_awesome", "password": "guess-guess"})
    unknown = site.http.post("/auth/login", json={"name": "nobody", "password": "guess-guess"})
    assert problem(wrong) == problem(unknown) == (401, "not_authenticated")
    assert wrong.json()["detail"] == unknown.json()["detail"]
    assert wrong.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b'{"name": NaN, "password": "x"}', 400, id="NaN"),
        pytest.param(b'{"name": 1e999, "password": "x"}', 400, id="1e999"),
        pytest.param(b"[" * 100_000, 400, id="deep list"),
        pytest.param(b'{"a":' * 100_000, 400, id="deep object"),
        pytest.param(b'{"name": "x"', 400, id="cut off"),
        pytest.param(b"\xff\xfe", 400, id="not UTF-8"),
        pytest.param(b'{"name": "\\ud800", "password": "x"}', 400, id="half a surrogate pair"),
        pytest.param(b"", 422, id="empty"),
        pytest.param(b"null", 422, id="null"),
        pytest.param(b"[]", 422, id="wrong type"),
        pytest.param(b'{"name": 5, "password": "x"}', 422, id="number for text"),
        pytest.param(b'{"name": "a", "password": "x", "admin": true}', 422, id="unknown field"),
        pytest.param(b'{"name": "a\\u0000", "password": "x"}', 422, id="NUL"),
        pytest.param(json.dumps({"name": "a" * 65, "password": "x"}).encode(), 422, id="too long"),
        pytest.param(b" " * (guard.SMALL_BODY_BYTES + 1), 413, id="too many bytes"),
    ],
)
def test_a_faulty_body_is_named_and_not_repeated(site: Site, body: bytes, status: int) -> None:
    reply = site.http.post("/auth/login", content=body, headers={"Content-Type": "application/json"})
    assert problem(reply)[0] == status


def test_secrets_are_not_echoed(site: Site) -> None:
    reply = site.http.post("/auth/login", json={"name": ["x"], "password": {"is": "very-secret-word"}})
    assert problem(reply) == (422, "invalid")
    assert "very-secret-word" not in reply.text
    assert {entry["field"] for entry in reply.json()["problems"]} == {"body.name", "body.password"}


@pytest.mark.parametrize("path", ["/nothing", "/v1/nothing", "/v1", "/submit", "/admin"])
def test_an_unknown_address_is_a_problem_reply_too(site: Site, path: str) -> None:
    assert problem(site.http.get(path)) == (404, "not_found")


def test_a_wrong_method_says_which_are_right(site: Site) -> None:
    reply = site.http.patch("/auth/login")
    assert problem(reply) == (405, "method_not_allowed")
    assert reply.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/challenges/task9",
        "/v1/challenges/task9/leaderboard",
        "/leaderboard/task9",
        "/v1/challenges/other:task1",
        "/v1/challenges?event=none",
    ],
)
def test_an_unknown_challenge_is_not_found(site: Site, path: str) -> None:
    reply = site.http.get(path)
    if "?" in path:
        assert reply.json() == []
    else:
        assert problem(reply) == (404, "not_found")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/challenges/%00",
        "/v1/challenges/task1/leaderboard?split=%00",
        "/leaderboard/task1?team_name=%00",
        "/leaderboard/task1?k=1e9",
        "/leaderboard/task1?k=99999999999999999999999",
        "/v1/challenges/task1/leaderboard?split=sample",
        "/v1/stream?challenges=" + ",".join(f"t{n}" for n in range(100)),
        "/v1/stream?challenges=<script>",
    ],
)
def test_hostile_addresses_are_refused(site: Site, path: str) -> None:
    assert problem(site.http.get(path)) == (422, "invalid")


@pytest.mark.parametrize(
    "header", ["Basic dGVhbTpwYXNz", "Bearer", "Bearer ", "Bearer a.b.c", "bearer " + "x" * 5000]
)
def test_a_token_that_is_none_is_refused_everywhere(site: Site, header: str) -> None:
    for path in ("/v1/submissions", "/v1/challenges/task1/leaderboard", "/leaderboard/task1", "/v1/queue"):
        reply = site.http.get(path, headers={"Authorization": header})
        assert problem(reply) == (401, "not_authenticated"), path


def test_dates_and_numbers_beyond_reason_are_refused(site: Site) -> None:
    headers = site.team()
    for query in ("before=2026-06-01T00:00:00", "before=yesterday", "limit=0", "limit=1001", "limit=x"):
        assert problem(site.http.get(f"/v1/submissions?{query}", headers=headers)) == (422, "invalid"), query


def test_a_closed_challenge_says_so_before_any_byte_is_read(site: Site) -> None:
    headers = site.team()
    site.world.apply(deadline="2026-01-01")

    reply = site.http.post(SUBMIT, headers=headers, content=submission_zip())
    assert problem(reply) == (403, "deadline_passed")
    assert "closed on" in reply.json()["detail"]


def test_a_used_up_limit_says_which_one_and_when(site: Site) -> None:
    headers = site.team()
    site.world.apply(limits={"per_hour": 1, "at_once": None})
    assert site.http.post(SUBMIT, headers=headers, content=submission_zip()).status_code == 201
    reply = site.http.post(SUBMIT, headers=headers, content=submission_zip(seed=2))
    assert problem(reply) == (429, "limit_reached")
    facts = reply.json()
    # Then the limit in the sentence is the limit in force
    assert (facts["limit"], facts["allowed"], facts["left"]) == ("per_hour", 1, 0)
    assert "1 submissions an hour" in facts["detail"]
    assert 0 < int(reply.headers["retry-after"]) <= 3600


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Idempotency-Key": "x" * 129}, 422),
        ({"Idempotency-Key": "two words"}, 422),
        ({"Content-Digest": "sha-256=:nonsense:"}, 422),
        ({"Content-Digest": "sha-256=:" + "A" * 43 + "=:"}, 400),
    ],
)
def test_faulty_upload_headers_are_named(site: Site, headers: dict[str, str], status: int) -> None:
    reply = site.http.post(SUBMIT, headers=site.team() | headers, content=submission_zip())
    assert problem(reply)[0] == status


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\evil.zip", "evil.zip"),
        ("a\u202egpj.zip", "a\\u202egpj.zip"),
        ("\u009b31mred.zip", "\\x9b31mred.zip"),
        ("<img src=x onerror=alert(1)>.zip", "<img src=x onerror=alert(1)>.zip"),
        ("naïve.zip", "naïve.zip"),
        ("x" * 5000, "x" * 120),
        ("", "upload"),
    ],
)
def test_a_file_name_is_cut_to_what_is_safe_to_show(site: Site, sent: str, kept: str) -> None:
    headers = site.team() | {"X-Filename": sent.encode()}  # type: ignore[dict-item]  # raw UTF-8
    assert site.http.post(SUBMIT, headers=headers, content=submission_zip()).json()["filename"] == kept


def test_organisers_see_sentences_for_faulty_teams(site: Site) -> None:
    admin = site.organiser()
    for name in ("<b>x</b>", "=cmd()", "a b", "x" * 65, "\u202eabc", "-dash"):
        reply = site.http.post("/admin/teams", headers=admin, json={"name": name, "password": PASSWORD})
        assert problem(reply) == (422, "invalid"), name
    assert problem(
        site.http.post("/admin/teams", headers=admin, json={"name": "ok", "password": "short"})
    ) == (422, "invalid")
    reply = site.http.post(
        "/admin/teams/csv", headers=admin, content=b"name,password\n=cmd(),secret-word\nok\n"
    )
    assert problem(reply) == (422, "invalid")
    assert len(reply.json()["faults"]) == 2
    assert "secret-word" not in reply.text
    for body in (b"\xff\xfe", b"a\x00b,12345678", b""):
        assert problem(site.http.post("/admin/teams/csv", headers=admin, content=body)) == (422, "invalid")


@pytest.mark.parametrize(
    "body", [b'{"team_name":"t","name":"talk","value":NaN}', b'{"team_name":"t","name":"talk","value":1e300}']
)
def test_a_manual_score_must_be_a_sane_number(site: Site, body: bytes) -> None:
    headers = site.organiser() | {"Content-Type": "application/json"}
    assert site.http.post("/admin/manual-scores", headers=headers, content=body).status_code in (400, 422)


def test_a_fault_of_ours_is_logged_under_a_number_and_tells_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_args: object, **_kwargs: object) -> object:
        raise RuntimeError("secret details")

    monkeypatch.setattr(type(site.world.services.submissions), "queue", broken)
    reply = site.http.get("/v1/queue")
    assert problem(reply) == (500, "internal_error")
    assert "secret details" not in reply.text
    assert reply.json()["incident"] in caplog.text
