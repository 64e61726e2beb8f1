"""The `/v1` resources, as their users see them."""

from __future__ import annotations

import hashlib

import pytest

from scoring_service.doors.http.app import create_app
from tests.scoring_service.conftest import replace
from tests.scoring_service.doors.http.conftest import Site, TestClient
from tests.scoring_service.world import World, submission_zip

BOARD = "/v1/challenges/task1/leaderboard"


def test_logging_in_gives_a_token_for_who_one_is(both_site: Site) -> None:
    headers = both_site.team()
    me = both_site.http.get("/auth/me", headers=headers).json()
    assert me == {
        "name": "team_awesome",
        "role": "participant",
        "event": "photographs",
        "team_name": "team_awesome",
        "banned": False,
    }
    assert both_site.http.get("/auth/me", headers=both_site.organiser()).json()["role"] == "organiser"


def test_a_challenge_tells_all_that_a_team_must_know(site: Site) -> None:
    (challenge,) = site.http.get("/v1/challenges").json()
    assert site.http.get("/v1/challenges/photographs:task1").json()["id"] == challenge["id"] == "task1"
    assert challenge["max_bytes"] == 1_000_000
    assert {entry["name"] for entry in challenge["data"]} == {"sample.zip", "eval.zip"}
    assert site.http.get("/v1/challenges?event=photographs").json()[0]["id"] == "task1"


def test_data_is_downloaded_whole_in_parts_or_not_again(site: Site) -> None:
    headers = site.team()
    entry = next(e for e in site.http.get("/v1/challenges/task1").json()["data"] if e["name"] == "sample.zip")
    url = "/v1/challenges/task1/data/sample.zip"
    # Whole
    reply = site.http.get(url, headers=headers)
    assert hashlib.sha256(reply.content).hexdigest() == entry["sha256"] == reply.headers["etag"].strip('"')
    # The rest of a broken download
    rest = site.http.get(url, headers=headers | {"Range": "bytes=100-", "If-Range": reply.headers["etag"]})
    assert (rest.status_code, rest.content) == (206, reply.content[100:])
    # A part of something that has changed since is the whole
    other = site.http.get(url, headers=headers | {"Range": "bytes=100-", "If-Range": '"other"'})
    assert (other.status_code, other.content) == (200, reply.content)
    # Known already
    assert site.http.get(url, headers=headers | {"If-None-Match": reply.headers["etag"]}).status_code == 304
    # Nonsense
    for asked in ("bytes=99999999-", "bytes=5-1", "bytes=0-1,2-3", "x", "bytes=" + "0-1," * 1000):
        assert site.http.get(url, headers=headers | {"Range": asked}).status_code == 422, asked


@pytest.mark.parametrize("name", ["private.zip", "public.zip", "..%2f..%2fsecrets", "....", "%2e%2e"])
def test_only_published_data_can_be_downloaded(site: Site, name: str) -> None:
    reply = site.http.get(f"/v1/challenges/task1/data/{name}", headers=site.team())
    assert reply.status_code in (404, 422)


def test_a_board_changes_its_etag_only_with_its_content(site: Site) -> None:
    # Given somebody who has the board
    headers = site.team()
    first = site.http.get(BOARD, headers=headers)
    known = headers | {"If-None-Match": first.headers["etag"]}
    again = site.http.get(BOARD, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    for spelling in (f"W/{first.headers['etag']}", f'"x", {first.headers["etag"]}', "*"):
        assert site.http.get(BOARD, headers=headers | {"If-None-Match": spelling}).status_code == 304
    # When it changes
    site.http.post("/v1/challenges/task1/submissions", headers=headers, content=submission_zip())
    site.world.work()
    site.forget()
    # Then the new one is sent
    reply = site.http.get(BOARD, headers=known)
    assert (reply.status_code, len(reply.json()["rows"])) == (200, 1)
    assert reply.headers["cache-control"] == "private, no-cache"


def test_the_quick_way_and_fastapis_give_the_same_board(site: Site) -> None:
    identity = site.world.team()
    site.world.submit(identity)
    site.world.work()
    site.forget()
    quick = site.http.get(BOARD)
    slow = site.http.get(BOARD + "?split=public&unusual=1")
    assert (quick.content, quick.headers["etag"]) == (slow.content, slow.headers["etag"])
    assert site.http.get("/leaderboard/task1").content == site.http.get("/leaderboard/task1?k=10").content


def test_a_team_chooses_its_final_submissions(site: Site) -> None:
    headers = site.team()
    sent = site.http.post("/v1/challenges/task1/submissions", headers=headers, content=submission_zip())
    url = f"/v1/submissions/{sent.json()['id']}"
    assert site.http.put(f"{url}/selected", headers=headers, json={"selected": True}).status_code == 409
    site.world.work()
    assert site.http.put(f"{url}/selected", headers=headers, json={"selected": True}).json()["selected"]
    assert not site.http.put(f"{url}/selected", headers=headers, json={"selected": False}).json()["selected"]
    assert site.http.delete(url, headers=headers).status_code == 409


def test_history_is_paged_by_time(site: Site) -> None:
    headers = site.team()
    for seed in range(3):
        site.http.post("/v1/challenges/task1/submissions", headers=headers, content=submission_zip(seed=seed))
    first = site.http.get("/v1/submissions?limit=2", headers=headers).json()
    rest = site.http.get(
        "/v1/submissions", headers=headers, params={"before": first[-1]["submitted_at"], "limit": 2}
    ).json()
    assert (len(first), len(rest)) == (2, 1)
    assert len({entry["id"] for entry in first + rest}) == 3
    assert site.http.get("/v1/submissions?challenge=task1&limit=1", headers=headers).json() == first[:1]


def test_test_mode_is_kept_apart(site: Site) -> None:
    headers = site.team()
    reply = site.http.post(
        "/v1/challenges/task1/submissions?mode=test", headers=headers, content=submission_zip("test")
    )
    assert reply.json()["mode"] == "test"
    site.world.work()
    site.forget()
    record = site.http.get(f"/v1/submissions/{reply.json()['id']}", headers=headers).json()
    assert record["score"] == pytest.approx(20, abs=0.01)
    assert site.http.get(BOARD).json()["rows"] == []


def test_browsers_of_named_origins_may_ask(sqlite_world: World) -> None:
    services = replace(
        sqlite_world.services,
        settings=replace(sqlite_world.services.settings, cors_origins="https://hub.example, https://other"),
    )
    with TestClient(create_app(services)) as client:
        asked = {"Origin": "https://hub.example", "Access-Control-Request-Method": "GET"}
        assert client.options(BOARD, headers=asked).headers["access-control-allow-origin"] == asked["Origin"]
        reply = client.get(BOARD, headers={"Origin": "https://hub.example"})
        assert reply.headers["access-control-allow-origin"] == "https://hub.example"
        evil = client.get(BOARD, headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in evil.headers
