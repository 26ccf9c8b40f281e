"""The admin's screens in a browser, on the real service: acts go to the API, and what came of them is shown."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from adapters.accounts.model import Role
from adapters.asterisk.findings import Finding
from policies import events as ev
from tests.adapters.accounts.house import PASSWORD
from tests.adapters.panel.admin.desk import POLICY, Desk, desk
from tests.adapters.panel.admin.test_audit import fill
from tests.adapters.panel.admin.test_past_pages import answered
from tests.browser.conftest import Look
from tests.browser.test_accessible import violations
from tests.lab.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

TABS = (
    "",
    "policy",
    "dry-run",
    "prompts",
    "test-page",
    "proofs",
    "report",
    "pbx-check",
    "audit",
    "accounts",
    "tokens",
    "sessions",
)


async def log_in(look: Look, d: Desk, tab: str = "", name: str = "olga", **context: Any) -> Page:
    """Log in by the form, and go to one of the screens."""
    context = {"viewport": {"width": 1100, "height": 800}, **context}
    page = await look(f"{d.base}/panel/login?next=/panel/admin/{tab}".rstrip("/"), **context)
    await page.locator("#name").fill(name)
    await page.locator("#password").fill(PASSWORD)
    await page.locator("main button").first.click()
    await page.wait_for_url(re.compile("/panel/admin"))
    return page


@asynccontextmanager
async def full(folder: Path, language: str = "en", **more: Any) -> AsyncIterator[Desk]:
    """Run it, with an admin and something to see on every screen."""

    async def check() -> list[Finding]:
        return [Finding("error", "the module app_queue is not loaded", "Load it."), Finding("unseen", "its rights")]

    async with desk(folder, **{"check": check, **more}) as d:
        await d.house.account("olga", Role.ADMIN)
        await d.house.account("anna", Role.AGENT, agent="anna")
        await d.house.login.accounts.change("test", "", "olga", language=language)
        await fill(d, "anna", "bo")
        yield d


async def test_a_dry_run_compares_two_policies(look: Look, tmp_path: Path) -> None:
    """From a file on the disk; what differs is marked; a mistake names its line; the form keeps what was asked."""
    async with full(tmp_path) as d:
        page = await log_in(look, d, "dry-run")
        await page.get_by_label("Key").select_option("warn")
        await page.get_by_role("button", name="What would happen?").click()
        await expect(page.locator(".outcome")).to_have_count(1)
        await expect(page.locator("#answer")).to_contain_text("The caller is being warned.")
        await page.get_by_text("Compare with a policy").click()
        written = POLICY.replace("break_s = 600", "break_s = 900").encode()
        await page.get_by_label("A file").set_input_files(
            {"name": "new.toml", "mimeType": "text/plain", "buffer": written}
        )
        await expect(page.locator("#candidate")).to_have_value(re.compile("break_s = 900"))
        await page.get_by_role("button", name="What would happen?").click()
        await expect(page.locator(".outcome")).to_have_count(2)
        await expect(page.locator(".differs")).to_have_count(2)
        await expect(page.locator(".differs").last).to_contain_text("kinds.abuse.break_s = 900")
        await page.locator("#candidate").fill(POLICY.replace("break_s = 600", "break_s = -1"))
        await page.get_by_role("button", name="What would happen?").click()
        await expect(page.locator("#answer")).to_contain_text("This policy would not be loaded.")
        await expect(page.locator(".finding-error")).to_contain_text("Line 15")
        assert (tmp_path / "bagvagt.toml").read_text() == POLICY


async def test_what_is_wrong_in_the_question_is_said_beside_the_answer(look: Look, tmp_path: Path) -> None:
    """A field that the browser lets pass and the service does not; the answer before is gone."""
    async with full(tmp_path) as d:
        page = await log_in(look, d, "dry-run")
        await page.get_by_label("When (").fill("1999-01-01T12:00")
        await page.get_by_role("button", name="What would happen?").click()
        await expect(page.locator("#answer")).to_contain_text("Not as it should be: When.")


async def test_a_test_page_is_followed_until_somebody_has_it(look: Look, tmp_path: Path) -> None:
    """It asks first; who was told shows by itself, and who has answered; a second one at once is refused in words."""
    async with full(tmp_path) as d:
        page = await log_in(look, d, "test-page")
        page.on("dialog", lambda dialog: dialog.accept())
        await page.get_by_role("button", name="Begin a test").click()
        await expect(page.locator("#said")).to_have_text("The test is under way.")
        await expect(page.locator("#tests")).to_contain_text("anna the on-call phone: sent")
        await page.get_by_role("button", name="Begin a test").click()
        await expect(page.locator("#said")).to_contain_text("nobody has answered it yet")
        (open_,) = d.engine.state.pages.values()
        d.engine.take(ev.PageAnswered(**d.engine.stamp(), page=open_.id, by="anna", means="http"))
        await expect(page.locator("#tests")).to_contain_text("anna has it")
        await expect(page.locator("[data-poll]")).to_have_count(0)


async def test_whoever_says_no_pages_nobody(look: Look, tmp_path: Path) -> None:
    """The question before a test is a real one."""
    async with full(tmp_path) as d:
        page = await log_in(look, d, "test-page")
        page.on("dialog", lambda dialog: dialog.dismiss())
        await page.get_by_role("button", name="Begin a test").click()
        await page.reload()
        assert not d.engine.state.pages
        assert d.pager.sent == []


async def test_one_way_is_tested_now_and_an_answer_proves_it(look: Look, tmp_path: Path) -> None:
    """It asks first; the table shows by itself that the test is out, and that the person has answered."""
    async with full(tmp_path) as d:
        page = await log_in(look, d, "proofs")
        page.on("dialog", lambda dialog: dialog.accept())
        row = page.locator("#proof-anna-mqtt")
        await expect(row).to_contain_text("never proved")
        await page.get_by_role("button", name="Test now anna, the on-call phone").click()
        await expect(page.locator("#said")).to_have_text("The test is under way.")
        await expect(row).to_contain_text("test under way")
        await until(lambda: d.pager.sent)  # it is decided before it is sent
        (sent,) = d.pager.sent
        assert (sent.person, sent.channel, sent.reason) == ("anna", "mqtt", "test")
        assert await violations(page) == []
        d.engine.take(ev.PageAnswered(**d.engine.stamp(), page=sent.page, by="anna", means="mqtt"))
        await expect(row).to_contain_text("today")
        await expect(row).to_contain_text("works")
        await expect(page.locator("#proof-bo-mqtt")).to_contain_text("never proved")


async def test_the_report_leads_to_each_pages_time_line(look: Look, tmp_path: Path) -> None:
    """Figures without names; the list of pages; one of them in full, with who took it, by what, and after how long."""
    async with full(tmp_path) as d:
        page_id = await answered(d, took_s=75)
        page = await log_in(look, d, "report")
        await expect(page.locator("#figures-alarm")).to_contain_text("Alarms: 1")
        await expect(page.locator("#figures-alarm")).to_contain_text("1:15")
        assert "anna" not in await page.locator("#figures-alarm").inner_text()
        assert await violations(page) == []
        await page.locator("#pages a").click()
        await page.wait_for_url(re.compile(f"/report/{page_id}"))
        line = page.locator("ol.line li")
        await expect(line).to_have_count(5)
        await expect(line.last).to_contain_text("+1:15 anna has taken it: the on-call phone")
        assert await violations(page) == []


async def test_the_pbx_check_shows_what_it_found_by_itself(look: Look, tmp_path: Path) -> None:
    """While it runs, and when it is done; the worst first, with the remedy."""
    may_end = asyncio.Event()

    async def check() -> list[Finding]:
        await may_end.wait()
        return [Finding("unseen", "its rights"), Finding("error", "a module is not loaded", "Load it.")]

    async with full(tmp_path, check=check) as d:
        page = await log_in(look, d, "pbx-check")
        await page.get_by_role("button", name="Look now").click()
        await expect(page.locator("#check")).to_contain_text("Looking …")
        may_end.set()
        await expect(page.locator(".findings li").first).to_contain_text("Will not work")
        await expect(page.locator(".findings li").first).to_contain_text("Load it.")
        await expect(page.locator("#check")).to_contain_text("asked for by olga")


async def test_the_audit_trail_is_filtered_checked_and_taken_along(look: Look, tmp_path: Path) -> None:
    """An incident is one click away; the check says that the chain holds; the file holds what the filter says."""
    async with full(tmp_path) as d:
        page = await log_in(look, d, "audit")
        await page.get_by_role("link", name="i-1.1").click()
        await expect(page.locator(".lines tbody tr")).to_have_count(1)
        await expect(page.locator(".lines tbody tr")).to_contain_text("bo")
        await page.get_by_role("button", name="Check the whole chain").click()
        await expect(page.locator("#chain")).to_contain_text("unbroken")
        await page.locator("#incident").fill("")
        await page.locator("#type").select_option("KeyPressed")
        async with page.expect_download() as saving:
            await page.get_by_role("button", name="Take along as a file").click()
        lines = await asyncio.to_thread((await (await saving.value).path()).read_text)
        assert [json.loads(line)["line"]["agent"] for line in lines.splitlines()] == ["anna", "bo"]


async def test_accounts_are_added_linked_changed_and_disabled(look: Look, tmp_path: Path) -> None:
    """The link is shown once; the list shows each change without a reload; a refusal is said in words."""
    async with full(tmp_path) as d:
        page = await log_in(look, d, "accounts")
        page.on("dialog", lambda dialog: dialog.accept())
        add = page.locator("section", has=page.get_by_role("heading", name="A further account"))
        await add.get_by_label("Name for the login").fill("kim")
        await add.get_by_role("button", name="Add").click()
        await expect(page.locator("#said")).to_contain_text("Something in the form is not as it should be: Roles")
        await add.get_by_label("Chief").check()
        await add.get_by_label("Person on call").select_option("anna")
        await add.get_by_role("button", name="Add").click()
        await expect(page.locator("#account-kim .tag")).to_have_text("Chief")
        await page.locator("#link-kim").click()
        await expect(page.locator("#once-text")).to_contain_text("/panel/setup?token=")
        await page.get_by_role("button", name="I have it").click()
        await expect(page.locator("#once-text")).to_be_empty()
        await page.locator("#edit-kim summary").click()
        await page.locator("#edit-kim").get_by_label("Backup").check()
        await page.locator("#edit-kim").get_by_role("button", name="Save").click()
        await expect(page.locator("#account-kim .tag")).to_have_text(["Backup", "Chief"])
        await page.locator("#disable-kim").click()
        await expect(page.locator("#account-kim")).to_contain_text("Disabled")
        kim = d.house.login.accounts.get("kim")
        assert (kim.disabled, kim.roles, kim.person) == (True, frozenset({Role.CHIEF, Role.BACKUP}), "anna")


async def test_a_token_is_shown_once_and_revoked(look: Look, tmp_path: Path) -> None:
    """What is shown opens its routes, until it is revoked."""
    async with full(tmp_path) as d:
        page = await log_in(look, d, "tokens")
        page.on("dialog", lambda dialog: dialog.accept())
        await page.get_by_label("Agent id, or the person on call").fill("anna")
        await page.get_by_label("What it is, for people").fill("desk phone 7")
        await page.get_by_role("button", name="Make a token").click()
        await expect(page.locator("#once-text")).not_to_be_empty()
        secret = await page.locator("#once-text").text_content()
        in_force = d.house.login.phone_tokens.in_force
        (token,) = d.house.login.phone_tokens.all()
        found = in_force.find(secret or "", token.kind)
        assert found is not None
        assert found.owner == "anna"
        await page.get_by_role("button", name="Revoke").click()
        await expect(page.locator(".row")).to_contain_text("revoked")
        assert in_force.find(secret or "", token.kind) is None


async def test_a_session_is_ended(look: Look, tmp_path: Path) -> None:
    """Somebody else's, not the own one; whoever it was is logged out."""
    async with full(tmp_path) as d:
        page = await log_in(look, d, "sessions")
        page.on("dialog", lambda dialog: dialog.accept())
        _, session = d.house.login.sessions.start("anna", "password", "10.0.0.7", "Phone")
        await page.reload()
        await expect(page.locator(".row")).to_have_count(2)
        await expect(page.get_by_role("button", name="End it")).to_have_count(1)
        await page.get_by_role("button", name="End it").click()
        await expect(page.locator(".row")).to_have_count(1)
        assert d.house.login.sessions.live(session.id) is None


@pytest.mark.parametrize("language", ["da", "sv", "fi", "nb", "en"])
async def test_axe_finds_nothing_and_nothing_sticks_out(look: Look, tmp_path: Path, language: str) -> None:
    """Every screen, in every language, at 320 pixels and in the dark; and what an auditor sees."""
    async with full(tmp_path, language) as d:
        d.admin.pbx.runs.start("olga", d.admin.pbx.check or pytest.fail)
        page = await log_in(look, d, viewport={"width": 320, "height": 640}, color_scheme="dark")
        for tab in TABS:
            await page.goto(f"{d.base}/panel/admin/{tab}".rstrip("/"))
            if language in ("en", "fi"):  # it takes its time; words are longest in Finnish
                assert (tab, await violations(page)) == (tab, [])
            assert (tab, await page.evaluate("document.documentElement.scrollWidth")) == (tab, 320)


async def test_an_auditor_has_four_screens_and_no_names(look: Look, tmp_path: Path) -> None:
    """What is not theirs is not offered, and not opened."""
    async with full(tmp_path) as d:
        await d.house.account("per", Role.AUDITOR)
        page = await log_in(look, d, "audit", name="per")
        await expect(page.locator(".tabs a")).to_have_text(
            ["Overview", "Policy", "Who can be reached", "Report", "Audit trail"]
        )
        await expect(page.locator(".lines")).to_contain_text("person-")
        assert not re.search(r"\b(anna|bo)\b", await page.locator("main").inner_text())
        assert (await page.request.get(f"{d.base}/panel/admin/accounts")).status == 403
        assert await violations(page) == []


async def test_a_screen_whose_session_is_over_keeps_what_it_shows_and_says_so(look: Look, tmp_path: Path) -> None:
    """What is fetched anew is no list any more; it does not take the list's place."""
    async with full(tmp_path) as d:
        page = await log_in(look, d, "accounts")
        await expect(page.locator(".row")).to_have_count(2)
        d.house.login.sessions.forget_all("olga")
        await page.evaluate("document.getElementById('list').dispatchEvent(new Event('refresh'))")
        await expect(page.locator("#said")).to_have_text("You are logged out.")
        await expect(page.locator(".row")).to_have_count(2)
