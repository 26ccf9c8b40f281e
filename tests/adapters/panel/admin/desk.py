"""The admin's side on a real server: real login, real store, the engine on a simulated PBX; carriers are fakes."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from adapters.accounts import api
from adapters.accounts.model import Role
from adapters.from_settings import prompt_library, prompts_missing
from adapters.http.access import Access, Tokens
from adapters.http.doors import Doors
from adapters.http.server import HttpConfig, HttpServer
from adapters.metrics import Metrics
from adapters.panel.admin.checks import Check, PbxChecks
from adapters.panel.admin.doors import Admin, add_admin
from adapters.panel.admin.loads import Loads
from adapters.panel.admin.pseudonyms import Pseudonyms
from adapters.panel.admin.routes import routes
from adapters.panel.admin.shelf import Shelf
from adapters.panel.admin.trail import Trail
from adapters.panel.api import Panel
from adapters.panel.app import make_app
from adapters.panel.identity import may_still, viewer, who_may
from adapters.panel.login import LoginPages, add_login
from adapters.panel.pages import Pages
from adapters.panel.pages import Site as Shown
from adapters.panel.past import PastPages
from adapters.panel.streams import Hub
from adapters.simulator.pbx import SimulatedPbx
from adapters.simulator.timing import LoopTime
from adapters.simulator.world import SimWorld
from adapters.store.journal import StoreJournal, open_journal
from policies.rules import Policy
from telephony.engine import Engine
from telephony.screens.show import Screens
from telephony.settings import Settings, load
from telephony.settings import rules as resolve
from tests.adapters.accounts.house import House, url_in
from tests.adapters.panel.guarded import Browser
from tests.telephony.fakes import FakeClock, FakePager
from tests.telephony.site_folder import site as site_folder

POLICY = """\
[site]
zone = "Europe/Copenhagen"
language = "da"
country = "DK"

[pbx]
kind = "simulator"

[prompts]
folder = "prompts"
languages = ["sv"]

[kinds.abuse]
may_end = true
break_s = 600

[kinds.threat]
latched = true
break_s = 1800
page = "backup"
severity = "acute"

[keys.warn]
does = "warn"
kind = "abuse"
code = "*91"

[keys.threat]
does = "flag"
kind = "threat"
code = "*98"

[agents.mette]
name = "Mette Hansen"
team = "dag"

[office_hours]
mon = ["08:00-16:00"]
fri = ["08:00-16:00"]

[mqtt]
prefix = "bagvagt"

[people.anna]
mqtt = "anna"

[people.bo]
mqtt = "bo"

[pages.backup]
last_resort = "bo"
steps = [{people = ["anna"], wait_s = 60}]

[proofs]
every_days = 30
hours = "10:00-11:00"

[heartbeat]
mqtt = true
"""


class Client:
    """Somebody at the API, in a browser's session."""

    def __init__(self, browser: Browser, csrf: str) -> None:
        self.browser = browser
        self.csrf = csrf

    async def get(self, path: str) -> tuple[int, Any]:
        """Return status and JSON."""
        status, text, _ = await self.browser.get(path, headers={"Accept": "application/json"})
        return status, json.loads(text)

    async def send(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        """Send JSON, or bytes as they are; return status and JSON."""
        headers = {"X-CSRF-Token": self.csrf, **more.pop("headers", {})}
        content = {"data": io.BytesIO(body)} if isinstance(body, bytes) else {} if body is None else {"json": body}
        status, text, _ = await self.browser.ask(method, path, headers=headers, **content, **more)
        return status, json.loads(text) if text else None

    async def page(self, path: str) -> str:
        """Return a screen."""
        status, text, _ = await self.browser.get(path)
        assert status == 200, text
        return text


class Desk:
    """The service.

    Attributes:
        folder: the policy's.
        clock: moved by hand.
        journal: the real one.
        engine: the running one.
        pager: the carriers.
        house: accounts, and what the audit trail was told.
        loads: the policy.
        shelf: the prompts.
        admin: all of it.
    """

    def __init__(self, folder: Path, settings: Settings, journal: StoreJournal, check: Check | None) -> None:
        self.folder = folder
        self.clock = clock = FakeClock()
        self.journal = journal
        self.house = House(journal, clock)
        self.pager = FakePager(clock)
        hub, metrics, library = Hub(may_still), Metrics(), prompt_library(settings)
        pbx = SimulatedPbx(SimWorld(LoopTime()), clock)
        self.engine = Engine(
            policy=Policy(resolve(settings, clock.now().date())),
            pbx=pbx,
            pager=self.pager,
            journal=journal,
            clock=clock,
            listeners=(metrics, hub),
            glimpsed=hub.glimpsed,
        )
        doors = Doors(self.engine, Access(Tokens([]), (), 600), library, metrics, lambda: {"ok": True})
        screens = Screens(self.engine, pbx, lambda: {"ok": True}, clock, hub.recent, {})
        self.loads = Loads(settings, clock)
        self.shelf = Shelf(library, lambda: self.loads.settings)
        self.admin = Admin(
            loads=self.loads,
            shelf=self.shelf,
            pbx=PbxChecks(clock, check, limit_s=5.0),
            trail=Trail(url_in(folder), lambda: journal.head, clock),
            pseudonyms=Pseudonyms(b"k" * 32),
            audit=self.house.audit,
        )
        pages = Pages(Shown("Eksempel", ZoneInfo(settings.site.zone)), viewer)
        every = (*LoginPages(pages.page).routes(), *pages.routes(), *api.ROUTES, *routes(pages))
        self.app = make_app(
            doors, Panel(screens, hub, pbx, PastPages(url_in(folder))), middlewares=[who_may], routes=every
        )
        self.app.router.add_static("/panel/static", files("adapters.panel").joinpath("static"))  # type: ignore[arg-type] # a folder
        add_login(self.app, self.house.login, lambda _: None)
        add_admin(self.app, self.admin)
        self.server = HttpServer(HttpConfig(port=0), self.app)
        self._browsers: list[Browser] = []

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    async def of(self, *roles: Role, name: str = "", language: str = "en") -> Client:
        """Return somebody with these roles, logged in."""
        name = name or "-".join(sorted(roles))
        await self.house.account(name, *roles)
        await self.house.login.accounts.change("test", "", name, language=language)
        browser = Browser(self.base)
        self._browsers.append(browser)
        status, _, _ = await browser.log_in(name)
        assert status == 303
        return Client(browser, await browser.csrf())

    async def until(self, condition: Callable[[], object]) -> None:
        """Let the loop run until `condition` is true."""
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 -- any condition, not one of ours to signal
                await asyncio.sleep(0.005)

    def said(self, what: str) -> list[tuple[str, str, str, str]]:
        """Return the lines for the audit trail that begin so."""
        return [line for line in self.house.told if line[1].startswith(what)]

    async def close(self) -> None:
        for browser in self._browsers:
            await browser.close()


def no_prompt_missing(*_: Any) -> Sequence[tuple[str, str]]:
    """Say that every prompt is there."""
    return []


@asynccontextmanager
async def desk(folder: Path, policy: str = POLICY, check: Check | None = None) -> AsyncIterator[Desk]:
    """Run it all on a policy in `folder`."""
    file = site_folder(folder, policy)
    (folder / "prompts").mkdir(exist_ok=True)
    settings = load(file, prompts_missing)
    async with open_journal(url_in(folder)) as journal:
        made = Desk(folder, settings, journal, check)
        running = asyncio.create_task(made.engine.run())
        await made.engine.ready.wait()
        await made.server.start()
        try:
            yield made
        finally:
            await made.close()
            await made.server.stop()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
