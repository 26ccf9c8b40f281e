"""The thread that alone writes to the store, and commits in groups (docs/adr/0002-journal-thread.md).

What comes in while a transaction is under way goes together into the next one, in order. When a group fails, each of
its entries is tried alone, so that only the one at fault fails. An error goes to whoever waits; the thread lives on.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, not_, select

from adapters.store.audit import END_OF_CHAIN
from adapters.store.batch import Batch, Key, Rows
from adapters.store.chain import EMPTY, Head
from adapters.store.database import Driver, Prepared, driver_of, store_errors, transaction
from adapters.store.errors import (
    StoreClosedError,
    StoreCorruptError,
    StoreError,
    StoreFencedError,
    StoreLockedError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from adapters.store.lease import Lease
from adapters.store.schema import ENTITY

T = TypeVar("T")

_MOST_AT_ONCE = 500  # entries in one transaction
# These concern the store, not an entry: trying each alone would only wait once more for every one.
_NOT_ONE_ENTRY = (StoreFencedError, StoreLockedError, StoreReadOnlyError, StoreCorruptError, StoreUnavailableError)
_STANDING = Prepared(select(ENTITY.c.kind, ENTITY.c.id, ENTITY.c.state).where(not_(ENTITY.c.over)))
_END = Prepared(END_OF_CHAIN)
# What is told to the loop when a write is over: the end of the chain, or what went wrong.
Settle = Callable[[Head | Exception], None]


@dataclass(frozen=True, slots=True)
class _Write:
    rows: Rows
    settle: Settle


@dataclass(frozen=True, slots=True)
class _Read:
    ask: Callable[[Connection], Any]
    future: "asyncio.Future[Any]"


@dataclass(slots=True)
class _Seen:
    """The store as this thread knows it; read anew after every error."""

    head: Head
    states: dict[Key, str]


class Writer:
    """Owns the engine's one connection; talks to one event loop.

    Attributes:
        lease: set once it is taken; from then on every transaction looks at it.
        fenced: done when another process has taken the lease.
    """

    def __init__(self, engine: Engine, loop: asyncio.AbstractEventLoop) -> None:
        self.lease: Lease | None = None
        self.fenced: asyncio.Future[StoreFencedError] = loop.create_future()
        self._engine = engine
        self._loop = loop
        self._jobs: SimpleQueue[_Write | _Read | None] = SimpleQueue()
        self._seen: _Seen | None = None
        self._connection: Connection | None = None
        self._closed = False
        self._thread = Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def write(self, rows: Rows, settle: Settle) -> None:
        """Queue one entry; `settle` is called in the loop, in the order of the writes, once it is durable or failed.

        Raises:
            StoreClosedError: the thread has ended.
        """
        self._check_open()
        self._jobs.put(_Write(rows, settle))

    async def read(self, ask: Callable[[Connection], T]) -> T:
        """Ask the store something in a transaction, after all that was queued before.

        Raises:
            StoreError: it does not answer.
        """
        self._check_open()
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Read(ask, future))
        return await future

    async def close(self) -> None:
        """Write what is queued, and end the thread."""
        self._closed = True
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosedError("using the journal")

    # --- in the thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        going_on = True
        try:
            while going_on:
                jobs = self._take()
                going_on = None not in jobs
                self._do(jobs)
                if self.lease is not None and not self.lease.due_in_s:
                    self._with_lease("renewing the lease", self.lease.check)
                    self.lease.put_off()
            if self.lease is not None:
                self._with_lease("giving the lease back", self.lease.give_back)
        finally:
            self._closed = True  # whatever ended the thread: who comes now is told, and does not wait for ever
            if self._connection is not None:
                self._connection.close()
            self._engine.dispose()

    def _with_lease(self, doing: str, do: Callable[[Driver], None]) -> None:
        try:
            with store_errors(doing):
                driver = driver_of(self._own())
                with transaction(driver):
                    do(driver)
        except StoreFencedError as error:
            self._lost(error)
        except StoreError:
            return  # it is tried again; whoever has something to write learns of a store that fails

    def _check(self, driver: Driver) -> None:
        if self.lease is not None:
            self.lease.check(driver)

    def _lost(self, error: StoreFencedError) -> None:
        self._in_loop(partial(_answer, self.fenced, error, None))

    def _do(self, jobs: list[_Write | _Read | None]) -> None:
        for _, same in groupby(jobs, type):
            group = list(same)
            if isinstance(group[0], _Write):
                self._write([job for job in group if isinstance(job, _Write)])
            for job in group:
                if isinstance(job, _Read):
                    self._read(job)

    def _take(self) -> list[_Write | _Read | None]:
        jobs: list[_Write | _Read | None] = []
        with contextlib.suppress(Empty):
            jobs.append(self._jobs.get(timeout=None if self.lease is None else self.lease.due_in_s))
            while len(jobs) < _MOST_AT_ONCE:
                jobs.append(self._jobs.get_nowait())
        return jobs

    def _write(self, group: list[_Write], *, alone: bool = False) -> None:
        try:
            heads = self._commit([write.rows for write in group])
        except _NOT_ONE_ENTRY as error:
            self._tell([(write, error) for write in group])
            if isinstance(error, StoreFencedError):
                self._lost(error)
        except Exception as error:  # noqa: BLE001 -- not swallowed: it is raised where the commit is awaited
            if alone:
                self._tell([(group[0], error)])
                return
            for write in group:  # a group of one too: what was remembered may be old, if somebody else has written
                self._write([write], alone=True)
        else:
            self._tell(list(zip(group, heads, strict=True)))

    def _commit(self, group: list[Rows]) -> list[Head]:
        """Commit a group in one transaction; return the chain's end after each of its entries."""
        heads = []
        seen, self._seen = self._seen, None  # it is known again once this has gone well
        with store_errors("committing to the journal"):
            driver = driver_of(self._own())
            with transaction(driver):
                self._check(driver)
                seen = seen or _look(driver)
                batch = Batch(seen.head, seen.states)
                for rows in group:
                    batch.add(rows)
                    heads.append(batch.head)
                batch.write(driver)
        seen.head = batch.head
        for key, row in batch.entities.items():
            if row["over"]:
                seen.states.pop(key, None)
            else:
                seen.states[key] = row["state"]
        self._seen = seen
        return heads

    def _own(self) -> Connection:
        """Return the one connection. SQLAlchemy reads through it; entries go past SQLAlchemy (`Prepared`)."""
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _read(self, job: _Read) -> None:
        try:
            with store_errors("reading the journal"):
                connection = self._own()
                with connection.begin():
                    self._check(driver_of(connection))
                    answer = job.ask(connection)
        except StoreFencedError as error:
            self._in_loop(partial(_answer, job.future, None, error))
            self._lost(error)
        except Exception as error:  # noqa: BLE001 -- not swallowed: it is raised where the answer is awaited
            self._in_loop(partial(_answer, job.future, None, error))
        else:
            self._in_loop(partial(_answer, job.future, answer, None))

    def _tell(self, results: list[tuple[_Write, Head | Exception]]) -> None:
        def settle() -> None:
            for write, result in results:
                write.settle(result)

        self._in_loop(settle)

    def _in_loop(self, call: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(call)


def _answer(future: "asyncio.Future[Any]", answer: object, error: Exception | None) -> None:
    if future.done():  # cancelled meanwhile
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(answer)


def _look(driver: Driver) -> _Seen:
    end = _END.ask(driver)
    return _Seen(Head(*end[0]) if end else EMPTY, {(kind, id_): state for kind, id_, state in _STANDING.ask(driver)})
