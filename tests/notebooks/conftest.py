"""Notebooks use the services as they are wired for their own tests."""

from __future__ import annotations

from tests.scoring_service.conftest import (  # noqa: F401  # fixtures
    cheap_password_hashes,
    sqlite_services,
    sqlite_template,
    sqlite_url,
)
