"""Options of a submission, samples of an evaluation, metrics of a standing.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COLUMNS = (("submissions", "options"), ("evaluations", "samples"), ("standings", "metrics"))


def upgrade() -> None:
    for table, column in COLUMNS:
        op.add_column(table, sa.Column(column, sa.JSON(), server_default=sa.text("'{}'"), nullable=False))


def downgrade() -> None:
    for table, column in COLUMNS:
        # Not in a batch: SQLite would copy the table and drop the one that others refer to.
        op.drop_column(table, column)
