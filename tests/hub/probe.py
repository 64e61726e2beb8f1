"""Everything a curious team could try from its notebook; run there, as the text of a cell.

``facts`` is what an attacker could know at best: every name, number and address (`test_probes`). Prints
the attempts that brought something to light.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

QUIET = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 5}


class Probe:
    def __init__(self, facts: dict[str, object]) -> None:
        self.facts = facts
        self.home = Path(str(facts["home"]))
        self.found: list[list[str]] = []

    def attempt(self, what: str, action: Callable[[], object]) -> None:
        try:
            result = action()
        except (OSError, ValueError, urllib.error.URLError, subprocess.SubprocessError):
            return
        if result:
            self.found.append([what, repr(result)[:300]])

    def files(self) -> None:
        mine = Path("~").expanduser()
        teams = self.home / "hub" / "teams"
        for folder in ("secrets", "store", "data", "log", "run", "queue"):
            self.attempt(f"list {folder}", lambda folder=folder: os.listdir(self.home / folder))
        for folder, allowed in ((self.home, "hub"), (self.home / "hub", "teams"), (teams, mine.name)):
            self.attempt(f"list {folder}", lambda f=folder, a=allowed: set(os.listdir(f)) - {a})
        for path in self.facts["files"]:
            if not Path(path).is_relative_to(mine):
                self.attempt(f"read {path}", lambda path=path: Path(path).read_bytes()[:1])
        self.attempt("change the programs", lambda: os.open(str(self.facts["package"]), os.O_WRONLY))

    def sockets(self) -> None:
        for path in self.facts["sockets"]:
            self.attempt(f"flush {path}", lambda path=path: self.flush(path))

    def flush(self, path: str) -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(path)
            connection.sendall(b"FLUSHALL\r\n")
            return connection.recv(100)

    def processes(self) -> None:
        own = {int(p.name) for p in Path("/proc").glob("[0-9]*") if p.stat().st_uid == os.getuid()}
        for number in set(self.facts["processes"]) - own:  # numbers of our own namespace are ours
            self.attempt(f"signal {number}", lambda number=number: os.kill(number, 0) or True)
            for inside in ("environ", "mem", f"root{self.home}/secrets/secret_key"):
                path = Path(f"/proc/{number}/{inside}")
                self.attempt(f"read {path}", lambda path=path: path.open("rb"))

    def addresses(self) -> None:
        token = os.environ["JUPYTERHUB_API_TOKEN"]
        for address in self.facts["closed"]:
            self.attempt(address, lambda address=address: urllib.request.urlopen(address, timeout=5).status)
        for scheme, addresses in (("token", self.facts["of_hub"]), ("Bearer", self.facts["of_service"])):
            for address in addresses:
                request = urllib.request.Request(address, headers={"Authorization": f"{scheme} {token}"})
                self.attempt(
                    address, lambda request=request: urllib.request.urlopen(request, timeout=5).read()
                )

    def rights(self) -> None:
        look = f"umount {self.home} && ls {self.home}/secrets"
        self.attempt("become root", lambda: os.setuid(0) or True)
        self.attempt("su", lambda: subprocess.run(["su", "-c", "id"], **QUIET).returncode == 0)
        self.attempt("uncover", lambda: subprocess.run(["unshare", "-rm", "sh", "-c", look], **QUIET).stdout)


def probe(facts: dict[str, object]) -> None:
    found = Probe(facts)
    for part in (found.files, found.sockets, found.processes, found.addresses, found.rights):
        part()
    print("FOUND", json.dumps(found.found))
