"""``goat-server up`` with light stand-ins for the programs: what is tested is who looks after them.

Run as a script. The queue server is the real one.
"""

from __future__ import annotations

import http.server
import json
import os
import signal
import sys
import time


class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"status": "healthy"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


def api() -> None:
    print("2026-01-01 WARNING api: a warning with \x1b[31mcolour", flush=True)
    print("2026-01-01 INFO api: nothing special", flush=True)
    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["GOAT_API_PORT"])), Health).serve_forever()


def worker() -> None:
    time.sleep(3600)


def stubborn() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(3600)


def flaky() -> None:
    """Dies at once until the file ``repaired`` is there."""
    if not os.path.exists(os.path.join(os.environ["GOAT_HOME"], "repaired")):
        sys.exit("flaky: RuntimeError: something is missing")
    time.sleep(3600)


def main() -> None:
    from scoring_service.settings import Settings
    from scoring_service.supervise import checks, config, up

    def programs(settings: Settings, hub: object = None) -> list[config.Program]:
        wanted = os.environ.get("STAND_INS", "api worker").split()
        commands = {name: config.launch(sys.executable, __file__, name) for name in wanted}
        return [
            config._queue(settings),
            *(config.Program(name=name, group="goat", command=command) for name, command in commands.items()),
        ]

    config.programs = programs
    up.Run._prepare = lambda self: {"passwords": {}, "notes": []}  # type: ignore[method-assign]
    try:
        sys.exit(up.up(Settings.from_env()))
    except checks.Refused as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        {"api": api, "worker": worker, "stubborn": stubborn, "flaky": flaky}[sys.argv[1]]()
    else:
        main()
