"""The hub as people meet it: log in, work without a password, make mistakes, look after it."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.hub.site import ADMIN, PASSWORDS, TEAM_A, TEAM_B, Site, switch, wait_for_hub
from tests.hub.test_probes import commands_of
from tests.hub.visitor import NAVIGATION, Kernel, Visitor
from tests.scoring_service.supervise.processes import wait_for

pytestmark = pytest.mark.timeout(300)


def test_a_notebook_knows_its_team_without_a_password(kernel_a: Kernel, kernel_b: Kernel) -> None:
    # The library and the command line, in the servers of two teams at once
    for kernel, name in ((kernel_a, "team_awesome"), (kernel_b, "Team-B")):
        assert kernel.run("import goat; print(goat.whoami().team_name)").strip() == name
        assert f"{name}, team {name}" in kernel.run("!goat whoami")
    # No secret but the hub's own is in the environment
    said = kernel_a.run("import os; print(sorted(n for n in os.environ if 'PASS' in n or 'SECRET' in n))")
    assert said.strip() == "[]"


def test_from_data_to_the_board_in_a_notebook(kernel_b: Kernel) -> None:
    said = kernel_b.run(
        "import subprocess\n"
        "for line in ('goat data', 'goat baseline answers', 'goat submit answers'):\n"
        "    done = subprocess.run(line.split(), capture_output=True, text=True)\n"
        "    assert done.returncode == 0, (line, done.stdout, done.stderr)\n"
        "import goat; print(list(goat.leaderboard('task1').frame['team_name']))"
    )
    assert "Team-B" in said, said


def test_starters_are_there_and_a_teams_work_is_never_overwritten(site: Site, team_a: Visitor) -> None:
    # Given a server that found starters, one of which the team changed and another it threw away
    folder = site.up.home / "hub/teams/team_awesome/notebooks"
    assert (folder / "more" / "notes.md").read_text() == "starter"
    (folder / "more" / "notes.md").write_text("our own thoughts")
    (folder / "01_first.ipynb").unlink()

    # When the server is started again
    assert team_a.api("DELETE", "/users/team_awesome/server").status_code in (202, 204)
    wait_for(lambda: not team_a.api("GET", "/users/team_awesome").json()["servers"], "the server's end")
    team_a.start_server()

    # Then what was thrown away is back, and the team's own is as it was
    assert (folder / "more" / "notes.md").read_text() == "our own thoughts"
    assert (folder / "01_first.ipynb").exists()


def test_a_server_that_cannot_start_says_why_at_once_and_its_team_can_repair_it(
    site: Site, team_b: Visitor
) -> None:
    # Given a team whose own configuration ends the server while it starts
    folder = site.up.home / "hub/teams/team-b"
    kernel = team_b.kernel()
    kernel.run(
        "import os, pathlib; own = pathlib.Path.home() / '.jupyter'; own.mkdir(exist_ok=True)\n"
        "file = own / 'jupyter_server_config.py'\n"
        "file.write_text('print(\"our own trick\", flush=True); raise SystemExit(3)')"
    )
    kernel.close()
    assert team_b.api("DELETE", "/users/team-b/server").status_code in (202, 204)
    wait_for(lambda: not team_b.api("GET", "/users/team-b").json()["servers"], "the server's end")

    # When it is started, then its team reads why, and what helps, long before the hub would give up
    reply = team_b.api("POST", "/users/team-b/server")
    if reply.status_code == 202:  # a slow machine: the hub goes on in the background
        wait_for(lambda: not team_b.api("GET", "/users/team-b").json()["servers"], "the end of the start")
    else:
        assert reply.status_code == 400, reply.text
        message = reply.json()["message"]
        assert message.startswith("The server of team-b ended while it started. Start it once more")
        assert message.endswith("our own trick")

    # And started once more it leaves that configuration out, so that it can be repaired
    team_b.start_server()
    kernel = team_b.kernel()
    kernel.run("import pathlib; (pathlib.Path.home() / '.jupyter/jupyter_server_config.py').unlink()")
    kernel.close()
    assert not (folder / ".jupyter/jupyter_server_config.py").exists()


def test_a_file_that_is_called_like_a_module_keeps_no_server_from_starting(team_b: Visitor) -> None:
    # Given a team that calls its own files what Python calls some of its modules
    names = "('random', 'token', 'tornado', 'goat')"
    kernel = team_b.kernel()
    made = f"import os, pathlib; files = [pathlib.Path.home() / f'{{name}}.py' for name in {names}]\n"
    kernel.run(f"{made}[file.write_text('raise SystemExit(4)') for file in files]")
    kernel.close()
    assert team_b.api("DELETE", "/users/team-b/server").status_code in (202, 204)
    wait_for(lambda: not team_b.api("GET", "/users/team-b").json()["servers"], "the server's end")

    # Then the server starts, and a notebook in another folder works
    team_b.start_server()
    reply = team_b.server("POST", "/api/kernels", json={"name": "python3", "path": "notebooks"})
    kernel = Kernel(team_b, reply.json()["id"])
    assert kernel.run("import goat; print(goat.whoami().team_name)").strip() == "Team-B"
    kernel.run(f"{made}[file.unlink() for file in files]")
    kernel.close()


@pytest.mark.parametrize(("name", "password"), [(TEAM_A, "wrong"), ("nobody", "wrong"), ("../x", "wrong")])
def test_a_wrong_login_is_a_sentence(site: Site, name: str, password: str) -> None:
    reply = site.stranger().log_in(name, password)
    assert reply.status_code == 403
    assert "Invalid username or password" in reply.text


def test_a_banned_team_is_told_and_its_notebook_too(site: Site, kernel_b: Kernel) -> None:
    site.admin("PUT", f"/admin/teams/{TEAM_B}/banned", json={"banned": True})
    try:
        reply = site.stranger().log_in(TEAM_B, PASSWORDS[TEAM_B])
        assert reply.status_code == 403
        assert "is banned from this event" in reply.text
        # An open notebook is refused by what the database says now
        said = kernel_b.run("from goat.client import Client; print(Client().me().banned)")
        assert said.strip() == "True"
    finally:
        site.admin("PUT", f"/admin/teams/{TEAM_B}/banned", json={"banned": False})


def test_the_organisers_page_is_for_organisers(site: Site, team_a: Visitor) -> None:
    # Given an organiser, who lands in the hub and not in a notebook, and finds the page there
    organiser = site.visitor(ADMIN)
    assert organiser.http.get("/", headers=NAVIGATION).url.path == "/hub/home"
    assert not organiser.api("GET", "/user").json()["servers"]
    assert organiser.api("GET", "/user").json()["admin"] is True
    for page in ("/hub/home", "/hub/admin"):
        assert 'href="/services/goat/"' in organiser.http.get(page).text

    # Then it shows who is online, queue, submissions and both boards, and loads nothing from elsewhere
    reply = organiser.http.get("/services/goat/")
    assert reply.status_code == 200
    for text in ("servers online", "team_awesome", "workers alive", "Last submissions", "Public", "Private"):
        assert text in reply.text
    assert "http://" not in reply.text
    assert "https://" not in reply.text
    assert "<script" not in reply.text
    assert "default-src 'none'" in reply.headers["content-security-policy"]

    # A team has no link, and a sentence in its place
    assert 'href="/services/goat/"' not in team_a.http.get("/hub/home").text
    reply = team_a.http.get("/services/goat/")
    assert reply.status_code == 403
    assert "Only organisers may do this." in reply.text

    # And a stranger is sent to the login page, a forged answer of the hub away
    assert "/hub/login" in str(site.stranger().http.get("/services/goat/").url)
    forged = site.stranger().http.get("/services/goat/oauth_callback?code=x&state=y")
    assert forged.status_code == 401


def test_a_hub_that_dies_takes_no_notebook_with_it(site: Site, kernel_a: Kernel, team_a: Visitor) -> None:
    # Given a notebook with something in its memory
    kernel_a.run("answer = 42")

    # When the hub is killed
    before = site.up.running("hub")
    os.kill(before, signal.SIGKILL)

    # Then the open notebook works on, and the next hub finds its server
    assert kernel_a.run("print(answer)").strip() == "42"
    wait_for(lambda: site.up.pid_of("hub") not in (0, before), "a new hub")
    wait_for_hub(site)
    assert team_a.api("GET", "/users/team_awesome").json()["servers"][""]["ready"]
    assert kernel_a.run("print(answer)").strip() == "42"


@pytest.mark.skipif(os.geteuid() != 0, reason="users of their own need root; test_watch has the rest")
def test_a_hub_that_dies_while_a_server_starts_leaves_no_second_one(site: Site, team_b: Visitor) -> None:
    # Given a server that is being started
    number = json.loads((site.up.home / "hub/uids.json").read_text())["team-b"]
    assert team_b.api("DELETE", "/users/team-b/server").status_code in (202, 204)
    wait_for(lambda: not commands_of(number), "the end of everything that the team ran")
    with ThreadPoolExecutor(1) as other:
        # The hub dies with the call in its hands
        asked = other.submit(lambda: team_b.api("POST", "/users/team-b/server"))
        wait_for(lambda: commands_of(number), "the server's first process")
        before = site.up.running("hub")
        os.kill(before, signal.SIGKILL)
        asked.exception()
    wait_for(lambda: site.up.pid_of("hub") not in (0, before), "a new hub")
    wait_for_hub(site)

    # When the team starts its server once more, then it has one
    team_b.start_server()
    assert sum(command[-1] == "jupyterhub.singleuser" for command in commands_of(number)) == 1
    assert team_b.server("GET", "/api/kernels").status_code == 200


def test_a_silent_service_is_a_sentence_on_the_login_page_and_on_its_own(site: Site) -> None:
    organiser = site.visitor(ADMIN)
    switch(site, "api", on=False)
    try:
        page = organiser.http.get("/services/goat/")
        assert page.status_code == 503
        assert "If this is the scoring page: the service is starting, or has stopped." in page.text
        reply = site.stranger().log_in(TEAM_A, PASSWORDS[TEAM_A])
        assert reply.status_code == 503
        assert "The scoring service does not answer" in reply.text
    finally:
        switch(site, "api", on=True)
