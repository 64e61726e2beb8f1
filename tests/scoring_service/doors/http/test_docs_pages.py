"""The docs pages work without the internet, and every route shows what it takes and gives."""

from __future__ import annotations

import re

import pytest

from tests.scoring_service.doors.http.conftest import Site

FETCHES = re.compile(r"""(?:src|href)\s*=\s*["']([^"']+)|url\(([^)]+)\)|["']((?:https?:)?//[^"']+)["']""")


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_a_page_and_all_that_it_loads_come_from_here(site: Site, page: str) -> None:
    reply = site.http.get(page)
    assert reply.status_code == 200
    addresses = [next(filter(None, found)) for found in FETCHES.findall(reply.text)]
    assert any(address.endswith(".js") for address in addresses)
    for address in addresses:
        assert address.startswith("/"), address
        assert not address.startswith("//"), address
        assert site.http.get(address).status_code == 200, address
    # And what a script would fetch from elsewhere, the browser does not.
    policy = reply.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy


def test_every_route_shows_an_example_of_what_it_gives(site: Site) -> None:
    paths = site.http.get("/openapi.json").json()["paths"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            good = [reply for code, reply in operation["responses"].items() if code.startswith("2")]
            assert good, (method, path)
            shown = [c for reply in good for c in reply.get("content", {}).values() if "example" in c]
            assert shown or "204" in operation["responses"], (method, path)
            assert operation["description"], (method, path)


def test_every_body_shows_an_example(site: Site) -> None:
    document = site.http.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for media, content in operation.get("requestBody", {}).get("content", {}).items():
                schema = content["schema"]
                if "$ref" in schema:
                    schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
                shown = content.get("example") or schema.get("examples") or schema.get("format") == "binary"
                assert shown, (method, path, media)


def test_error_replies_are_described_as_problems(site: Site) -> None:
    paths = site.http.get("/openapi.json").json()["paths"]
    faults = paths["/v1/challenges/{challenge}/submissions"]["post"]["responses"]
    assert {"400", "401", "403", "404", "409", "413", "422", "429", "507"} <= faults.keys()
    for code in ("413", "507"):
        assert "application/problem+json" in faults[code]["content"]
