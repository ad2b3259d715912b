"""Alembic's entrance: run the migrations on the connection that `upgrade` brings."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, transaction_per_migration=False, render_as_batch=True)
context.run_migrations()
