"""The tables, as SQLAlchemy Core sees them. `migrations/` makes them; a test holds the two together.

An entity's row outlives the core's interest in it (`over`): retention is the one that deletes, not the journal.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    false,
    text,
)


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time. SQLite keeps no zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware time into UTC.

        Raises:
            ValueError: the time is naive.
        """
        del dialect
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without a zone", value)
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return an aware time."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite counts rows by itself only in a column that is called INTEGER.
_SEQ = BigInteger().with_variant(Integer, "sqlite")

HEAD = "0003"
"""The latest step in `migrations/`."""

METADATA = MetaData()

ENTITY = Table(
    "entity",
    METADATA,
    Column("kind", String(16), primary_key=True),
    Column("id", String(255), primary_key=True),
    Column("state", String(32), nullable=False),
    Column("body", JSON, nullable=False),
    Column("incident", String(255)),
    Column("opened_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("over", Boolean, nullable=False, quote=True),
    Index("ix_entity_standing", "kind", "id", sqlite_where=text('"over" = 0')),
    Index("ix_entity_incident", "incident"),
)

INTENT = Table(
    "intent",
    METADATA,
    Column("seq", _SEQ, primary_key=True, autoincrement=True),
    Column("id", String(255), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("body", JSON, nullable=False),
    Column("event_id", String(255), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("outcome", String(32)),
    Column("outcome_at", UtcTime),
    Index("ix_intent_id", "id", unique=True),
    Index("ix_intent_open", "seq", sqlite_where=text("outcome IS NULL")),
)

TIMER = Table(
    "timer",
    METADATA,
    Column("entity", String(16), primary_key=True),
    Column("entity_id", String(255), primary_key=True),
    Column("what", String(255), primary_key=True),
    Column("due_at", UtcTime, nullable=False),
    Column("urgent", Boolean, nullable=False, server_default=false()),  # of a call, or of an acute page: fires first
)

LEASE = Table(
    "lease",
    METADATA,
    Column("name", String(16), primary_key=True),
    Column("epoch", BigInteger, nullable=False),  # one more with each holder
    Column("host", String(255), nullable=False),  # for people
    Column("machine", String(255), nullable=False),  # where process numbers mean the same; "" once it was given back
    Column("pid", Integer, nullable=False),
    Column("born", BigInteger, nullable=False),  # when the process began, since numbers are used again
    Column("since", UtcTime, nullable=False),
    Column("renewed_at", UtcTime, nullable=False),
)

POLICY = Table(
    "policy",
    METADATA,
    Column("seq", _SEQ, primary_key=True, autoincrement=True),
    Column("loaded_at", UtcTime, nullable=False),
    Column("version", String(64), nullable=False),
    Column("body", JSON, nullable=False),
)

AUDIT = Table(
    "audit",
    METADATA,
    Column("seq", _SEQ, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),  # the very text that the line holds
    Column("line", Text, nullable=False),  # text, not JSON: the hash is over its bytes
    Column("prev_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

ACCOUNT = Table(
    "account",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("shown", String(200), nullable=False),
    Column("password_hash", String(255), nullable=False),  # argon2's own form; "" for none
    Column("roles", JSON, nullable=False),
    Column("agent", String(64), nullable=False),
    Column("person", String(64), nullable=False),
    Column("language", String(2), nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("issuer", String(255)),
    Column("subject", String(255)),
    Column("created_at", UtcTime, nullable=False),
    Index("ix_account_subject", "issuer", "subject", unique=True),
)

SESSION = Table(
    "session",
    METADATA,
    Column("id", String(64), primary_key=True),  # SHA-256 of the cookie's token
    Column("account", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("csrf", String(64), nullable=False),
    Column("how", String(16), nullable=False),
    Column("address", String(64), nullable=False),
    Column("browser", String(200), nullable=False),
)

PHONE_TOKEN = Table(
    "phone_token",
    METADATA,
    Column("sha256", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("name", String(200), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("revoked_at", UtcTime),
)

INVITATION = Table(
    "invitation",
    METADATA,
    Column("sha256", String(64), primary_key=True),
    Column("account", String(64), nullable=False),  # "" for the first admin, whose name is not known yet
    Column("expires_at", UtcTime, nullable=False),
)
