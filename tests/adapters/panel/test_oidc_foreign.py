"""Single sign-on with a provider that somebody else has written: what we take for the standard is not our own idea."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from adapters.accounts.model import Role
from adapters.accounts.oidc import OidcConfig, Provider
from adapters.accounts.sign_on import SignOn
from tests.adapters.panel.guarded import guarded
from tests.adapters.panel.signing_on import ROLES, come_back, go_out

ANNA = {"sub": "s-1", "preferred_username": "anna", "name": "Anna Hansen", "groups": ["vagt"]}


@asynccontextmanager
async def foreign() -> AsyncIterator[str]:
    """Run oidc-provider-mock in a process of its own; yields its issuer."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "oidc_provider_mock",
        *("--port", str(port), "--require-nonce", "--user-claims", json.dumps(ANNA)),
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _until_it_listens(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def _until_it_listens(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            await writer.wait_closed()
            return


async def test_a_foreign_provider_logs_somebody_in(tmp_path: Path) -> None:
    """Discovery, code, token and keys as another's server has them; its form is answered as a person would."""
    async with foreign() as issuer, guarded(tmp_path) as g:
        config = OidcConfig(issuer, "bagvagt", "secret", roles_claim="groups", roles=ROLES)
        client = Provider(config, lambda: datetime.now(UTC))
        g.login.url = g.base
        g.login.sign_on = SignOn(client, g.house.clock, g.login.accounts, g.login.sessions)
        browser = g.browser()
        out = await go_out(browser)
        async with (
            aiohttp.ClientSession() as person,
            person.post(out, data={"sub": ANNA["sub"]}, allow_redirects=False) as answer,
        ):
            back = answer.headers["Location"]
        assert await come_back(browser, back) == (303, "/panel/")
        account = g.login.accounts.get("anna")
        assert (account.subject, account.shown) == ("s-1", "Anna Hansen")
        assert account.roles == {Role.BACKUP, Role.CHIEF}
        assert (await browser.get("/panel/sso/out"))[2].headers["Location"].startswith(f"{issuer}/oauth2/end_session?")
