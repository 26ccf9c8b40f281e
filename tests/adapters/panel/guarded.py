"""The whole application with its login, over a real store, and browsers that behave as browsers do."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import aiohttp
from yarl import URL

from adapters.accounts import api
from adapters.accounts.model import Role
from adapters.http.server import HttpConfig, HttpServer
from adapters.http.sms_webhook import SmsWebhook, WebhookConfig
from adapters.paging.links import Links
from adapters.paging.sms_incoming import ELKS
from adapters.panel.admin.routes import routes as admin
from adapters.panel.app import make_app
from adapters.panel.identity import may_still, viewer, who_may
from adapters.panel.login import LoginPages, add_login
from adapters.panel.pages import STATIC, Pages
from adapters.panel.pages import Site as Shown
from adapters.panel.past import PastPages
from adapters.panel.sso import SsoPages
from adapters.panel.take import TakePages
from tests.adapters.accounts.house import PASSWORD, House, house, url_in
from tests.adapters.http.site import Site

HTML = {"Accept": "text/html,application/xhtml+xml"}


class Browser:
    """Keeps cookies, sends `Origin` with what it posts, and follows nothing by itself.

    Attributes:
        jar: its cookies.
    """

    def __init__(self, base: str, **headers: str) -> None:
        self.base = base
        self.jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=URL(base))
        self._client = aiohttp.ClientSession(base, cookie_jar=self.jar, headers={**HTML, **headers})

    async def close(self) -> None:
        await self._client.close()

    def cookie(self, name: str = "__Host-bagvagt") -> str:
        return next((c.value for c in self.jar if c.key == name), "")

    def plant(self, **cookies: str) -> None:
        """Put cookies into it that nobody here has set."""
        self.jar.update_cookies(cookies, URL(self.base))

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, str, aiohttp.ClientResponse]:
        """Send; returns status, text and the answer's headers."""
        headers = {"Origin": self.base} if method not in ("GET", "HEAD") else {}
        headers |= more.pop("headers", {})
        async with self._client.request(method, path, headers=headers, allow_redirects=False, **more) as answer:
            return answer.status, await answer.text(), answer

    async def get(self, path: str, **more: Any) -> tuple[int, str, aiohttp.ClientResponse]:
        return await self.ask("GET", path, **more)

    async def submit(self, path: str, fields: dict[str, str], *, at: str = "", **more: Any) -> tuple[int, str, str]:
        """Open the form at `at`, fill it in, send it; returns status, text, and where it leads."""
        _, text, _ = await self.get(at or path)
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', text))
        status, text, answer = await self.ask("POST", path, data={**hidden, **fields}, **more)
        return status, text, answer.headers.get("Location", "")

    async def log_in(self, name: str, password: str = PASSWORD, then: str = "") -> tuple[int, str, str]:
        """Log in by the form."""
        at = f"/panel/login?{urlencode({'next': then})}" if then else "/panel/login"
        return await self.submit("/panel/login", {"name": name, "password": password}, at=at)

    async def csrf(self) -> str:
        """Return what the page of a session tells a script to send along."""
        _, text, _ = await self.get("/panel/password")
        found = re.search(r'<meta name="csrf" content="([^"]*)"', text)
        assert found
        return found[1]


class Guarded:
    """The service with its login.

    Attributes:
        site: engine, doors, fakes.
        house: accounts and all.
        printed: what the first start has said.
        links: of messages.
    """

    def __init__(self, site: Site, home: House) -> None:
        self.site = site
        self.house = home
        self.login = home.login
        self.printed: list[str] = []
        self.links = Links("https://vagt.example", b"of the tests, and of nobody else")
        self._browsers: list[Browser] = []
        site.hub._is_live = may_still
        pages = Pages(Shown("Eksempel", ZoneInfo("Europe/Copenhagen"), desk="+45 20 30 40 49"), viewer)
        first = LoginPages(pages.page)
        takes = TakePages(pages, self.links).routes()
        hook = SmsWebhook(
            WebhookConfig("of the tests, and of nobody else", ELKS), site.service.engine.take, site.service.clock
        )
        routes = (
            *pages.routes(),
            *first.routes(),
            *SsoPages(first).routes(),
            *api.ROUTES,
            *admin(pages),
            *takes,
            *hook.routes(),
        )
        self.app = make_app(site.doors, site.panel, middlewares=[who_may], routes=routes)
        self.app.router.add_static("/panel/static", STATIC)
        add_login(self.app, self.login, self.printed.append)
        self.server = HttpServer(HttpConfig(port=0), self.app)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def browser(self, **headers: str) -> Browser:
        """Return a new one, without cookies."""
        made = Browser(self.base, **headers)
        self._browsers.append(made)
        return made

    async def of(self, *roles: Role, name: str = "", agent: str = "", person: str = "") -> Browser:
        """Return a browser in which somebody with these roles is logged in."""
        name = name or "-".join(sorted(roles))
        if self.login.accounts.find(name) is None:
            await self.house.account(name, *roles, agent=agent, person=person)
        browser = self.browser()
        status, _, _ = await browser.log_in(name)
        assert status == 303
        return browser

    async def close(self) -> None:
        for browser in self._browsers:
            await browser.close()


@asynccontextmanager
async def guarded(folder: Path, per_minute: int = 60) -> AsyncIterator[Guarded]:
    """Run it all."""
    site = Site(None, ("127.0.0.0/8",), per_minute)
    site.panel = replace(site.panel, past=PastPages(url_in(folder)))
    async with house(folder, site.service.clock) as home:
        made = Guarded(site, home)
        async with site.service.running():
            await made.server.start()
            try:
                yield made
            finally:
                await made.close()
                await made.server.stop()
