"""Alembic's entry: runs the steps in the transaction that `adapters.store.migrate` has begun."""

from alembic import context

from adapters.store.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,  # SQLite can, now that BEGIN is ours
)
with context.begin_transaction():
    context.run_migrations()
