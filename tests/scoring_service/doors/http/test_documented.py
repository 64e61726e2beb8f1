"""The documented commands, and the defects of the older platform that must not come back (1, 2, 3, 4, 8)."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from scoring_service.models import PrivateScore
from tests.scoring_service.doors.http.conftest import Site
from tests.scoring_service.world import submission_zip


@contextmanager
def working(site: Site) -> Iterator[None]:
    """A worker that scores whatever waits, while the block runs."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            site.world.work()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()


def submit(
    site: Site, headers: dict[str, str], content: bytes | None = None, wait: float = 60
) -> tuple[int, dict[str, object]]:
    sent = {"file": ("answers.zip", submission_zip() if content is None else content)}
    reply = site.http.post(f"/submit/task1?wait={wait}", headers=headers, files=sent)
    return reply.status_code, reply.json()


def test_submitting_waits_for_the_score(both_site: Site) -> None:
    headers = both_site.team()
    with working(both_site):
        status, body = submit(both_site, headers)
    assert status == 200
    assert body["state"] == "EVALUATED"
    assert body["score"] == pytest.approx(20.0, abs=0.01)
    assert {"submission_id", "submitted_at", "status_url"} <= body.keys()


def test_a_score_that_takes_longer_is_asked_for_later(site: Site) -> None:
    headers = site.team()
    status, body = submit(site, headers, wait=0.1)
    assert (status, body["state"], body["score"]) == (202, "QUEUED", None)
    site.world.work()
    later = site.http.get(str(body["status_url"]), headers=headers).json()
    assert later["submission_id"] == body["submission_id"]
    assert later["score"] == pytest.approx(20.0, abs=0.01)


def test_a_waiting_submission_is_cancelled(site: Site) -> None:
    headers = site.team()
    _, body = submit(site, headers, wait=0)
    url = f"/submit/task1/{body['submission_id']}"
    assert site.http.delete(url, headers=headers).json()["state"] == "CANCELLED"
    site.world.work()
    assert site.http.get("/leaderboard/task1").json() == []


def test_the_queue_tells_its_length(site: Site) -> None:
    submit(site, site.team(), wait=0)
    body = site.http.get("/submit/queue/status").json()
    assert (body["length"], body["running"], body["workers_alive"]) == (1, 0, 0)


def test_the_board_lists_the_first_ten_and_the_team_that_asks(site: Site) -> None:
    # Given twelve teams
    for number in range(12):
        identity = site.world.team(f"team_{number:02d}")
        site.world.submit(identity, noise=0.05 + number / 100)
    site.world.work()
    site.forget()
    # When the board is asked for in the documented ways
    top = site.http.get("/leaderboard/task1").json()
    with_last = site.http.get("/leaderboard/task1?team_name=team_11").json()
    with_first = site.http.get("/leaderboard/task1?team_name=team_00").json()
    unknown = site.http.get("/leaderboard/task1?team_name=nobody").json()
    three = site.http.get("/leaderboard/task1?k=3").json()
    # Then the named team is there, wherever it stands
    assert [row["rank"] for row in top] == list(range(1, 11))
    assert {"rank", "team_name", "score", "submission_id", "submitted_at"} <= top[0].keys()
    assert with_last[:10] == top
    assert (with_last[10]["team_name"], with_last[10]["rank"]) == ("team_11", 12)
    assert with_first == unknown == top
    assert three == top[:3]


def test_history_is_the_teams_own(site: Site) -> None:
    mine, other = site.team("team_a"), site.team("team_b")
    submit(site, mine, wait=0)
    submit(site, other, submission_zip(seed=2), wait=0)
    for path in ("/teams/me/submissions", "/teams/me/submissions/task1", "/v1/submissions"):
        assert [entry["team_name"] for entry in site.http.get(path, headers=mine).json()] == ["team_a"]


def test_organisers_keep_teams(both_site: Site) -> None:
    site = both_site
    admin = site.organiser()
    assert (
        site.http.post(
            "/admin/teams", headers=admin, json={"name": "one", "password": "password-1"}
        ).status_code
        == 201
    )
    again = site.http.post("/admin/teams", headers=admin, json={"name": "ONE", "password": "password-1"})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    text = "name,password\none,password-1\ntwo,password-2\n"
    added = site.http.post("/admin/teams/csv", headers=admin, content=text.encode())
    assert [team["name"] for team in added.json()] == ["two"]
    assert site.login("two", "password-2")
    assert site.http.delete("/admin/teams/two", headers=admin).status_code == 204
    assert site.http.delete("/admin/teams/two", headers=admin).status_code == 404
    assert [team["name"] for team in site.http.get("/admin/teams", headers=admin).json()] == ["one"]


def test_a_team_with_submissions_is_deleted_only_by_force(site: Site) -> None:
    admin, team = site.organiser(), site.team()
    submit(site, team, wait=0)
    refused = site.http.delete("/admin/teams/team_awesome", headers=admin)
    assert (refused.status_code, refused.json()["submissions"]) == (409, 1)
    assert site.http.delete("/admin/teams/team_awesome?force=true", headers=admin).status_code == 204
    # And its login ends at once
    assert site.http.get("/auth/me", headers=team).status_code == 401


def test_organisers_rejudge_without_doubling_anything(site: Site) -> None:
    admin, team = site.organiser(), site.team()
    _, body = submit(site, team, wait=0)
    site.world.work()
    url = f"/admin/submissions/{body['submission_id']}/rejudge"
    assert site.http.post(url, headers=admin).json() == {"queued": 1}
    site.world.work()
    site.forget()
    assert len(site.http.get("/leaderboard/task1").json()) == 1
    assert site.http.get(f"/v1/submissions/{body['submission_id']}", headers=team).json()["run_no"] == 2
    assert len(site.http.get("/admin/submissions?state=EVALUATED", headers=admin).json()) == 1


def test_a_frozen_board_stands_still_for_everybody_and_thaws(site: Site) -> None:
    # Given a board that an organiser freezes
    admin, team = site.organiser(), site.team()
    submit(site, team, wait=0)
    site.world.work()
    change = {"challenge": "task1", "freeze": True}
    assert site.http.put("/admin/settings", headers=admin, json=change).json()["frozen"]
    site.forget()
    before = site.http.get("/v1/challenges/task1/leaderboard").json()
    assert before["frozen"]
    # When the team improves
    submit(site, team, submission_zip(noise=0.02, seed=5), wait=0)
    site.world.work()
    site.forget()
    # Then nobody sees it on the board until it thaws
    for headers in ({}, team):
        assert (
            site.http.get("/v1/challenges/task1/leaderboard", headers=headers).json()["rows"]
            == before["rows"]
        )
    site.http.put("/admin/settings", headers=admin, json={"challenge": "task1", "freeze": False})
    site.forget()
    after = site.http.get("/v1/challenges/task1/leaderboard").json()
    assert not after["frozen"]
    assert after["rows"][0]["score"] > before["rows"][0]["score"]


def test_a_talk_counts_on_the_combined_board(site: Site) -> None:
    site.world.apply(
        event_fields={
            "combined": [
                {"challenge": "task1", "weight": 0.6, "from": 10, "to": 50},
                {"manual": "talk", "weight": 0.1, "from": 0, "to": 10},
            ]
        }
    )
    admin, team = site.organiser(), site.team()
    submit(site, team, wait=0)
    site.world.work()
    site.forget()
    (before,) = site.http.get("/leaderboard/combined").json()
    body = {"team_name": "team_awesome", "name": "talk", "value": 10}
    assert site.http.post("/admin/manual-scores", headers=admin, json=body).status_code == 200
    site.forget()
    (after,) = site.http.get("/leaderboard/combined").json()
    assert after["score"] - before["score"] == pytest.approx(0.1)
    missing = site.http.post("/admin/manual-scores", headers=admin, json=body | {"name": "dance"})
    assert missing.status_code == 422


# --- defects of the older platform ------------------------------------------------------------------


def test_defect_1_no_reply_to_a_participant_carries_a_private_score(site: Site) -> None:
    headers = site.team()
    with working(site):
        _, body = submit(site, headers)
    with site.world.services.db.read() as session:
        private = [score.value for score in session.query(PrivateScore)]
    assert private
    history = site.http.get("/teams/me/submissions", headers=headers)
    for text in (str(body), history.text):
        assert "private" not in text
    assert body["final_score"] is None
    assert history.json()[0]["final_score"] is None


def test_defect_2_a_missing_file_is_an_error_that_names_all_that_miss(site: Site) -> None:
    # Given one good file in place of four
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(submission_zip())) as whole, zipfile.ZipFile(content, "w") as part:
        part.writestr("sample_0000.pt", whole.read("sample_0000.pt"))
        single = whole.read("sample_0000.pt")
    headers = site.team()
    # When it is sent as an archive, or raw
    with working(site):
        for sent in (content.getvalue(), single):
            status, body = submit(site, headers, sent)
            # Then it is rejected, with every problem, and earns nothing
            assert (status, body["code"]) == (422, "rejected")
            assert body["problems"]
            assert "submission_id" in body
    site.forget()
    assert site.http.get("/leaderboard/task1").json() == []


def test_defect_3_a_result_belongs_to_its_submission(site: Site) -> None:
    # Given two submissions of one team, of which the later is scored first
    headers = site.team()
    _, first = submit(site, headers, submission_zip(noise=0.1, seed=1), wait=0)
    _, second = submit(site, headers, submission_zip(noise=0.01, seed=2), wait=0)
    site.world.score(str(second["submission_id"]))
    # Then asking for the first does not give the other's score
    assert site.http.get(str(first["status_url"]), headers=headers).json()["score"] is None
    site.world.score(str(first["submission_id"]))
    result = {
        name: site.http.get(f"/v1/submissions/{entry['submission_id']}", headers=headers).json()
        for name, entry in (("first", first), ("second", second))
    }
    assert result["first"]["id"] != result["second"]["id"]
    assert result["second"]["state"] == result["first"]["state"] == "EVALUATED"


def test_defect_4_a_status_of_one_task_is_not_found_under_another(site: Site) -> None:
    headers = site.team()
    _, body = submit(site, headers, wait=0)
    for path in (f"/submit/task2/status/{body['submission_id']}", "/submit/task1/status/unknown"):
        assert site.http.get(path, headers=headers).status_code == 404
    assert site.http.delete(f"/submit/task2/{body['submission_id']}", headers=headers).status_code == 404


def test_defect_8_limits_in_error_texts_are_the_limits_in_force(site: Site) -> None:
    headers = site.team()
    site.world.apply(max_bytes=2000, limits={"per_day": 7})
    too_large = site.http.post("/submit/task1", headers=headers, files={"file": ("a.zip", bytes(3000))})
    assert too_large.status_code == 413
    assert "2000 bytes" in too_large.json()["detail"]
    assert too_large.json()["allowed"] == 2000
    left = site.http.get("/v1/challenges/task1/limits", headers=headers).json()
    assert {entry["limit"]: entry["allowed"] for entry in left}["per_day"] == 7
