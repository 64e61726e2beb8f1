"""What the start of many teams' servers costs: all of them at once, on one machine.

Starts ``goat-server up`` with its hub in a temporary home, makes the teams, starts the server of one more
team alone, and then lets all the others ask for theirs at the same moment. Then: seconds until the last one
answers, CPU seconds and memory per server, and whether any failed. As root every server runs as a user of
its own.

    python benchmarks/servers.py [SERVERS]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import Report
from tests.hub.site import PASSWORDS, Site, start
from tests.hub.visitor import Visitor


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    report = Report("servers")
    with tempfile.TemporaryDirectory(prefix="goat-bench-") as folder:
        site = start(Path(folder).resolve())
        try:
            first, *visitors = [_team(site, number) for number in range(count + 1)]
            alone = first.start_server()
            before = _cpu(site)
            began = time.monotonic()
            with ThreadPoolExecutor(count) as pool:
                seconds = list(pool.map(_start, visitors))
            together = time.monotonic() - began
            failed = sum(second is None for second in seconds)
            servers = [psutil.Process(pid) for pid in site.processes_of_teams()]
            cpu = (_cpu(site) - before) / count
            memory = statistics.median(process.memory_full_info().uss for process in servers) / 1e6
            answered = [second for second in seconds if second is not None]
            report.add("one server alone", alone, unit="s")
            report.add(f"{count} at once: failed", failed, at_most=0)
            report.add(f"{count} at once: the last one answers", together, unit="s")
            report.add("half of them answer", statistics.median(answered), unit="s")
            report.add("processor time per server", cpu, unit="s")
            report.add("memory of its own per server", memory, unit="MB")
        finally:
            site.close()
    return 0 if report.finish() else 1


def _team(site: Site, number: int) -> Visitor:
    name = f"team-{number:02d}"
    PASSWORDS[name] = "a benchmark's word"
    reply = site.admin("POST", "/admin/teams", json={"name": name, "password": PASSWORDS[name]})
    assert reply.status_code == 201, reply.text
    return site.visitor(name)


def _start(visitor: Visitor) -> float | None:
    try:
        return visitor.start_server()
    except (AssertionError, OSError) as error:
        print(f"{visitor.name}: {error}", file=sys.stderr)
        return None


def _cpu(site: Site) -> float:
    """Processor seconds of the hub, its proxy and all teams' servers so far."""
    found = [*site.processes_of_teams(), site.up.running("hub"), site.up.running("proxy")]
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in found)


if __name__ == "__main__":
    sys.exit(main())
