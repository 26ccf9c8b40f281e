"""A running HTTP server over a real engine and the engine's fakes, with a client on a real socket."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.typedefs import Middleware

from adapters.http.access import Access, Token, TokenKind, Tokens, digest
from adapters.http.doors import Doors
from adapters.http.server import HttpConfig, HttpServer
from adapters.metrics import Metrics
from adapters.panel.api import Panel
from adapters.panel.app import make_app
from adapters.panel.routes import Route
from adapters.panel.streams import Hub
from adapters.prompts.library import PromptLibrary
from policies.rules import Rules
from telephony.screens.show import Screens
from tests.policies.story import ANNA, RULES, call
from tests.telephony.fakes import Service

SCREEN, PHONE, CHIEF, DEPUTY = "screen-secret", "phone-secret", "chief-secret", "deputy-secret"
TOKENS = Tokens(
    [
        Token("anna-screen", TokenKind.AGENT, digest(SCREEN), ANNA),
        Token("anna-phone", TokenKind.ACTION_URL, digest(PHONE), ANNA),
        Token("chief", TokenKind.PERSON, digest(CHIEF), "Chief"),
        Token("deputy", TokenKind.PERSON, digest(DEPUTY), "Deputy"),
    ]
)


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


class Site:
    """The server and a client.

    Attributes:
        service: the engine and its fakes.
        now_s: the monotonic clock of the limits, moved by hand.
        health: what `/healthz` shows.
        revoked: whose streams end.
    """

    def __init__(
        self,
        own_prompts: Path | None,
        networks: tuple[str, ...],
        per_minute: int,
        middlewares: Sequence[Middleware] = (),
        routes: Sequence[Route] = (),
        rules: Rules = RULES,
    ) -> None:
        self.revoked: set[str] = set()
        self.metrics = Metrics()
        self.service = Service(rules, measure=self.metrics.took)
        self.hub = Hub(lambda request: request.headers.get("X-Who") not in self.revoked)
        self.service.engine._listeners = (self.service, self.metrics, self.hub)
        self.service.engine._glimpsed = self.hub.glimpsed
        self.service.pbx.calls = (call(),)
        self.now_s = 1000.0
        self.health: dict[str, Any] = {"ok": True}
        self.access = Access(TOKENS, networks, per_minute, lambda: self.now_s)
        self.doors = Doors(
            engine=self.service.engine,
            access=self.access,
            prompts=PromptLibrary(own_prompts),
            metrics=self.metrics,
            health=lambda: self.health,
            answer_within_s=0.3,
        )
        pbx, engine = self.service.pbx, self.service.engine
        screens = Screens(engine, pbx, lambda: self.health, self.service.clock, self.hub.recent, {})
        self.panel = Panel(screens, self.hub, pbx)
        app = make_app(self.doors, self.panel, middlewares=middlewares, routes=routes)
        self.server = HttpServer(HttpConfig(port=0), app)
        self.client: aiohttp.ClientSession

    async def ask(self, method: str, path: str, secret: str = "", **more: Any) -> tuple[int, Any]:
        """Send a request; return status and JSON body."""
        headers = {**(bearer(secret) if secret else {}), **more.pop("headers", {})}
        async with self.client.request(method, path, headers=headers, **more) as answer:
            body = await answer.json(content_type=None) if method != "HEAD" else None
            return answer.status, body


@asynccontextmanager
async def site(
    own_prompts: Path | None = None,
    networks: tuple[str, ...] = ("127.0.0.0/8",),
    per_minute: int = 60,
    **more: Any,
) -> AsyncIterator[Site]:
    """Run it all."""
    made = Site(own_prompts, networks, per_minute, **more)
    async with made.service.running():
        await made.server.start()
        base = f"http://127.0.0.1:{made.server.port}"
        async with aiohttp.ClientSession(base) as made.client:
            yield made
        await made.server.stop()
