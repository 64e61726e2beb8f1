"""Uploads that go wrong: they leave nothing, are answered in a sentence, and others are not disturbed."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import socket
import time
from pathlib import Path

import httpx
import pytest

from goat.errors import StorageFull
from scoring_service.doors.http.app import create_app
from scoring_service.doors.http.front import LINGER_S
from scoring_service.doors.http.uploads import Pace
from scoring_service.store import Store
from scoring_service.store import Upload as StoreUpload
from tests.scoring_service.doors.http.conftest import Live, Site, running
from tests.scoring_service.world import World, submission_zip

SUBMIT = "/v1/challenges/task1/submissions"
FORM = "/submit/task1?wait=0"


def head(path: str, headers: dict[str, str]) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: test", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def reply_of(connection: socket.socket) -> tuple[int, dict[str, object]]:
    """Status and JSON body of the reply, read until the server closes or the body is whole."""
    received = b""
    while True:
        chunk = connection.recv(65536)
        received += chunk
        front, _, body = received.partition(b"\r\n\r\n")
        length = [line for line in front.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if not chunk or (length and len(body) >= int(length[0][15:])):
            return int(front[9:12]), json.loads(body)


def files(site: Live | Site) -> list[Path]:
    """Everything in the store, whole or not (the published data aside)."""
    store = site.world.services.store
    published = {store.path(entry.sha256) for entry in site.world.services.events.challenge("task1").data}
    return [path for path in store.root.rglob("*") if path.is_file() and path not in published]


def nothing_left(site: Live | Site) -> bool:
    """True once the store is empty; an upload that broke off is cleaned up a moment later."""
    until = time.monotonic() + 10
    while files(site) and time.monotonic() < until:
        time.sleep(0.02)
    team = site.world.services.teams.authenticate("team_awesome", "correct horse")
    return not files(site) and not site.world.services.submissions.history(team)


def test_a_raw_upload_is_stored_under_its_digest(site: Site) -> None:
    content = submission_zip()
    digest = hashlib.sha256(content)
    sum_header = f"md5=:AAAA:, sha-256=:{base64.b64encode(digest.digest()).decode()}:"
    reply = site.http.post(SUBMIT, headers=site.team() | {"Content-Digest": sum_header}, content=content)
    assert reply.status_code == 201
    assert reply.headers["location"] == f"/v1/submissions/{reply.json()['id']}"
    assert site.world.services.store.path(digest.hexdigest()).read_bytes() == content


def test_an_upload_without_length_is_taken(site: Site) -> None:
    content = submission_zip()
    reply = site.http.post(SUBMIT, headers=site.team(), content=iter([content[:100], content[100:]]))
    assert reply.status_code == 201
    assert reply.json()["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_form_gives_the_same_as_a_raw_upload(site: Site) -> None:
    # Given a file sent as a form, between other fields
    headers, content = site.team(), submission_zip()
    form = {"batch_size": "4", "note": "x" * 1000}
    reply = site.http.post(FORM, headers=headers, data=form, files={"file": ("../a.zip", content)})
    assert reply.status_code == 202
    assert reply.json()["filename"] == "a.zip"
    # When the same bytes come raw
    again = site.http.post(SUBMIT, headers=headers, content=content)
    # Then it is the same submission
    assert again.status_code == 200
    assert again.json()["id"] == reply.json()["submission_id"]


def test_the_same_key_never_submits_twice(site: Site) -> None:
    headers = site.team() | {"Idempotency-Key": "once"}
    first = site.http.post(SUBMIT, headers=headers, content=submission_zip())
    again = site.http.post(SUBMIT, headers=headers, content=submission_zip())
    other = site.http.post(SUBMIT, headers=headers, content=submission_zip(seed=2))
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert first.json()["id"] == again.json()["id"]


@pytest.mark.parametrize("path", [SUBMIT, FORM])
def test_a_body_above_the_limit_is_refused_by_its_length_alone(live: Live, path: str) -> None:
    # Given a challenge that takes one megabyte
    live.world.team()
    headers = live.login("team_awesome") | {"Content-Length": "500000000"}
    headers["Content-Type"] = "multipart/form-data; boundary=x"
    # When somebody announces more, and sends nothing yet
    with live.connect() as connection:
        connection.sendall(head(path, headers))
        status, body = reply_of(connection)
    # Then the refusal is there already
    assert (status, body["code"]) == (413, "too_large")
    assert nothing_left(live)


def test_a_body_above_the_limit_without_length_is_cut_off(live: Live) -> None:
    live.world.team()
    headers = live.login("team_awesome") | {"Transfer-Encoding": "chunked"}
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    with live.connect() as connection:
        connection.sendall(head(SUBMIT, headers))
        for _ in range(40):
            connection.sendall(chunk)
        status, body = reply_of(connection)
    assert (status, body["code"]) == (413, "too_large")
    assert nothing_left(live)


def test_a_form_above_the_limit_is_cut_off(site: Site) -> None:
    reply = site.http.post(FORM, headers=site.team(), files={"file": ("a.zip", bytes(1_010_000))})
    assert (reply.status_code, reply.json()["code"]) == (413, "too_large")
    assert nothing_left(site)


@pytest.mark.parametrize("path", [SUBMIT, FORM])
def test_a_stranger_is_refused_before_the_body(live: Live, path: str) -> None:
    live.world.team()
    with live.connect() as connection:
        connection.sendall(head(path, {"Content-Length": "900000", "Content-Type": "multipart/form-data"}))
        status, body = reply_of(connection)
    assert (status, body["code"]) == (401, "not_authenticated")
    assert nothing_left(live)


def test_a_sender_who_does_not_listen_still_gets_the_refusal(live: Live) -> None:
    # Given a client that sends everything before it reads
    live.world.team()
    body = bytes(8_000_000)
    # When its upload is refused at once
    reply = httpx.post(live.url + SUBMIT, content=body, timeout=20)
    # Then it reads the refusal, not a reset connection
    assert reply.status_code == 401
    assert reply.headers["connection"] == "close"


def test_a_refusal_does_not_wait_for_a_sender_who_stalls(live: Live) -> None:
    live.world.team()
    started = time.monotonic()
    with live.connect() as connection:
        connection.sendall(head(SUBMIT, {"Content-Length": "900000"}) + b"x" * 10)
        status, _ = reply_of(connection)
        assert status == 401
        assert connection.recv(10) == b""
    assert time.monotonic() - started < LINGER_S + 10


@pytest.mark.parametrize("path", [SUBMIT, FORM])
def test_a_disconnect_in_the_middle_leaves_nothing(live: Live, path: str) -> None:
    live.world.team()
    headers = live.login("team_awesome") | {"Content-Length": "900000"}
    headers["Content-Type"] = "multipart/form-data; boundary=x"
    with live.connect() as connection:
        begin = (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            if path == FORM
            else b""
        )
        connection.sendall(head(path, headers) + begin + bytes(400_000))
        time.sleep(0.1)
    assert nothing_left(live)


def test_an_upload_that_stops_is_answered_and_leaves_nothing(live: Live) -> None:
    live.world.team()
    headers = live.login("team_awesome") | {"Content-Length": "900000"}
    with live.connect() as connection:
        connection.sendall(head(SUBMIT, headers) + bytes(400_000))
        status, body = reply_of(connection)
    assert (status, body["code"]) == (400, "upload_incomplete")
    assert nothing_left(live)


def test_an_upload_by_drops_is_ended(live: Live) -> None:
    # Given a sender who never stops and never gets anywhere
    live.world.team()
    headers = live.login("team_awesome") | {"Content-Length": "900000"}
    with live.connect() as connection:
        connection.sendall(head(SUBMIT, headers))
        connection.settimeout(0.05)
        received = b""
        until = time.monotonic() + 20
        while not received and time.monotonic() < until:
            connection.sendall(b"x")
            try:
                received = connection.recv(65536)
            except TimeoutError:
                continue
    # Then it is told so
    assert received.startswith(b"HTTP/1.1 400")
    assert b"too slow" in received
    assert nothing_left(live)


def test_a_team_has_a_bounded_number_of_uploads_in_progress(sqlite_world: World) -> None:
    app = create_app(sqlite_world.services, pace=Pace(per_team=2))
    with running(app) as (server, port):
        live = Live(sqlite_world, app, server, port)
        live.world.team()
        headers = live.login("team_awesome") | {"Content-Length": "900000"}
        with live.connect() as one, live.connect() as two, live.connect() as three:
            # Given two uploads in progress, of two allowed
            for connection in (one, two):
                connection.sendall(head(SUBMIT, headers) + b"x")
            until = time.monotonic() + 10
            while app.state.door.uploads.in_progress < 2 and time.monotonic() < until:
                time.sleep(0.01)
            # When the third begins
            three.sendall(head(SUBMIT, headers) + b"x")
            status, body = reply_of(three)
    # Then it is told so
    assert (status, body["limit"], body["allowed"]) == (429, "uploads_at_once", 2)


@pytest.mark.parametrize(
    ("content_type", "body", "code"),
    [
        ("application/octet-stream", b"zip", "invalid"),
        ("multipart/form-data", b"", "invalid"),
        ("multipart/form-data; boundary=" + "b" * 300, b"", "invalid"),
        ("multipart/form-data; boundary=x", b"garbage", "invalid"),
        ("multipart/form-data; boundary=x", b"", "upload_incomplete"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="file"',
            "upload_incomplete",
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="f"\r\n\r\nv\r\n--x--\r\n',
            "invalid",
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nv\r\n' * 2
            + b"--x--\r\n",
            "invalid",
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf a fi',
            "upload_incomplete",
        ),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: b\r\n" * 5000 + b"\r\n", "invalid"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="z"\r\n\r\n' + bytes(100_000) + b"\r\n--x--\r\n",
            "invalid",
        ),
    ],
)
def test_a_form_that_is_none_says_how_to_send_one(
    site: Site, content_type: str, body: bytes, code: str
) -> None:
    reply = site.http.post(FORM, headers=site.team() | {"Content-Type": content_type}, content=body)
    assert (reply.status_code, reply.json()["code"]) == (422 if code == "invalid" else 400, code)
    assert nothing_left(site)


@pytest.mark.parametrize("path", [SUBMIT, FORM])
def test_an_empty_file_is_refused(site: Site, path: str) -> None:
    headers = site.team()
    if path == FORM:
        reply = site.http.post(path, headers=headers, files={"file": ("a.zip", b"")})
    else:
        reply = site.http.post(path, headers=headers, content=b"")
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid")
    assert nothing_left(site)


class FullUpload(StoreUpload):
    """A disk that is full after the first bytes."""

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        super().write(chunk)
        raise StorageFull("The server's disk is full; nothing was accepted. Tell the organiser.")


def full_upload(store: Store) -> FullUpload:
    return FullUpload(store)


def test_a_full_disk_is_507_and_heals_by_itself(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = site.team()
    with monkeypatch.context() as patch:
        patch.setattr(Store, "open_upload", full_upload)
        reply = site.http.post(SUBMIT, headers=headers, content=submission_zip())
        assert (reply.status_code, reply.json()["code"]) == (507, "storage_full")
        assert site.http.get("/v1/challenges/task1/leaderboard").status_code == 200
    assert nothing_left(site)
    assert site.http.post(SUBMIT, headers=headers, content=submission_zip()).status_code == 201


def test_a_disk_that_fails_while_it_makes_the_file_durable_is_507(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = site.team()

    def no_space(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("scoring_service.store.os.fsync", no_space)
        reply = site.http.post(SUBMIT, headers=headers, content=submission_zip())
    assert (reply.status_code, reply.json()["code"]) == (507, "storage_full")
    assert nothing_left(site)


def test_a_disk_below_its_floor_refuses_before_the_body(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = site.team()
    monkeypatch.setattr(site.world.services.store, "_floor", 1 << 60)
    reply = site.http.post(SUBMIT, headers=headers, content=submission_zip())
    assert reply.status_code == 507
    assert site.http.get("/v1/submissions", headers=headers).status_code == 200


def test_other_requests_are_answered_while_an_upload_runs(live: Live) -> None:
    live.world.team()
    headers = live.login("team_awesome") | {"Content-Length": "900000"}
    with live.connect() as connection:
        connection.sendall(head(SUBMIT, headers) + bytes(100_000))
        assert httpx.get(live.url + "/v1/challenges/task1/leaderboard", timeout=10).status_code == 200


def test_a_retry_after_a_lost_reply_gets_its_submission_although_the_limit_is_used_up(site: Site) -> None:
    site.world.apply(limits={"at_once": 1})
    headers = site.team() | {"Idempotency-Key": "one-try"}
    first = site.http.post(SUBMIT, content=submission_zip(), headers=headers)
    again = site.http.post(SUBMIT, content=submission_zip(), headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]


def test_a_form_of_countless_parts_is_refused(site: Site) -> None:
    headers = site.team() | {"Content-Type": "multipart/form-data; boundary=b"}
    body = b"--b\r\nContent-Disposition: form-data; name=x\r\n\r\n\r\n" * 200 + b"--b--\r\n"
    reply = site.http.post(FORM, content=body, headers=headers)
    assert reply.status_code == 422
    assert nothing_left(site)


def test_data_is_for_participants_only_from_the_opening_on(site: Site) -> None:
    site.world.apply(opens="2099-01-01")
    path = "/v1/challenges/task1/data/eval.zip"
    assert site.http.get(path, headers=site.team()).status_code == 403
    assert site.http.get(path, headers=site.organiser()).status_code == 200
