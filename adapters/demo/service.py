"""One life of the service, on the simulated PBX: the real engine, core, journal, pager, panel; and its sudden death."""

import asyncio
import contextlib
import shutil
import sqlite3
from pathlib import Path

from adapters.demo.failing import DemoError
from adapters.demo.steady import SteadyClock, SteadyTime
from adapters.demo.visitors import accounts
from adapters.from_settings import prompt_library, store_url
from adapters.metrics import Metrics
from adapters.paging.from_settings import Channels
from adapters.paging.pager import ChannelPager
from adapters.panel.from_settings import Running, Web
from adapters.panel.identity import may_still
from adapters.panel.streams import Hub
from adapters.privacy import read_or_make_key
from adapters.simulator.pbx import SimulatedPbx
from adapters.simulator.world import SimWorld
from adapters.store.chain import Head
from adapters.store.journal import StoreJournal, open_journal
from policies.rules import Policy
from telephony.engine import Engine
from telephony.ports import Listener
from telephony.settings import Settings, rules
from telephony.watchdog import Health, LoopLag

_LOOK_AT_TIMERS_S = 0.2
_NAME = "journal.sqlite3"


class Service:
    """The service, from one start to one death.

    Args:
        settings: the policy; its [http] port is the panel's, 0 for any free one.
        folder: where the journal is.
        stack: closes the journal at the end of the demo.

    Attributes:
        engine: while it lives.
        web: the panel and the API, while it lives.
    """

    def __init__(self, settings: Settings, folder: Path, stack: contextlib.AsyncExitStack) -> None:
        store = settings.store.model_copy(update={"path": str(folder / _NAME)})
        self._settings = settings.kept({"store": store}, ())
        self._folder = folder
        self._stack = stack
        self._tasks: list[asyncio.Task[None]] = []
        self._journal: StoreJournal
        self.engine: Engine
        self.web: Web

    @property
    def url(self) -> str:
        """Where the journal is."""
        return store_url(self._settings)

    async def start(self, world: SimWorld, time: SteadyTime, clock: SteadyClock, listener: Listener) -> None:
        """Begin; returns when the journal and the PBX have been read and the broker is there."""
        self._journal = await self._stack.enter_async_context(open_journal(self.url))
        lag = LoopLag()
        mqtt = self._build(SimulatedPbx(world, clock), clock, lag, listener).mqtt
        self._tasks = [
            asyncio.create_task(self.engine.run(), name="service"),
            asyncio.create_task(self._timers(time), name="service's timers"),
            asyncio.create_task(lag.run(), name="service's lag"),
        ]
        while not (self.engine.state.connected and mqtt is not None and mqtt.problems == frozenset()):
            self.look()
            await asyncio.sleep(0.005)
        await self.web.server.start()
        for account in accounts(clock.now()):
            if self.web.login.accounts.find(account.name) is None:
                await self.web.login.accounts.add("demo", "", account)

    def _build(self, pbx: SimulatedPbx, clock: SteadyClock, lag: LoopLag, listener: Listener) -> Channels:
        journal, settings = self._journal, self._settings
        hub, metrics, prompts = Hub(may_still), Metrics(clock.now), prompt_library(settings)
        site_key = read_or_make_key(self._folder / "site.key")
        channels = Channels(settings, clock, pbx.page_calls, prompts, site_key)
        health = Health(clock, lag, lambda: channels.connected, lambda: str(journal.head))
        self.engine = health.engine = Engine(
            policy=Policy(rules(settings, clock.now().date())),
            pbx=pbx,
            pager=ChannelPager(channels.by_name, clock),
            journal=journal,
            clock=clock,
            listeners=(listener, metrics, health, hub),
            measure=metrics.took,
            glimpsed=hub.glimpsed,
        )
        self.web = Web(
            settings,
            Running(
                self.engine,
                pbx,
                clock,
                journal,
                hub,
                health.read,
                metrics,
                prompts,
                site_key,
                channels,
                check_pbx=None,
                say=lambda _link: None,  # nobody logs in by a password here
            ),
        )
        return channels

    def look(self) -> None:
        """See whether it still runs.

        Raises:
            DemoError: it does not.
        """
        for task in self._tasks:
            if task.done():
                error = None if task.cancelled() else task.exception()
                raise DemoError(f"the service has stopped: {error!r}")

    async def die(self, keep: Path) -> Head:
        """Die at once; returns the end of the audit chain. What was on the disk is kept in `keep`, all else is lost.

        The copy comes first: what a dying process would still write must not count.
        """
        head = self._journal.head
        self._copy_disk(keep)
        await self.stop()
        return head

    def _copy_disk(self, keep: Path) -> None:
        keep.mkdir()
        for file in sorted(self._folder.glob(f"{_NAME}*")):
            if not file.name.endswith("-shm"):  # an index of the -wal file, made anew
                shutil.copy(file, keep / file.name)
        # A process that is dead holds no lease; this one is only said to be dead, and lives on.
        with contextlib.closing(sqlite3.connect(keep / _NAME)) as store, store:
            store.execute("UPDATE lease SET machine = ''")

    async def stop(self) -> None:
        """End its tasks, and cut off who looks at its screens."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.web.server.stop()

    async def _timers(self, time: SteadyTime) -> None:
        """The engine looks at the clock once a second; at a higher pace a second is long."""
        await self.engine.ready.wait()
        while True:
            await time.sleep(_LOOK_AT_TIMERS_S)
            await self.engine.run_due()
