"""Reads the audit chain of a store, beside a running service: a snapshot, that blocks nobody and writes nothing."""

from collections.abc import Iterator

from sqlalchemy import Connection, select

from adapters.store.chain import EMPTY, Head, Link, Verified, check
from adapters.store.database import open_engine, store_errors
from adapters.store.schema import AUDIT

_AT_ONCE = 1000  # lines in memory at a time


def verify(url: str, expected_head: Head | None = None) -> Verified:
    """Check every line of the audit chain.

    Args:
        url: the store.
        expected_head: a head that was published earlier; without it a cut-off end cannot be seen.

    Raises:
        StoreError: the store cannot be read.
    """
    engine = open_engine(url, writes=False)
    try:
        with store_errors("verifying the audit chain"), engine.begin() as connection:
            return check(_links(connection), expected_head)
    finally:
        engine.dispose()


def head(url: str) -> Head:
    """Return the end of the chain as the store has it.

    Raises:
        StoreError: the store cannot be read.
    """
    engine = open_engine(url, writes=False)
    try:
        with store_errors("reading the audit chain"), engine.begin() as connection:
            return read_head(connection)
    finally:
        engine.dispose()


def read_head(connection: Connection) -> Head:
    """Return the end of the chain."""
    row = connection.execute(select(AUDIT.c.seq, AUDIT.c.hash).order_by(AUDIT.c.seq.desc()).limit(1)).first()
    return EMPTY if row is None else Head(row.seq, row.hash)


def _links(connection: Connection) -> Iterator[Link]:
    rows = connection.execution_options(yield_per=_AT_ONCE).execute(select(AUDIT).order_by(AUDIT.c.seq))
    for row in rows:
        yield Link(row.seq, row.at, row.line, row.prev_hash, row.hash)
