"""How the schema came to be, one script per step; run by Alembic."""
