"""The journal port over the store: `telephony.ports.Journal`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, select

from adapters.store.batch import rows_of
from adapters.store.chain import Head
from adapters.store.database import BUSY_S, open_engine
from adapters.store.errors import StoreFencedError
from adapters.store.lease import LEASE_S, Claim, Lease, Process
from adapters.store.migrate import has_lease, upgrade
from adapters.store.recovery import begun, recovered
from adapters.store.timers import Timers
from adapters.store.writer import Writer
from policies.events import PageOpened
from policies.model import Timer
from telephony.ports import Entry, Recovered, Unreadable

_LOOK_S = 0.1  # at a holder of the lease of whom it is not clear whether it lives
T = TypeVar("T")


class StoreJournal:
    """Commits decisions durably, reads them back, keeps the timers. Made by `open_journal`.

    Attributes:
        head: end of the audit chain after the latest commit, to be published.
    """

    def __init__(self, writer: Writer, timers: Timers, head: Head, unreadable: Sequence[Unreadable]) -> None:
        self.head = head
        self._writer = writer
        self._timers = timers
        self._unreadable = unreadable
        self._lost: dict[str, str] = {}  # pages that nobody can read, and their incidents

    async def commit(self, entry: Entry) -> None:
        """Commit one transaction durably. Commits are applied in the order of the calls.

        A page that is opened for the incident of one that could not be read takes its place: at the next start that
        one is not read again, and nobody is told a second time.

        Cancelling the wait does not take the entry back.

        Raises:
            StoreFencedError: another process has taken the store over; trying again cannot help.
            StoreError: nothing of the entry was written; it may be tried again.
        """
        replaces = self._replaced_by(entry)
        rows = rows_of(entry, replaces)
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settle(result: Head | Exception) -> None:
            if isinstance(result, Head):
                self.head = result
                self._timers.apply(rows.timers)
                for page in replaces:
                    self._lost.pop(page, None)
                if not durable.done():
                    durable.set_result(None)
            elif not durable.done():
                durable.set_exception(result)

        self._writer.write(rows, settle)
        await durable

    def _replaced_by(self, entry: Entry) -> list[str]:
        if not self._lost or not isinstance(entry.event, PageOpened) or not entry.changed:
            return []
        return [page for page, incident in self._lost.items() if incident == entry.event.incident]

    async def recover(self) -> Recovered:
        """Read back entities that are not over, and actions without an outcome, oldest first.

        Raises:
            StoreError: the store does not answer, or is damaged as a whole.
        """
        found = await self._writer.read(recovered)
        self._lost = {row.id: row.incident for row in found.unreadable if row.what == "page"}
        return replace(found, unreadable=(*found.unreadable, *self._unreadable))

    async def transact(self, ask: Callable[[Connection], T]) -> T:
        """Read or write other tables of the store, in one transaction, after all commits that were asked for before.

        Raises:
            StoreError: the store does not answer; nothing was written.
        """
        return await self._writer.read(ask)

    async def fenced(self) -> StoreFencedError:
        """Return, once another process has taken the store over. Nothing is written from then on: it is time to end."""
        return await asyncio.shield(self._writer.fenced)

    async def ping(self) -> None:
        """Return when the store has answered.

        Raises:
            StoreError: it does not answer.
        """
        await self._writer.read(lambda connection: connection.execute(select(1)).scalar())

    async def due_timers(self, now: datetime) -> Iterator[Timer]:
        """Return timers due at `now`, urgent ones first, else oldest first; each stays until an entry changes it.

        They are found while they are taken: whoever takes a few of very many pays for a few. What is not taken before
        the next commit must be asked for anew.
        """
        return self._timers.due(now)

    async def next_due(self) -> datetime | None:
        """Return when the next timer is due, None when there is none."""
        return self._timers.next_due()


@asynccontextmanager
async def open_journal(url: str, *, busy_s: float = BUSY_S, lease_s: float = LEASE_S) -> AsyncIterator[StoreJournal]:
    """Bring the store up to date, take its lease, and open it; on leaving, what was queued is written.

    Args:
        url: as SQLAlchemy writes them, `sqlite:////var/lib/bagvagt/journal.db`; the file is made, its folder is not.
        busy_s: how long another process's lock is waited for.
        lease_s: see `adapters.store.lease.LEASE_S`.

    Raises:
        StoreInUseError: another Bagvagt works on it.
        StoreNewerError: a later version has written it.
        StoreError: it cannot be opened.
    """
    if not await asyncio.to_thread(has_lease, url):  # new, or of before there were leases
        await asyncio.to_thread(upgrade, url)
    writer = Writer(open_engine(url, busy_s=busy_s), asyncio.get_running_loop())
    try:
        claim = Claim(lease_s, Process.this())
        while (epoch := await writer.read(claim.attempt)) is None:  # noqa: ASYNC110 -- no event tells of a process
            await asyncio.sleep(_LOOK_S)
        await asyncio.to_thread(upgrade, url)  # now, and not under the hands of a holder that lives
        writer.lease = Lease(epoch, lease_s)
        timers, head, unreadable = await writer.read(begun)
        yield StoreJournal(writer, timers, head, unreadable)
    finally:
        await writer.close()
