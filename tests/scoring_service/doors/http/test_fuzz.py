"""Schemathesis on every route, on both databases: whatever comes, there is no fault of ours."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error

from scoring_service.doors.http.app import create_app
from tests.scoring_service.doors.http.conftest import BRISK, Live, running
from tests.scoring_service.world import World

ROUNDS = settings(
    max_examples=4,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
LEFT_OUT = {"/v1/stream", "/admin/teams/csv", "/admin/teams"}
"""One never ends, the others hash passwords for minutes; test_bad_input.py and test_stream.py have them."""


# Hypothesis watches for random numbers in its strategies, and sees those of the server's own threads.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
@pytest.mark.parametrize("role", ["team", "organiser"])
def test_no_request_makes_the_service_fail(world: World, role: str) -> None:
    app = create_app(world.services, rhythm=BRISK)
    with running(app) as (server, port):
        live = Live(world, app, server, port)
        world.team() if role == "team" else world.organiser("team_awesome")
        headers = live.login("team_awesome")
        schema = schemathesis.openapi.from_url(f"{live.url}/openapi.json")
        operations = [result.ok() for result in schema.get_all_operations()]
        chosen = [operation for operation in operations if operation.path not in LEFT_OUT]
        assert len(chosen) > 20
        for operation in chosen:
            for mode in GenerationMode.POSITIVE, GenerationMode.NEGATIVE:
                cases = operation.as_strategy(generation_mode=mode)
                with contextlib.suppress(Unsatisfiable):  # some routes take nothing that could be wrong
                    given(case=cases)(ROUNDS(_one_call(headers)))()


def _one_call(headers: dict[str, str]) -> Callable[..., None]:
    def call(case: schemathesis.Case) -> None:
        case.query.pop("wait", None)
        if case.path.startswith("/submit/{challenge}"):
            case.query["wait"] = 0  # nobody works here, so nobody waits for a score

        case.call_and_validate(headers=headers, checks=[not_a_server_error], timeout=30)

    return call
