"""The login in a real browser: whether it takes our cookies on loopback, and sends what our checks ask for."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright

from adapters.accounts.model import Role
from tests.adapters.accounts.house import PASSWORD
from tests.adapters.panel.guarded import guarded
from tests.adapters.panel.signing_on import signed_on

CHROMIUM = shutil.which("chromium") or ""


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium; where it is not, the test is left out, and with CI=true it fails."""
    if not CHROMIUM:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("there is no chromium", pytrace=False)
        pytest.skip("there is no chromium")
    async with async_playwright() as p:
        browser = await p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


async def watched(browser: Browser) -> tuple[Page, list[str]]:
    """Return a page in a fresh profile, and what its console says is wrong."""
    page = await (await browser.new_context()).new_page()
    page.set_default_timeout(10_000)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return page, said


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_the_first_admin_logs_in_out_and_in_again(host: str, chromium: Browser, tmp_path: Path) -> None:
    """By the printed link, then by the form. The cookie is taken without TLS on loopback, and no script reads it."""
    async with guarded(tmp_path) as g:
        base = g.base.replace("127.0.0.1", host)
        page, said = await watched(chromium)
        await page.goto(base + g.printed[0].partition(":8480")[2])
        await page.get_by_label("Name").fill("Anna")
        await page.get_by_label("New password").fill(PASSWORD)
        await page.get_by_label("The same once more").fill(PASSWORD)
        await page.get_by_role("button", name="Set the password").click()
        await page.wait_for_url("**/panel/admin")
        said.clear()  # the admin's screen is not part of this application
        await page.goto(f"{base}/panel/password")
        assert await page.get_by_role("heading", level=1).inner_text() == "Another password"
        cookies = {c["name"]: c for c in await page.context.cookies()}
        assert cookies["__Host-bagvagt"]["secure"]
        assert cookies["__Host-bagvagt"]["httpOnly"]
        assert "__Host-bagvagt" not in await page.evaluate("document.cookie")
        await page.get_by_role("button", name="Log out").click()
        await page.wait_for_url("**/panel/login?bye")
        assert "__Host-bagvagt" not in {c["name"] for c in await page.context.cookies()}
        await page.goto(f"{base}/panel/password")
        await page.get_by_label("Name").fill("anna")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Log in").click()
        await page.wait_for_url("**/panel/password")
        assert said == []


async def test_a_script_of_ours_may_and_another_sites_form_may_not(chromium: Browser, tmp_path: Path) -> None:
    """A fetch with the token goes through; a form of another origin, in the same browser, logs nobody out."""
    async with guarded(tmp_path) as g:
        await g.house.account("anna", Role.CHIEF)
        page, _ = await watched(chromium)
        await page.goto(f"{g.base}/panel/login?next=/panel/password")
        await page.get_by_label("Name").fill("anna")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Log in").click()
        await page.wait_for_url("**/panel/password")
        send = """async (token) => (await fetch("/v1/sessions", {
            method: "DELETE", headers: token ? {"X-CSRF-Token": token} : {}})).status"""
        assert await page.evaluate(send, "") == 403
        assert await page.evaluate(send, await page.get_attribute("meta[name=csrf]", "content")) == 204
        other = g.base.replace("127.0.0.1", "localhost")
        await page.goto(f"{other}/healthz")
        await page.set_content(f'<form method="post" action="{g.base}/panel/logout"><button>x</button></form>')
        async with page.expect_response("**/panel/logout") as answer:
            await page.get_by_role("button").click()
        assert (await answer.value).status in (401, 403)
        assert len(g.login.sessions.of("anna")) == 1


async def test_single_sign_on_in_a_browser(chromium: Browser, tmp_path: Path) -> None:
    """Out by the link and back again: the cookie that was set before comes along, and the session is there at once."""
    async with signed_on(tmp_path) as (g, _):
        page, said = await watched(chromium)
        await page.goto(f"{g.base}/panel/login?next=/panel/password")
        await page.get_by_role("link", name="Single sign-on").click()
        await page.wait_for_url("**/panel/password")
        assert "You log in by single sign-on" in await page.inner_text("main")
        assert said == []
