"""The one place that knows which database it is: how it is opened, what an upsert is called, what its errors mean.

SQLAlchemy's own way with SQLite begins a transaction at the first write, so that a transaction which reads before it
writes loses updates (51 of 400 in a trial). Here the driver's transactions are off and BEGIN IMMEDIATE is ours.
"""

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import ClauseElement, Connection, Engine, Insert, NullPool, Table, create_engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError, StatementError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from adapters.store.errors import (
    EntryRefusedError,
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    StoreReadOnlyError,
    StoreUnavailableError,
)

BUSY_S = 5.0
"""How long SQLite waits for another process's lock before it gives up."""

Driver = sqlite3.Connection
_AGAIN_S = 0.02
_PRIMARY = 0xFF  # SQLite's extended result codes keep the primary one in the low byte
_MEANS: Mapping[int, type[StoreError]] = {
    sqlite3.SQLITE_FULL: StoreFullError,
    sqlite3.SQLITE_BUSY: StoreLockedError,
    sqlite3.SQLITE_LOCKED: StoreLockedError,
    sqlite3.SQLITE_READONLY: StoreReadOnlyError,
    sqlite3.SQLITE_CORRUPT: StoreCorruptError,
    sqlite3.SQLITE_NOTADB: StoreCorruptError,
    sqlite3.SQLITE_CANTOPEN: StoreUnavailableError,
    sqlite3.SQLITE_PERM: StoreUnavailableError,
    sqlite3.SQLITE_IOERR: StoreUnavailableError,
}
# A full disk may first show where SQLite grows its shared-memory file.
_FULL_TOO = frozenset({sqlite3.SQLITE_IOERR_SHMSIZE})


def open_engine(url: str, *, writes: bool = True, busy_s: float = BUSY_S) -> Engine:
    """Return an engine; connects at first use.

    Args:
        url: as SQLAlchemy writes them, `sqlite:////var/lib/bagvagt/journal.db`.
        writes: False reads a consistent snapshot beside a running writer, and can write nothing.
        busy_s: see `BUSY_S`.

    Raises:
        StoreUnavailableError: the address is none, or is not a file.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
            raise StoreUnavailableError("opening the store", "a journal in memory would not outlive the service")
        if not writes and parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).exists():
            raise StoreUnavailableError("opening the store", f"there is no file {parsed.database}")
        pool = QueuePool if writes else NullPool
        engine = create_engine(parsed, poolclass=pool)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise StoreUnavailableError("opening the store", str(error)) from error
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, writes=writes, busy_s=busy_s)
    return engine


def make_private(engine: Engine) -> None:
    """Make a new SQLite file readable by its owner alone (SQLite gives its side files the same mode).

    Raises:
        StoreUnavailableError: the folder is missing, or may not be written.
    """
    file = engine.url.database
    if engine.dialect.name != "sqlite" or not file or os.path.lexists(file):
        return
    try:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreUnavailableError("creating the store", str(error)) from error


def _prepare_sqlite(engine: Engine, *, writes: bool, busy_s: float) -> None:
    @event.listens_for(engine, "connect")
    def connected(driver: Driver, _record: ConnectionPoolEntry) -> None:
        driver.isolation_level = None  # the driver begins nothing by itself
        driver.execute(f"PRAGMA busy_timeout = {int(busy_s * 1000)}")  # first: the next one may meet a lock
        if not writes:
            driver.execute("PRAGMA query_only = ON")
            return
        _use_wal(driver, busy_s)
        driver.execute("PRAGMA synchronous = FULL")
        driver.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _use_wal(driver: Driver, busy_s: float) -> None:
    """Switch to WAL. For this SQLite does not wait for a lock by itself, whatever its busy time-out."""
    until = time.monotonic() + busy_s
    while True:
        try:
            (mode,) = driver.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_AGAIN_S)
            continue
        if mode != "wal":
            raise StoreUnavailableError("opening the store", f"this file system allows no WAL, only {mode}")
        return


def upsert(table: Table, keep: str = "") -> Insert:
    """Return the statement that inserts a row, or changes the one that stands, except for the column `keep`."""
    made = sqlite.insert(table)
    changed = {c.name: made.excluded[c.name] for c in table.columns if not c.primary_key and c.name != keep}
    return made.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=changed)


class Prepared:
    """A statement that SQLAlchemy writes once, and the driver alone runs from then on.

    Every key waits for its commit, and SQLAlchemy's way to a statement takes five times as long as SQLite's to run it.

    Args:
        statement: of SQLAlchemy's kind.
        names: of the values that a row brings; none for a question.
    """

    def __init__(self, statement: ClauseElement, *names: str) -> None:
        dialect = sqlite.dialect()
        made = statement.compile(dialect=dialect, column_keys=list(names), compile_kwargs={"render_postcompile": True})
        order = made.positiontup or []  # type: ignore[attr-defined]  # SQL, since the statement is
        types = {name: bind.type for name, bind in made.binds.items()}  # type: ignore[attr-defined]
        self._sql = str(made)
        self._take = [(n, types[n].dialect_impl(dialect).bind_processor(dialect)) for n in order]
        self._fixed = made.params

    def run(self, driver: Driver, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run it for each row, in the transaction that has begun.

        Raises:
            EntryRefusedError: a value does not fit its column.
            sqlite3.Error: the store fails; `store_errors` translates it.
        """
        try:
            bound = [[turn(row[name]) if turn else row[name] for name, turn in self._take] for row in rows]
        except (TypeError, ValueError) as error:
            raise EntryRefusedError("writing to the store", str(error)) from error
        driver.executemany(self._sql, bound)

    def ask(self, driver: Driver) -> list[Any]:
        """Return what it finds, as tuples of what the driver knows."""
        return driver.execute(self._sql, [self._fixed[name] for name, _ in self._take]).fetchall()


def driver_of(connection: Connection) -> Driver:
    """Return the driver's own connection beneath SQLAlchemy's."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, Driver):
        raise StoreUnavailableError(
            "opening the store", f"no way past SQLAlchemy is known for {connection.dialect.name}"
        )
    return driver


@contextmanager
def transaction(driver: Driver) -> Iterator[None]:
    """Do it all, or nothing."""
    driver.execute("BEGIN IMMEDIATE")
    try:
        yield
        driver.execute("COMMIT")
    finally:
        if driver.in_transaction:
            driver.execute("ROLLBACK")


@contextmanager
def store_errors(doing: str) -> Iterator[None]:
    """Say in our own types what the database says inside.

    Raises:
        StoreError: the kind that fits.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise _translated(error, doing) from error


def _translated(error: Exception, doing: str) -> StoreError:
    said = error.orig if isinstance(error, StatementError) and error.orig is not None else error
    code = getattr(said, "sqlite_errorcode", 0)
    if code in _FULL_TOO:
        return StoreFullError(doing, str(said))
    means = _MEANS.get(code & _PRIMARY)
    if means is None:
        refused = isinstance(error, (IntegrityError, sqlite3.IntegrityError)) or not isinstance(
            said, (SQLAlchemyError, sqlite3.Error)
        )
        means = EntryRefusedError if refused else StoreError
    return means(doing, str(said))
