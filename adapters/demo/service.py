"""One life of the service: the real engine, core, journal and pager, on the simulated PBX; and its sudden death."""

import asyncio
import contextlib
import shutil
from pathlib import Path

from adapters.demo.failing import DemoError
from adapters.demo.steady import SteadyClock, SteadyTime
from adapters.from_settings import channels
from adapters.mqtt import MqttChannel
from adapters.pager import ChannelPager
from adapters.simulator.pbx import SimulatedPbx
from adapters.simulator.world import SimWorld
from adapters.store.chain import Head
from adapters.store.journal import StoreJournal, open_journal
from policies.rules import Policy
from telephony.engine import Engine
from telephony.ports import Listener
from telephony.settings import Settings, rules

_LOOK_AT_TIMERS_S = 0.2
_NAME = "journal.sqlite3"


class Service:
    """The service, from one start to one death.

    Args:
        settings: the policy.
        folder: where the journal is.
        stack: closes the journal at the end of the demo.

    Attributes:
        engine: while it lives.
    """

    def __init__(self, settings: Settings, folder: Path, stack: contextlib.AsyncExitStack) -> None:
        self._settings = settings
        self._folder = folder
        self._stack = stack
        self._tasks: list[asyncio.Task[None]] = []
        self._journal: StoreJournal
        self.engine: Engine

    @property
    def url(self) -> str:
        """Where the journal is."""
        return f"sqlite:///{self._folder / _NAME}"

    async def start(self, world: SimWorld, time: SteadyTime, clock: SteadyClock, listener: Listener) -> None:
        """Begin; returns when the journal and the PBX have been read and the broker is there."""
        journal = self._journal = await self._stack.enter_async_context(open_journal(self.url))
        found = channels(self._settings, clock)
        self.engine = Engine(
            policy=Policy(rules(self._settings, clock.now().date())),
            pbx=SimulatedPbx(world, clock),
            pager=ChannelPager(found, clock),
            journal=journal,
            clock=clock,
            listeners=(listener,),
        )
        self._tasks = [
            asyncio.create_task(self.engine.run(), name="service"),
            asyncio.create_task(self._timers(time), name="service's timers"),
        ]
        mqtt = found["mqtt"]
        while not (self.engine.state.connected and isinstance(mqtt, MqttChannel) and mqtt.problems == frozenset()):
            self.look()
            await asyncio.sleep(0.005)

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

    async def stop(self) -> None:
        """End its tasks."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _timers(self, time: SteadyTime) -> None:
        """The engine looks at the clock once a second; at a higher pace a second is long."""
        await self.engine.ready.wait()
        while True:
            await time.sleep(_LOOK_AT_TIMERS_S)
            await self.engine.run_due()
