"""Counts of what is shown and of what was retired, kept with every write."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

RETIRED = "SELECT 'retired', count(*) FROM products WHERE retired = {true}"
PICTURES = (
    "SELECT 'picture', count(*) FROM pictures JOIN products ON products.id = pictures.product_id"
    " WHERE products.retired = {false}"
)


def upgrade() -> None:
    """Count once; from here on writers keep the numbers."""
    on_postgres = op.get_bind().dialect.name == "postgresql"
    truth = {"true": "true", "false": "false"} if on_postgres else {"true": "1", "false": "0"}
    for counted in (RETIRED, PICTURES):
        op.execute(sa.text(f"INSERT INTO counters (name, value) {counted.format(**truth)}"))


def downgrade() -> None:
    """Forget them."""
    op.execute(sa.text("DELETE FROM counters WHERE name IN ('retired', 'picture')"))
