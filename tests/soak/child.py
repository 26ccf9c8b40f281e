"""The service that is killed: the real engine, store and pager, with one channel that leads to the driver's carrier.

On standard input it is told which pages to open; on standard output it says what has become durable. Its clock goes
fast, by the same line in every life, so that rungs and tries come at once.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import structlog

from adapters.clock import SystemClock
from adapters.paging.pager import ChannelPager, DeliveryUncertainError
from adapters.store.journal import StoreJournal, open_journal
from policies.actions import Action, Notify, ReplyTo, StandDown
from policies.events import Event, Notified, PageAnswered, PageOpened
from policies.model import Timer
from policies.pages import PageState
from policies.rules import Policy, Severity
from policies.state import State
from telephony.engine import Engine
from telephony.errors import DeliveryDeferredError, DeliveryRefusedError
from telephony.ports import Entry, Recovered
from tests.soak.plan import CHANNEL, PLAN, RULES, SPEED, START

_LOOK_S = 0.02
_DEADLINE_S = 0.3  # of one message; in real time, as the carrier's answers are


def say(**what: object) -> None:
    """Tell the driver."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class FastClock(SystemClock):
    """Time that flies, from an instant that all lives share."""

    def __init__(self, began_s: float) -> None:
        super().__init__()
        self._began_s = began_s

    def now(self) -> datetime:
        return START + timedelta(seconds=(time.time() - self._began_s) * SPEED)


class SoakChannel:
    """JSON lines over a Unix socket; connects again when the carrier is away."""

    def __init__(self, path: str, clock: FastClock) -> None:
        self._path = path
        self._clock = clock
        self._writer: asyncio.StreamWriter | None = None
        self._asked: dict[int, asyncio.Future[str]] = {}
        self._count = count()

    async def run(self, emit: Callable[[Event], None]) -> None:
        while True:
            try:
                reader, self._writer = await asyncio.open_unix_connection(self._path)
                while line := await reader.readline():
                    self._take(json.loads(line), emit)
            except OSError:
                pass
            self._writer = None
            for answer in self._asked.values():
                if not answer.done():
                    answer.set_result("lost")
            await asyncio.sleep(_LOOK_S)

    def _take(self, said: dict[str, Any], emit: Callable[[Event], None]) -> None:
        if "page" in said:
            emit(
                PageAnswered(
                    id=self._clock.new_id(), at=self._clock.now(), page=said["page"], by=said["by"], means="link"
                )
            )
        elif (answer := self._asked.get(said["number"])) is not None and not answer.done():
            answer.set_result(said["how"])

    async def tell(self, action: Notify) -> str:
        return await self._ask(
            message=action.message,
            action=action.id,
            attempt=action.attempt,
            page=action.page,
            incident=action.incident,
            person=action.person,
        )

    async def tell_answered(self, action: StandDown, address: str, language: str) -> str:  # noqa: ARG002 -- the port's
        return await self._ask(stand_down=action.page, address=address)

    async def reply(self, action: ReplyTo) -> str:  # noqa: ARG002 -- the port's
        raise DeliveryRefusedError(CHANNEL, "nobody replies here")

    async def _ask(self, **what: object) -> str:
        if self._writer is None:
            raise DeliveryDeferredError(CHANNEL, "away")
        number = next(self._count)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self._writer.write(json.dumps({"number": number, **what}).encode() + b"\n")
            how: str = await answer
        finally:
            del self._asked[number]
        if how == "deferred":
            raise DeliveryDeferredError(CHANNEL, how)
        if how == "refused":
            raise DeliveryRefusedError(CHANNEL, how)
        if how == "lost":
            raise DeliveryUncertainError(how)
        return how


class Telling:
    """The journal; says what is durable, once it is. Fits `telephony.ports.Journal`."""

    def __init__(self, journal: StoreJournal) -> None:
        self._journal = journal

    async def commit(self, entry: Entry) -> None:
        await self._journal.commit(entry)
        match entry.event:
            case PageOpened(incident=incident):
                say(accepted=incident)
            case Notified(action=action, delivery=delivery):
                say(settled=action, how=delivery.value)
            case _:
                pass

    async def recover(self) -> Recovered:
        return await self._journal.recover()

    async def due_timers(self, now: datetime) -> Iterable[Timer]:
        return await self._journal.due_timers(now)

    async def next_due(self) -> datetime | None:
        return await self._journal.next_due()


class Answers:
    """Says which pages are answered, also to those who answer a second time. A `telephony.ports.Listener`."""

    def decided(self, event: Event, state: State, actions: Iterable[Action]) -> None:  # noqa: ARG002 -- the port's
        page = state.pages.get(event.page) if isinstance(event, PageAnswered) else None
        if page is not None and page.state is PageState.ANSWERED:
            say(answered=page.id)


class NoPbx:
    """A PBX that is away; nobody has a call."""

    async def run(self, emit: object) -> None:  # noqa: ARG002 -- the port's
        await asyncio.Event().wait()

    def __getattr__(self, name: str) -> Any:
        return self.run  # whatever it is asked for: it is never asked


async def _obey(engine: Engine) -> None:
    """Open the pages that the driver asks for, until it closes its end."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        incident, severity = json.loads(line)
        engine.take(
            PageOpened(**engine.stamp(), plan=PLAN.name, incident=incident, reason="drill", severity=Severity[severity])
        )


async def _look(engine: Engine) -> None:
    while True:  # the engine looks once a second, which is long where time flies
        await asyncio.sleep(_LOOK_S)
        await engine.run_due()


async def _main(store: str, carrier: str, began_s: float) -> None:
    clock = FastClock(began_s)
    pager = ChannelPager({CHANNEL: SoakChannel(carrier, clock)}, clock, deadline_s=_DEADLINE_S)
    async with open_journal(store) as journal:
        engine = Engine(
            policy=Policy(RULES),
            pbx=NoPbx(),
            pager=pager,
            journal=Telling(journal),
            clock=clock,
            listeners=(Answers(),),
        )
        running = [asyncio.create_task(engine.run()), asyncio.create_task(_look(engine))]
        await asyncio.wait([asyncio.create_task(engine.ready.wait()), running[0]], return_when=asyncio.FIRST_COMPLETED)
        pages = len(engine.state.pages)
        say(ready=pages, unreadable=[[row.what, row.id] for row in engine.unreadable])
        obeying = asyncio.create_task(_obey(engine))
        await asyncio.wait([obeying, *running], return_when=asyncio.FIRST_COMPLETED)
        say(rss_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        for task in running:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*running)
        await obeying


if __name__ == "__main__":
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(40),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
    asyncio.run(_main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
