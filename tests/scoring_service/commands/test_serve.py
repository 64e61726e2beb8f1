"""`goat-server serve`: the API as it runs in production, as a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from scoring_service.services import build_services
from tests.scoring_service.conftest import settings_for
from tests.scoring_service.workers.conftest import QueueServer, queue, wait_until
from tests.scoring_service.world import World

assert queue  # a fixture


@contextmanager
def serving(home: Path, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its URL; ended by SIGTERM if the test has not done so."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("GOAT_", "REDIS_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "scoring_service", "serve"],
        env=inherited | {"GOAT_HOME": str(home), "GOAT_API_PORT": str(port)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def answers(url: str) -> bool:
    try:
        httpx.get(url, timeout=10)
    except httpx.TransportError:
        return False
    return True


def test_it_serves_without_its_queue_server_and_says_so(tmp_path: Path) -> None:
    with serving(tmp_path, REDIS_URL=f"unix://{tmp_path}/nobody.sock") as (process, url):
        wait_until(lambda: answers(url) or process.poll() is not None, "the API")
        assert httpx.get(url, timeout=20).json()["status"] == "degraded"
        # And its signing key was made, kept and is nobody else's to read
        key = tmp_path / "secrets" / "secret_key"
        assert len(key.read_text()) >= 32
        assert key.stat().st_mode & 0o077 == 0


def test_a_short_key_refuses_to_start_with_a_sentence(tmp_path: Path) -> None:
    with serving(tmp_path, SECRET_KEY="short") as (process, _):
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "SECRET_KEY needs at least 32 bytes" in output
    assert "Traceback" not in output


@pytest.mark.timeout(180)
def test_a_change_by_another_process_reaches_an_open_stream_and_sigterm_ends_it(
    tmp_path: Path, queue: QueueServer
) -> None:
    home = tmp_path / "home"
    with serving(home, REDIS_URL=queue.url) as (process, url):
        wait_until(lambda: answers(url) or process.poll() is not None, "the API")
        assert httpx.get(url, timeout=20).json()["status"] == "healthy"
        # Given a board that somebody watches through the API
        (tmp_path / "event").mkdir()
        services = build_services(settings_for(home, f"sqlite:///{home / 'goat.sqlite3'}"))
        world = World(services, tmp_path / "event")
        world.apply()
        heard: list[str] = []

        def listen() -> None:
            with httpx.stream("GET", f"{url}/v1/stream?challenges=task1", timeout=60) as stream:
                for line in stream.iter_lines():
                    hear(line)

        def hear(line: str) -> None:
            if line.startswith("event: "):
                heard.append(line)

        listener = threading.Thread(target=listen)
        listener.start()
        wait_until(lambda: "event: board" in heard, "the snapshot")
        # When a team submits and is scored by processes of their own
        identity = world.team()
        world.submit(identity)
        world.work()
        # Then the change reaches the stream and the board
        wait_until(lambda: heard.count("event: board") > 1, "the change")
        assert httpx.get(f"{url}/v1/challenges/task1/leaderboard", timeout=20).json()["rows"]
        # And SIGTERM ends the process soon although the stream is open
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        assert time.monotonic() - started < 10
        listener.join(timeout=30)
        assert heard[0] == "event: hello"
        services.db.dispose()
