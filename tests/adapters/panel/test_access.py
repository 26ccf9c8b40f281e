"""Every role x route x method cell, from the application's own router and the table of `adapters.panel.access`."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from adapters.accounts.model import IDENTITY, Role
from adapters.http.access import TokenKind
from adapters.http.doors import DOORS
from adapters.http.problems import as_problems
from adapters.panel.access import PUBLIC, TABLE, TOKENS, Place, may
from adapters.panel.identity import LOGIN, who_may
from tests.adapters.http.site import bearer
from tests.adapters.panel.guarded import Guarded, guarded

ROLES = tuple(Role)
CHANGES = ("POST", "PUT", "PATCH", "DELETE")

# What must stay so, whatever else the table says: written once more, by hand, from what each role is for.
NEVER = {
    Role.AGENT: (
        *("/v1/accounts", "/v1/phone-tokens", "/v1/audit", "/v1/screens/duty", "/panel/duty", "take-over"),
        *("/v1/pages", "/v1/proofs", "/v1/report"),
    ),
    Role.BACKUP: ("/v1/accounts", "/v1/phone-tokens", "/v1/keys", "/v1/audit", "/v1/breaks", "/v1/proofs"),
    Role.CHIEF: ("/v1/accounts", "/v1/phone-tokens", "/v1/keys", "/v1/audit", "/v1/proofs"),
    Role.ADMIN: ("/v1/keys", "/v1/calls", "POST /v1/pages", "/v1/breaks", "/v1/screens", "/panel/agent", "/panel/duty"),
    Role.AUDITOR: (
        "/v1/accounts",
        "/v1/phone-tokens",
        "/v1/keys",
        "/v1/calls",
        "POST /v1/pages",
        "POST /v1/proofs",
        "/v1/breaks",
        "/v1/screens",
    ),
}


def places(app: web.Application) -> Iterator[Place]:
    """Return every method and pattern of the application's router; a HEAD goes with its GET."""
    for route in app.router.routes():
        assert route.resource is not None
        if route.method != "HEAD":
            yield route.method, route.resource.canonical


def path_of(pattern: str) -> str:
    return re.sub(r"{\w+}", "x", pattern)


class Cells:
    """The application's routes and its middleware, with a handler that only says who came through.

    So a cell tells who may, and nothing is done.
    """

    def __init__(self, g: Guarded) -> None:
        self.app = web.Application(middlewares=[as_problems, who_may])
        self.app[DOORS], self.app[LOGIN] = g.app[DOORS], g.login
        for method, pattern in places(g.app):
            self.app.router.add_route(method, pattern, self.through)
        self.sessions: dict[Role | None, dict[str, str]] = {None: {}}
        self.base = ""
        self.client: aiohttp.ClientSession

    async def through(self, request: web.Request) -> web.Response:
        identity = request.get(IDENTITY)
        return web.json_response({"through": True, "name": identity.name if identity else ""})

    async def ask(self, method: str, pattern: str, headers: dict[str, str]) -> int:
        """Return the status; 200 only when the handler was reached."""
        url = URL(self.base + path_of(pattern), encoded=True)
        async with self.client.request(method, url, headers=headers, allow_redirects=False) as answer:
            assert answer.status != 200 or "through" in await answer.text() or method == "HEAD"
            return answer.status


@asynccontextmanager
async def cells(folder: Path) -> AsyncIterator[Cells]:
    """Make an account, a session and a token of each kind."""
    async with guarded(folder) as g:
        made = Cells(g)
        runner = web.AppRunner(made.app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        made.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        for role in ROLES:
            await g.house.account(role.value, role, agent="x", person="x", password="")
            token, session = g.login.sessions.start(role.value, "password", "", "")
            cookie = {"Cookie": f"__Host-bagvagt={token}"}
            made.sessions[role] = {**cookie, "X-CSRF-Token": session.csrf, "Origin": made.base}
        g.site.access._guesses.burst = 10**6  # a wrong token at each of many routes is what is looked at here
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as made.client:
            yield made
        await runner.cleanup()


async def test_every_route_has_its_row_and_every_row_its_route(tmp_path: Path) -> None:
    """A route that nobody has thought about is shut; a row without a route is a promise that nobody keeps."""
    async with guarded(tmp_path) as g:
        routes = set(places(g.app))
        assert routes - set(TABLE) == set()
        assert set(TABLE) - routes == set()
        assert set(TOKENS) <= routes


async def test_every_cell(tmp_path: Path) -> None:
    """Each role, and nobody, at each route by each of its methods: through, 403, or 401."""
    async with cells(tmp_path) as c:
        wrong = []
        for method, pattern in places(c.app):
            who = TABLE[method, pattern]
            for role in (*ROLES, None):
                opened = who is PUBLIC or (role is not None and role in who)
                wanted = 200 if opened else 401 if role is None else 403
                status = await c.ask(method, pattern, c.sessions[role])
                if status != wanted:
                    wrong.append((method, pattern, role, status, wanted))
        assert wrong == []


async def test_a_token_opens_what_its_kind_is_for(tmp_path: Path) -> None:
    """Each kind at each route; a wrong token, and one of the wrong kind, are 401 whatever the role would be."""
    async with guarded(tmp_path) as g:
        made = Cells(g)
        login = g.login
        secrets = {kind: (await login.phone_tokens.issue("x", "", kind, "x", kind.value))[0] for kind in TokenKind} | {
            None: "wrong"
        }
    async with cells(tmp_path) as c:
        wrong = []
        for method, pattern in places(made.app):
            for kind, secret in secrets.items():
                is_public = TABLE[method, pattern] is PUBLIC
                opened = is_public or kind in TOKENS.get((method, pattern), frozenset())
                status = await c.ask(method, pattern, bearer(secret))
                if status != (200 if opened else 401):
                    wrong.append((method, pattern, kind, status))
        assert wrong == []


async def test_no_change_without_the_sessions_own_csrf_token(tmp_path: Path) -> None:
    """Each changing cell of a role is shut without the token, with another session's, and to another site."""
    async with cells(tmp_path) as c:
        wrong = []
        for method, pattern in places(c.app):
            who = TABLE[method, pattern]
            if method not in CHANGES or who is PUBLIC:
                continue
            for role in who:
                right = c.sessions[role]
                others = next(c.sessions[r]["X-CSRF-Token"] for r in ROLES if r is not role)
                for change in (
                    {"X-CSRF-Token": ""},
                    {"X-CSRF-Token": others},
                    {"X-CSRF-Token": right["X-CSRF-Token"][:-1]},
                    {"Origin": "https://evil.example"},
                    {"Origin": "null"},
                    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
                    {"Origin": "null", "Sec-Fetch-Site": "same-site"},
                ):
                    status = await c.ask(method, pattern, {**right, **change})
                    if status != 403:
                        wrong.append((method, pattern, role, change, status))
                own = {**right, "Origin": "null", "Sec-Fetch-Site": "same-origin"}
                assert await c.ask(method, pattern, own) == 200
        assert wrong == []


async def test_a_method_that_a_route_does_not_have_is_405_for_everybody(tmp_path: Path) -> None:
    """Nothing is told by the difference between nobody and somebody."""
    async with cells(tmp_path) as c:
        for headers in c.sessions.values():
            assert await c.ask("PUT", "/v1/me", headers) == 405
            assert await c.ask("GET", "/v1/nothing", headers) == 404


async def test_what_is_not_in_the_table_is_shut(tmp_path: Path) -> None:
    """Also for an admin: a forgotten row is a refusal, not a hole."""
    async with guarded(tmp_path) as g:
        app = Cells(g).app
        app.router.add_get("/v1/forgotten", Cells(g).through)
        assert not may(None, ("GET", "/v1/forgotten"))
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as client:
            async with client.get("/v1/forgotten") as answer:
                assert answer.status == 403
            async with client.head("/v1/forgotten") as answer:
                assert answer.status == 403
        await runner.cleanup()


@pytest.mark.parametrize("role", ROLES)
def test_what_a_role_must_never_be_given(role: Role) -> None:
    """The table, read against what each role is for."""
    for (method, pattern), who in TABLE.items():
        if who is not PUBLIC and role in who:
            assert not any(part in f"{method} {pattern}" for part in NEVER[role]), (method, pattern)


def test_what_is_open_to_everybody() -> None:
    """These and no others; each has a proof of its own, or names nobody."""
    opened = {place for place, who in TABLE.items() if who is PUBLIC}
    assert opened == {
        ("GET", "/panel/login"),
        ("POST", "/panel/login"),
        ("GET", "/panel/setup"),
        ("POST", "/panel/setup"),
        ("GET", "/panel/sso"),
        ("GET", "/panel/sso/back"),
        ("GET", "/panel/sso/out"),
        ("GET", "/panel/static"),
        ("GET", "/v1/openapi.json"),
        ("GET", "/v1/keys/{key}"),
        ("GET", "/t/{token}"),
        ("POST", "/t/{token}"),
        ("POST", "/v1/sms/receipts"),
        ("POST", "/v1/sms/replies"),
        ("GET", "/prompts/{language}/{name}.wav"),
        ("GET", "/healthz"),
        ("GET", "/metrics"),
    }
