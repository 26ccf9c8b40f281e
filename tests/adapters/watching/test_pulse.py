"""The pulse proves that the engine decides and the store answers, and leaves no trace."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from adapters.watching.pulse import Pulse
from policies import actions as act
from policies import events as ev
from policies.model import Source
from telephony.errors import BagvagtError
from tests.policies.story import ANNA, WARN
from tests.telephony.fakes import Service, StoreDownError
from tests.telephony.running import LIVE, paged, service


class Store:
    """Answers, fails, or says nothing."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.fails = False

    async def ping(self) -> None:
        await self.open.wait()
        if self.fails:
            raise StoreDownError("disk full")


def pulse_of(s: Service) -> tuple[Pulse, Store]:
    store = Store()
    pulse = Pulse(store.ping)
    pulse.engine = s.engine
    s.engine._listeners = (*s.engine._listeners, pulse)
    return pulse, store


@asynccontextmanager
async def beating(pulse: Pulse) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(pulse.beat())
    yield task
    task.cancel()
    with suppress(asyncio.CancelledError, BagvagtError):
        await task


async def test_a_beat_leaves_no_trace() -> None:
    """Nothing is journaled, sent or changed by it; with a page open, too."""
    s = service()
    pulse, _ = pulse_of(s)
    async with s.running():
        await paged(s)
        state, entries, sent = s.engine.state, len(s.journal.entries), len(s.pager.sent)
        for _ in range(3):
            async with asyncio.timeout(5):
                await pulse.beat()
        await s.settled()
        assert len(s.saw(ev.ChannelConnected)) == 3
        assert (s.engine.state, len(s.journal.entries), len(s.pager.sent)) == (state, entries, sent)


async def test_an_engine_that_hangs_has_no_pulse() -> None:
    """Its task waits for something that does not come; once it goes on, the beat is over."""
    s = service(store_patience_s=60)
    pulse, _ = pulse_of(s)
    async with s.running():
        s.journal.stall()
        pressed = asyncio.create_task(s.engine.press(ANNA, WARN, Source.HTTP))
        await s.until(lambda: s.journal.began > 1)
        async with beating(pulse) as beat:
            await s.settled()
            assert not beat.done()
            s.journal.open.set()
            await s.until(beat.done)
        assert (await pressed).verdict is act.Verdict.ACCEPTED
    assert LIVE.agent == ANNA


async def test_an_engine_that_has_not_started_has_no_pulse() -> None:
    """While the journal is read back, nobody would be answered."""
    s = service()
    pulse, _ = pulse_of(s)
    async with beating(pulse) as beat:
        await s.settled()
        assert not beat.done()


async def test_a_store_that_hangs_has_no_pulse_and_an_error_is_told() -> None:
    """The engine decides without it for a while; protection it is not."""
    s = service()
    pulse, store = pulse_of(s)
    async with s.running():
        store.open.clear()
        async with beating(pulse) as beat:
            await s.settled()
            assert s.saw(ev.ChannelConnected)
            assert not beat.done()
        store.open.set()
        store.fails = True
        with pytest.raises(StoreDownError):
            await pulse.beat()
