"""An index on what moved a team upwards, for the course of a board"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_submissions_improved",
        "submissions",
        ["challenge_id", "submitted_at", "id"],
        sqlite_where=sa.text("improved IS 1"),
        postgresql_where=sa.text("improved IS TRUE"),
    )


def downgrade() -> None:
    op.drop_index("ix_submissions_improved", table_name="submissions")
