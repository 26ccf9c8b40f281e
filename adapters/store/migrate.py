"""Brings a store up to date, at start. The steps are in `migrations/`; they go forward only.

Alembic is imported only when there is something to do: a restart is to be quick, and most starts find nothing.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select

from adapters.store.database import make_private, open_engine, store_errors
from adapters.store.errors import StoreNewerError
from adapters.store.schema import HEAD, LEASE

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).with_name("migrations")

_VERSION = Table("alembic_version", MetaData(), Column("version_num", String(32)))  # Alembic's own


def upgrade(url: str) -> None:
    """Make the tables, or bring them up to date: all of it, or nothing.

    Raises:
        StoreNewerError: a later version has written this store.
        StoreError: it cannot be opened or written.
    """
    engine = open_engine(url)
    make_private(engine)
    try:
        with store_errors("bringing the store up to date"), engine.begin() as connection:
            if _version(connection) != HEAD:
                _step_forward(connection)
    finally:
        engine.dispose()


def has_lease(url: str) -> bool:
    """Tell whether the store knows of leases, so that it can be asked whose it is.

    Raises:
        StoreNewerError: a later version has written this store.
        StoreError: it cannot be opened.
    """
    engine = open_engine(url)
    make_private(engine)
    try:
        with store_errors("looking at the store"), engine.begin() as connection:
            if (version := _version(connection) or "") > HEAD:
                raise StoreNewerError("looking at the store", f"its version is {version}")
            return inspect(connection).has_table(LEASE.name)
    finally:
        engine.dispose()


def config(connection: Connection) -> "Config":
    """Return Alembic's configuration for work on `connection`, in the transaction that it is in."""
    from alembic.config import Config  # noqa: PLC0415 -- see above

    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSION.name):
        return None
    version: str | None = connection.scalar(select(_VERSION.c.version_num))
    return version


def _step_forward(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 -- see above
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells each step at INFO
    version = _version(connection)
    known = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    if version is not None and version not in known:
        raise StoreNewerError("bringing the store up to date", f"its version is {version}")
    command.upgrade(config(connection), "head")
