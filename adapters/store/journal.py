"""The journal port over the store: `telephony.ports.Journal`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, not_, select

from adapters.store.audit import read_head
from adapters.store.batch import rows_of
from adapters.store.chain import Head
from adapters.store.codec import decode_action, decode_entity, decode_rules
from adapters.store.database import BUSY_S, open_engine
from adapters.store.errors import StoreCorruptError
from adapters.store.migrate import upgrade
from adapters.store.schema import ENTITY, INTENT, POLICY, TIMER
from adapters.store.timers import Timers
from adapters.store.writer import Writer
from policies.breaks import Break
from policies.guards import CallState, Guard
from policies.handoffs import Handoff
from policies.model import AgentId, CallId, LegId, Timer
from policies.pages import Page
from policies.state import State
from telephony.ports import Entry, Recovered, Unreadable

_POLICIES_KEPT = 50
T = TypeVar("T")


class StoreJournal:
    """Commits decisions durably, reads them back, keeps the timers. Made by `open_journal`.

    Attributes:
        head: end of the audit chain after the latest commit, to be published.
    """

    def __init__(self, writer: Writer, timers: Timers, head: Head) -> None:
        self.head = head
        self._writer = writer
        self._timers = timers

    async def commit(self, entry: Entry) -> None:
        """Commit one transaction durably. Commits are applied in the order of the calls.

        Cancelling the wait does not take the entry back.

        Raises:
            StoreError: nothing of the entry was written; it may be tried again.
        """
        rows = rows_of(entry)
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settle(result: Head | Exception) -> None:
            if isinstance(result, Head):
                self.head = result
                self._timers.apply(rows.timers)
                if not durable.done():
                    durable.set_result(None)
            elif not durable.done():
                durable.set_exception(result)

        self._writer.write(rows, settle)
        await durable

    async def recover(self) -> Recovered:
        """Read back entities that are not over, and actions without an outcome, oldest first.

        Raises:
            StoreError: the store does not answer, or is damaged as a whole.
        """
        return await self._writer.read(_recovered)

    async def transact(self, ask: Callable[[Connection], T]) -> T:
        """Read or write other tables of the store, in one transaction, after all commits that were asked for before.

        Raises:
            StoreError: the store does not answer; nothing was written.
        """
        return await self._writer.read(ask)

    async def ping(self) -> None:
        """Return when the store has answered.

        Raises:
            StoreError: it does not answer.
        """
        await self._writer.read(lambda connection: connection.execute(select(1)).scalar())

    async def due_timers(self, now: datetime) -> tuple[Timer, ...]:
        """Return timers due at `now`, oldest first; each stays until an entry drops or resets it."""
        return self._timers.due(now)

    async def next_due(self) -> datetime | None:
        """Return when the next timer is due, None when there is none."""
        return self._timers.next_due()


@asynccontextmanager
async def open_journal(url: str, *, busy_s: float = BUSY_S) -> AsyncIterator[StoreJournal]:
    """Bring the store up to date and open it; on leaving, what was queued is written.

    Args:
        url: as SQLAlchemy writes them, `sqlite:////var/lib/bagvagt/journal.db`; the file is made, its folder is not.
        busy_s: how long another process's lock is waited for.

    Raises:
        StoreNewerError: a later version has written it.
        StoreError: it cannot be opened.
    """
    await asyncio.to_thread(upgrade, url)
    writer = Writer(open_engine(url, busy_s=busy_s), asyncio.get_running_loop())
    try:
        timers, head = await writer.read(_begin)
        yield StoreJournal(writer, timers, head)
    finally:
        await writer.close()


def _begin(connection: Connection) -> tuple[Timers, Head]:
    rows = connection.execute(select(TIMER))
    return Timers((Timer(row.entity, row.entity_id, row.what), row.due_at) for row in rows), read_head(connection)


def _recovered(connection: Connection) -> Recovered:
    """Read what stands. One row that cannot be read must not keep the service, and all the others, from starting."""
    unreadable: list[Unreadable] = []

    def read(decode: Callable[[], T], what: str, id_: str = "", incident: str | None = None) -> T | None:
        try:
            return decode()
        except StoreCorruptError as error:
            unreadable.append(Unreadable(what, id_, incident or "", error.detail))
            return None

    guards: dict[CallId, Guard] = {}
    handoffs: dict[str, Handoff] = {}
    breaks: dict[str, Break] = {}
    pages: dict[str, Page] = {}
    standing = select(ENTITY).where(not_(ENTITY.c.over)).order_by(ENTITY.c.opened_at, ENTITY.c.id)
    for row in connection.execute(standing):
        match read(partial(decode_entity, row.kind, row.body), row.kind, row.id, row.incident):
            case Guard() as guard:
                guards[guard.call] = guard
            case Handoff() as handoff:
                handoffs[handoff.id] = handoff
            case Break() as break_:
                breaks[break_.id] = break_
            case Page() as page:
                pages[page.id] = page
            case None if row.kind == "call":
                guards[CallId(row.id)] = _latched(row)
    unsettled = select(INTENT).where(INTENT.c.outcome.is_(None)).order_by(INTENT.c.seq)
    actions = [read(partial(decode_action, r.kind, r.body), r.kind, r.id) for r in connection.execute(unsettled)]
    latest = select(POLICY).order_by(POLICY.c.seq.desc()).limit(_POLICIES_KEPT)
    policies = [
        (row.loaded_at, read(partial(decode_rules, row.body), "policy", row.version))
        for row in connection.execute(latest)
    ]
    return Recovered(
        State(guards=guards, handoffs=handoffs, breaks=breaks, pages=pages),
        tuple(action for action in actions if action is not None),
        tuple((at, rules) for at, rules in reversed(policies) if rules is not None),
        tuple(unreadable),
    )


def _latched(row: Row[Any]) -> Guard:
    """A call of which only the name is known may be an acute one: no key ends it."""
    return Guard(
        call=CallId(row.id),
        incident=row.incident or "",
        caller=LegId(row.id),  # a call is named by its caller's leg
        agent=AgentId(""),
        agent_leg=None,
        kind="",
        rules=None,
        state=CallState.ACUTE,
        began_at=row.opened_at,
        flagged_at=row.opened_at,
    )
