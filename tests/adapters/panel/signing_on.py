"""The service with a provider of single sign-on, and what a browser does between the two."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.accounts.model import Role
from adapters.accounts.oidc import OidcConfig
from adapters.accounts.oidc import Provider as Client
from adapters.accounts.sign_on import SignOn
from tests.adapters.panel.guarded import Browser, Guarded, guarded
from tests.adapters.panel.provider import CLIENT, SECRET, Provider, provider

ROLES: Mapping[str, frozenset[Role]] = {
    "telefoni": frozenset({Role.AGENT}),
    "vagt": frozenset({Role.BACKUP, Role.CHIEF}),
    "it": frozenset({Role.ADMIN}),
}
NAME = "anna.hansen@kommune.example"


@asynccontextmanager
async def signed_on(folder: Path, **config: Any) -> AsyncIterator[tuple[Guarded, Provider]]:
    """The service with a provider."""
    async with provider() as p, guarded(folder) as g:
        made = OidcConfig(
            **{"issuer": p.issuer, "client_id": CLIENT, "client_secret": SECRET, "roles": ROLES, **config}
        )
        g.login.url = g.base
        client = Client(made, lambda: datetime.now(UTC))
        g.login.sign_on = SignOn(client, g.house.clock, g.login.accounts, g.login.sessions)
        g.house.told.clear()
        yield g, p


async def go_out(browser: Browser, then: str = "") -> str:
    """Follow the button; returns the provider's address."""
    status, _, answer = await browser.get("/panel/sso", params={"next": then})
    assert status == 303
    return answer.headers["Location"]


async def come_back(browser: Browser, back: str) -> tuple[int, str]:
    """Come back from the provider; returns the status, and where it leads or what the page says."""
    status, text, answer = await browser.get(back.removeprefix(browser.base))
    said = text.partition('data-problem="')[2].partition('"')[0]
    return status, answer.headers.get("Location", said)


async def sign_on(g: Guarded, p: Provider) -> tuple[int, str, Browser]:
    browser = g.browser()
    back, _ = p.code(await go_out(browser))
    return *await come_back(browser, back), browser
