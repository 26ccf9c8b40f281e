"""The whole service in one process, on a simulated PBX whose people the test moves. Run as a module it can be killed.

Everything is real but the PBX and those who are paged: engine, core, journal, login, streams, pages.
"""

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

from adapters.accounts.model import Role
from adapters.accounts.passwords import Passwords
from adapters.accounts.records import Account
from adapters.clock import SystemClock
from adapters.from_settings import prompt_library, prompts_missing, store_url
from adapters.metrics import Metrics
from adapters.paging.from_settings import Channels
from adapters.panel.from_settings import Running, Web
from adapters.panel.identity import may_still
from adapters.panel.streams import Hub
from adapters.simulator.parts import Leg
from adapters.simulator.pbx import SimulatedPbx
from adapters.simulator.people import People
from adapters.simulator.timing import LoopTime
from adapters.simulator.world import SimWorld
from adapters.store.journal import StoreJournal, open_journal
from policies.rules import Policy
from telephony.engine import Engine
from telephony.settings import Settings, load, rules
from tests.telephony.fakes import FakeClock, FakePager

POLICY = Path(__file__).with_name("shift.toml")
PASSWORD = "correct horse battery"
_PEOPLE: tuple[tuple[str, Role, dict[str, Any]], ...] = (
    ("anna", Role.AGENT, {"agent": "anna"}),
    ("kim", Role.CHIEF, {"person": "kim"}),
    ("lis", Role.BACKUP, {"person": "lis"}),
)


class Shift:
    """The service, and the world around it.

    Attributes:
        world: the PBX's own truth.
        people: move it.
        engine: the running one.
        is_well: whether the health says that protection is on.
        url: of the panel.
    """

    def __init__(self, settings: Settings, journal: StoreJournal) -> None:
        self.world = SimWorld(LoopTime(), {"warning:en": 1.0, "closing:en": 1.0})
        self.people = People(self.world)
        self.is_well = True
        self._clock, metrics, hub = SystemClock(), Metrics(), Hub(may_still)
        pbx = SimulatedPbx(self.world, self._clock)
        self.engine = Engine(
            policy=Policy(rules(settings)),
            pbx=pbx,
            pager=FakePager(FakeClock(self._clock.now())),
            journal=journal,
            clock=self._clock,
            listeners=(metrics, hub),
            glimpsed=hub.glimpsed,
        )
        prompts, site_key = prompt_library(settings), b"of the test, and of nobody else."
        on = Running(
            engine=self.engine,
            pbx=pbx,
            clock=self._clock,
            journal=journal,
            hub=hub,
            health=self._health,
            metrics=metrics,
            prompts=prompts,
            site_key=site_key,
            channels=Channels(settings, self._clock, pbx.page_calls, prompts, site_key),
            check_pbx=None,
            say=lambda _: None,
        )
        self._web = Web(settings, on)
        self._web.login.passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        self.url = ""

    def _health(self) -> dict[str, Any]:
        is_on = self.is_well and self.engine.state.connected
        return {"ok": is_on, "why": [] if is_on else ["pbx"]}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Shift"]:
        """Let it run."""
        self.people.agent("anna", "helpline", answers_after_s=0.05)
        self.people.phone("PJSIP/kim", answers_after_s=0.3)
        engine = asyncio.create_task(self.engine.run())
        await self.engine.ready.wait()
        await self._web.server.start()
        self.url = f"http://127.0.0.1:{self._web.server.port}"
        await self._add_accounts()
        try:
            yield self
        finally:
            await self._web.server.stop()
            engine.cancel()
            await asyncio.gather(engine, return_exceptions=True)

    async def _add_accounts(self) -> None:
        """Add them, unless the store has them from an earlier life."""
        login = self._web.login
        for name, role, more in _PEOPLE:
            if login.accounts.find(name) is None:
                kept, now = await login.passwords.hash(PASSWORD), self._clock.now()
                account = Account(name, name.capitalize(), frozenset({role}), now, password_hash=kept, **more)
                await login.accounts.add("test", "", account)

    def call(self) -> Leg:
        """Let somebody ring; Anna answers."""
        return self.people.calls("+4511223347", "helpline")


@contextlib.asynccontextmanager
async def shift(folder: Path, port: int = 0) -> AsyncIterator[Shift]:
    """Run one, on the journal in `folder`."""
    file = folder / POLICY.name
    shutil.copy(POLICY, file)
    settings = load(file, prompts_missing)
    settings = settings.kept({"http": settings.http.model_copy(update={"port": port})}, ())
    async with open_journal(store_url(settings)) as journal, Shift(settings, journal).running() as made:
        yield made


async def _until_killed(folder: Path, port: int) -> None:
    async with shift(folder, port) as made:
        made.call()
        print(made.url, flush=True)  # noqa: T201 -- the test reads where it is
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_until_killed(Path(sys.argv[1]), int(sys.argv[2])))
