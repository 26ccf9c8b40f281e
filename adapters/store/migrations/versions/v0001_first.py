"""The first tables: entities, intents, timers, and the audit chain that is only ever added to."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TIME = sa.DateTime(timezone=True)

_SQLITE_APPEND_ONLY = (
    "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit chain is append-only'); END",
    "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit chain is append-only'); END",
)
_POSTGRESQL_APPEND_ONLY = (
    "CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'the audit chain is append-only'; END $$",
    "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()",
)


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "entity",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("id", sa.String(255), primary_key=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("incident", sa.String(255)),
        sa.Column("opened_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("over", sa.Boolean, nullable=False, quote=True),
    )
    op.create_index(
        "ix_entity_standing",
        "entity",
        ["kind", "id"],
        sqlite_where=sa.text('"over" = 0'),
        postgresql_where=sa.text('NOT "over"'),
    )
    op.create_index("ix_entity_incident", "entity", ["incident"])
    op.create_table(
        "intent",
        sa.Column("seq", _SEQ, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("event_id", sa.String(255), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("outcome", sa.String(32)),
        sa.Column("outcome_at", _TIME),
    )
    op.create_index("ix_intent_id", "intent", ["id"], unique=True)
    is_open = sa.text("outcome IS NULL")
    op.create_index("ix_intent_open", "intent", ["seq"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_table(
        "timer",
        sa.Column("entity", sa.String(16), primary_key=True),
        sa.Column("entity_id", sa.String(255), primary_key=True),
        sa.Column("what", sa.String(255), primary_key=True),
        sa.Column("due_at", _TIME, nullable=False),
    )
    op.create_table(
        "policy",
        sa.Column("seq", _SEQ, primary_key=True, autoincrement=True),
        sa.Column("loaded_at", _TIME, nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("seq", _SEQ, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("line", sa.Text, nullable=False),
        sa.Column("prev_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in _POSTGRESQL_APPEND_ONLY if postgresql else _SQLITE_APPEND_ONLY:
        op.execute(statement)


def downgrade() -> None:
    """Refuse: a journal does not forget."""
    raise NotImplementedError("the journal goes forward only; restore a backup")
