"""A real `bagvagt run`, stopped, killed and started again, watched from here by an engine with a journal of its own."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.clock import SystemClock
from adapters.store.journal import open_journal
from adapters.watching.peers import Peer, Peers
from policies import events as ev
from policies.pages import Page, PageState
from policies.rules import Policy
from telephony.engine import Engine
from tests.adapters.watching.outside import running
from tests.lab.service import Service, free_port
from tests.lab.waiting import until
from tests.policies.story import RULES
from tests.telephony.fakes import FakePager, FakePbx

POLICY = """
    [site]
    name = "Aarhus"
    zone = "Europe/Copenhagen"
    language = "da"
    country = "DK"

    [pbx]
    kind = "simulator"

    [http]
    port = {http_port}
"""
INCIDENT = "watch-aarhus"


class Watcher:
    """A Bagvagt in this process that watches another one."""

    def __init__(self, engine: Engine, clock: SystemClock) -> None:
        self.engine = engine
        self._clock = clock
        self.looked: list[bool] = []

    @property
    def pages(self) -> list[Page]:
        return [p for p in self.engine.state.pages.values() if p.incident == INCIDENT]

    async def looks(self, times: int) -> None:
        """Wait until it has looked so many times more."""
        wanted = len(self.looked) + times
        await until(lambda: len(self.looked) >= wanted, 30, "it looks")

    async def is_well(self) -> None:
        await until(lambda: self.looked and self.looked[-1], 40, "the other one is well")

    async def paged(self, pages: int = 1) -> None:
        await until(lambda: len(self.pages) >= pages, 30, "a page is open")

    async def answer(self) -> None:
        """Somebody takes it."""
        for page in self.pages:
            stamp = self.engine.stamp()
            self.engine.take(ev.PageAnswered(**stamp, page=page.id, by="Bagvagt", means="http"))
        await until(lambda: all(p.state is PageState.ANSWERED for p in self.pages), 10, "it is answered")


@asynccontextmanager
async def watcher(folder: Path, url: str) -> AsyncIterator[Watcher]:
    """Run one; what it knew before stands in its journal."""
    clock = SystemClock()
    fake = FakePbx(clock)  # type: ignore[arg-type]  # that the time stands still is not needed
    pager = FakePager(clock)  # type: ignore[arg-type]  # likewise
    async with open_journal(f"sqlite:///{folder}/watcher.db") as journal:
        engine = Engine(policy=Policy(RULES), pbx=fake, pager=pager, journal=journal, clock=clock)
        made = Watcher(engine, clock)
        peer = Peer(name="aarhus", url=f"{url}/healthz", plan="backup", every_s=0.25, silent_s=2.0)
        peers = Peers([peer], clock, lambda: engine.state, looked=lambda _name, on: made.looked.append(on))
        work = asyncio.create_task(engine.run())
        try:
            await until(engine.ready.is_set, 10)
            async with running(peers.run(engine.take)):
                yield made
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[Service]:
    """The one that is watched."""
    folder = tmp_path / "other"
    folder.mkdir()
    service = Service(folder, POLICY)
    await service.start()
    yield service
    await service.kill()


async def test_one_that_hangs_is_paged_about_and_wakes_up_again(tmp_path: Path, other: Service) -> None:
    """SIGSTOP: its port takes connections, and nobody answers. The page stays a person's, though it is well again."""
    assert other._process is not None
    with capture_logs() as logs:
        async with watcher(tmp_path, other.url) as w:
            await w.is_well()
            assert not w.pages
            other._process.send_signal(signal.SIGSTOP)
            await w.paged()
            assert w.pages[0].reason == "watch"
            other._process.send_signal(signal.SIGCONT)
            await w.is_well()
            assert [p.state for p in w.pages] == [PageState.CALLING]
    events = [x["event"] for x in logs if x["event"].startswith("watch_")]
    assert events == ["watch_unwell", "watch_paged", "watch_well"]


async def test_each_outage_is_one_page(tmp_path: Path, other: Service) -> None:
    """Killed; answered; started again, it is well; killed again, another page: the first one's answer was another's."""
    async with watcher(tmp_path, other.url) as w:
        await w.is_well()
        await other.kill()
        await w.paged()
        await w.answer()
        await w.looks(20)
        assert len(w.pages) == 1
        await other.start()
        await w.is_well()
        await other.kill()
        await w.paged(2)
        assert sorted(p.state for p in w.pages) == [PageState.ANSWERED, PageState.CALLING]


async def test_a_watcher_that_restarts_in_an_outage_pages_nobody_twice(tmp_path: Path) -> None:
    """The page stands in its journal, open or answered; three lives of the watcher, one page."""
    url = f"http://127.0.0.1:{free_port()}"
    async with watcher(tmp_path, url) as w:
        await w.paged()
        first = w.pages[0].id
    async with watcher(tmp_path, url) as w:
        await w.looks(20)
        assert [p.id for p in w.pages] == [first]
        await w.answer()
    async with watcher(tmp_path, url) as w:
        await w.looks(20)
        assert [(p.id, p.state) for p in w.pages] == [(first, PageState.ANSWERED)]
