"""Commits entries to the journal, in order, and keeps those that the store has not taken yet.

A store that fails or hangs must not silence an alarm, nor make it ring for ever. So what is unsaved is tried again by
itself, and the timers that belong to it count as if they stood in the store: a page goes on to its next rung, and a
timer that fired does not fire again. What is lost when the process dies meanwhile is what nobody could have saved.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from time import perf_counter

import structlog

from policies.model import Timer
from telephony.errors import BagvagtError
from telephony.ports import Entry, Journal

_log = structlog.get_logger()

RETRY_S = 1.0
UNSAVED_MOST = 10_000
FAILS_MOST = 5
_NOTHING = timedelta(0)
_EVER = datetime.max.replace(tzinfo=UTC)
_BREAK = "break"


@dataclass(slots=True)
class _Unsaved:
    entry: Entry
    saved: "asyncio.Future[bool]"
    failed: int = 0


class Saving:
    """The way into the journal.

    Args:
        journal: the store.
        measure: called with `commit` and seconds after each commit.
    """

    def __init__(self, journal: Journal, measure: Callable[[str, float], None]) -> None:
        self._journal = journal
        self._measure = measure
        self._unsaved: deque[_Unsaved] = deque()
        self._timers: dict[Timer, datetime | None] = {}  # of what is unsaved, the latest word on each
        self._homeless: dict[Timer, datetime | None] = {}  # of what was set aside
        self._ahead: dict[Timer, timedelta] = {}  # set by a clock that was put back since, by that much
        self._more = asyncio.Event()
        self._asked_at: float | None = None
        self._answered = True

    @property
    def unsaved(self) -> int:
        """How many entries the store has not taken."""
        return len(self._unsaved)

    @property
    def is_failing(self) -> bool:
        """Tell whether the store's latest answer was an error."""
        return not self._answered

    @property
    def silent_s(self) -> float:
        """For how many seconds the commit under way has had no answer; 0 when none is."""
        return 0.0 if self._asked_at is None else perf_counter() - self._asked_at

    def add(self, entry: Entry) -> "asyncio.Future[bool]":
        """Queue one entry.

        Returns:
            True once it is durable; False once the store has failed it, though it is tried again.
        """
        saved: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._unsaved.append(_Unsaved(entry, saved))
        for timer, due_at in entry.timers:
            self._timers[timer] = due_at
            self._homeless.pop(timer, None)
            self._ahead.pop(timer, None)
        if len(self._unsaved) > UNSAVED_MOST:  # the first may be on its way into the store
            self._set_aside(1, "too many are unsaved")
        self._more.set()
        return saved

    async def run(self) -> None:
        """Save what comes, and try again what failed, until cancelled."""
        while True:
            await self._save_all()
            self._more.clear()
            try:
                async with asyncio.timeout(RETRY_S if self._unsaved else None):
                    await self._more.wait()
            except TimeoutError:
                continue

    async def due(self, now: datetime, most: int, but: Container[Timer] = ()) -> list[Timer]:
        """Return timers due at `now`; what is unsaved counts, and comes first: there are few of those.

        Args:
            now: the time.
            most: how many at the most; the journal's order decides which.
            but: not these.
        """
        unsaved = (t for t, at in self._timers.items() if at is not None and at <= now)
        stored = [self._set_ahead(by, await self._stored(now + by)) for by in {*self._ahead.values(), _NOTHING}]
        return list(islice((t for t in chain(unsaved, *stored) if t not in but), most))

    async def put_back(self, by: timedelta) -> None:
        """Take note that the clock was put back: what stands is due that much earlier, as the clock has it from now on.

        It holds until a restart, which cannot know of it. Breaks are left as they are: the clock may have come back to
        what it was when they began, and a break is rather too long than too short.
        """
        for changes in (self._timers, self._homeless):
            changes |= {t: at - by for t, at in changes.items() if at is not None and t.entity != _BREAK}
        standing = {timer for timer in {*await self._stored(_EVER), *self._timers} if timer.entity != _BREAK}
        self._ahead = {timer: self._ahead.get(timer, _NOTHING) + by for timer in standing}

    def _set_ahead(self, by: timedelta, stored: Iterable[Timer]) -> Iterator[Timer]:
        """Return those that were set by a clock that was so much ahead; what is unsaved is left out."""
        return (t for t in stored if t not in self._timers and self._ahead.get(t, _NOTHING) == by)

    async def _stored(self, now: datetime) -> Iterable[Timer]:
        try:
            return await self._journal.due_timers(now)
        except BagvagtError as error:
            _log.error("timers_unreadable", error=str(error))
            return ()

    async def next_due(self) -> datetime | None:
        """Return when to look at the timers again; None when nobody can say, as while something is unsaved."""
        if self._timers or self._ahead:
            return None
        try:
            return await self._journal.next_due()
        except BagvagtError:
            return None  # `due` has said so

    async def _save_all(self) -> None:
        while self._unsaved:
            first = self._unsaved[0]
            error = await self._commit(first)
            if error is None:
                self._unsaved.popleft()
                continue
            first.failed += 1
            _log.error("journal_failed", unsaved=len(self._unsaved), error=str(error) or type(error).__name__)
            for one in self._unsaved:
                _settle(one, saved=False)
            if not isinstance(error, BagvagtError) or await self._is_at_fault(first):
                self._set_aside(0, type(error).__name__)
                continue
            return
        self._timers = dict(self._homeless)

    async def _commit(self, one: _Unsaved) -> Exception | None:
        self._asked_at = started = perf_counter()
        try:
            await self._journal.commit(one.entry)
        except Exception as error:  # noqa: BLE001 -- whatever it is, alarms go out without the store
            self._answered = False
            return error
        finally:
            self._asked_at = None
        self._measure("commit", perf_counter() - started)
        self._answered = True
        _settle(one, saved=True)
        return None

    async def _is_at_fault(self, first: _Unsaved) -> bool:
        """Tell whether it is this entry that the store refuses: it failed often, and the one behind it does not."""
        if first.failed < FAILS_MOST or len(self._unsaved) == 1:
            return False
        behind = self._unsaved[1]
        if await self._commit(behind) is not None:
            return False
        del self._unsaved[1]
        return True

    def _set_aside(self, place: int, why: str) -> None:
        gone = self._unsaved[place]
        del self._unsaved[place]
        _settle(gone, saved=False)
        self._homeless |= {timer: self._timers[timer] for timer, _ in gone.entry.timers}
        _log.critical("journal_entry_lost", event_id=gone.entry.event.id, what=type(gone.entry.event).__name__, why=why)


def _settle(one: _Unsaved, *, saved: bool) -> None:
    if not one.saved.done():
        one.saved.set_result(saved)
