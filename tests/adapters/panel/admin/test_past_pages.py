"""Pages that are over, in the panel: one with its times, those of a time, the figures; auditors read no names."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.accounts.model import Role
from policies import events as ev
from policies.events import Report
from policies.pages import KEEP_ANSWERED_S
from tests.adapters.panel.admin.desk import Client, Desk, desk


async def answered(d: Desk, took_s: float = 30, by: str = "anna", reason: str = "call") -> str:
    """Let a page be opened, delivered, answered, and forgotten by the core; return its id."""
    engine = d.engine
    engine.take(ev.PageOpened(**engine.stamp(), plan="backup", incident="i-7", reason=reason))
    await d.until(lambda: any(t.sent_at for p in engine.state.pages.values() for t in p.told))
    ((id_, page),) = engine.state.pages.items()
    d.clock.forward(took_s)
    engine.take(ev.MessageReported(**engine.stamp(), message=page.told[0].message, report=Report.DELIVERED))
    engine.take(ev.PageAnswered(**engine.stamp(), page=id_, by=by, means="mqtt"))
    await d.until(lambda: not engine.state.pages[id_].is_open)
    d.clock.forward(KEEP_ANSWERED_S + 1)
    await engine.run_due()
    await d.until(lambda: id_ not in engine.state.pages)
    return id_


async def until_saved(d: Desk, client: Client, page: str) -> dict[str, Any]:
    """Return a page as the store has it: what the core has forgotten is on its way there."""
    async with asyncio.timeout(10):
        while True:
            status, told = await client.get(f"/v1/pages/{page}")
            if status == 200 and told["answered_by"]:
                return dict(told)


async def test_a_page_that_is_over_is_read_from_the_store_with_its_times(tmp_path: Path) -> None:
    """Queued, sent, delivered, answered, by whom, by which means, how long it took; and no address."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        page = await answered(d)
        told = await until_saved(d, admin, page)
        assert (told["answered_by"], told["means"], told["answer_s"]) == ("anna", "mqtt", 30.0)
        (message,) = told["told"]
        assert (message["person"], message["delivery"]) == ("anna", "delivered")
        times = [message[name] for name in ("queued_at", "sent_at", "delivered_at")]
        assert times == sorted(times)
        assert all(times)
        assert "address" not in message
        seen = await admin.page(f"/panel/admin/report/{page}")
        assert "anna</b> has taken it: the on-call phone" in seen
        assert "(the on-call phone, after 0:30)" in seen


async def test_an_open_page_is_shown_as_it_is_now(tmp_path: Path) -> None:
    """From the core's state, not from the store."""
    async with desk(tmp_path) as d:
        chief = await d.of(Role.CHIEF)
        d.engine.take(ev.PageOpened(**d.engine.stamp(), plan="backup", incident="i-1", reason="drill"))
        await d.until(lambda: d.engine.state.pages)
        (page,) = d.engine.state.pages
        status, told = await chief.get(f"/v1/pages/{page}")
        assert (status, told["answered_by"], told["answer_s"], told["reason"]) == (200, "", None, "drill")


async def test_pages_of_a_time_newest_first_page_by_page(tmp_path: Path) -> None:
    """`next` leads on until there is no more; a time without a zone is the site's; the list opens in the browser."""
    async with desk(tmp_path) as d:
        began = d.clock.now()
        made = [await answered(d) for _ in range(3)]
        admin = await d.of(Role.ADMIN)  # hours later; a session would be over by now
        await until_saved(d, admin, made[-1])
        _, first = await admin.get("/v1/pages?most=2")
        _, second = await admin.get(f"/v1/pages?most=2&before={first['next']}")
        assert [p["id"] for told in (first, second) for p in told["pages"]] == made[::-1]
        assert [len(told["pages"]) for told in (first, second)] == [2, 1]
        assert second["next"] is None
        local = (began + timedelta(hours=1, minutes=30)).replace(tzinfo=None)  # Copenhagen's clock, in winter
        _, later = await admin.get(f"/v1/pages?since={local.isoformat()}")
        assert [p["id"] for p in later["pages"]] == made[:0:-1]
        assert made[0] in await admin.page("/panel/admin/report")


@pytest.mark.parametrize("path", ["/v1/pages?since=tomorrow", "/v1/pages?since=0001-01-01T00:00", "/v1/report?most=3"])
async def test_what_is_no_query_is_refused(tmp_path: Path, path: str) -> None:
    """With what is wrong."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        status, refused = await admin.get(path)
        assert (status, refused["type"]) == (422, "urn:bagvagt:problem:not-valid")


async def test_what_is_not_there(tmp_path: Path) -> None:
    """Neither a page, nor a place to go on from; in words on the screen."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        for path in ("/v1/pages/p-none", "/v1/pages?before=p-none"):
            assert (await admin.get(path))[0] == 404
        status, text, _ = await admin.browser.get("/panel/admin/report/p-none")
        assert status == 404
        assert "There is no such page, or not any more." in text
        status, text, _ = await admin.browser.get("/panel/admin/report?since=never")
        assert status == 422
        assert "Something in the form is not as it should be." in text


async def test_an_auditor_reads_the_same_times_and_no_names(tmp_path: Path) -> None:
    """One pseudonym within the page's incident; the duty desk's people, who know each other, read names."""
    async with desk(tmp_path) as d:
        page = await answered(d)
        auditor, chief = await d.of(Role.AUDITOR), await d.of(Role.CHIEF)
        named = await until_saved(d, chief, page)
        masked = await until_saved(d, auditor, page)
        pseudonym = d.admin.pseudonyms.of("i-7", "anna")
        assert (named["answered_by"], named["told"][0]["person"]) == ("anna", "anna")
        assert (masked["answered_by"], masked["told"][0]["person"]) == (pseudonym, pseudonym)
        assert masked["answer_s"] == named["answer_s"]
        _, told = await auditor.get("/v1/pages")
        assert told["names"] is False
        for text in (
            str(told),
            await auditor.page("/panel/admin/report"),
            await auditor.page(f"/panel/admin/report/{page}"),
        ):
            assert pseudonym in text
            assert "anna<" not in text
            assert "'anna'" not in text


async def test_looking_at_what_is_over_is_written_down(tmp_path: Path) -> None:
    """Who, and at which page."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        page = await answered(d)
        await until_saved(d, admin, page)
        async with asyncio.timeout(10):
            while True:
                _, trail = await admin.get("/v1/audit?type=AccessChanged")
                if any(line["line"]["what"] == f"page_read: {page}" for line in trail["lines"]):
                    break


async def test_the_report_counts_and_names_nobody(tmp_path: Path) -> None:
    """Of the last thirty days unless asked otherwise; drills apart; for an auditor the same."""
    async with desk(tmp_path) as d:
        for reason in ("call", "call", "drill"):
            page = await answered(d, reason=reason)
        auditor = await d.of(Role.AUDITOR)
        await until_saved(d, auditor, page)
        _, told = await auditor.get("/v1/report")
        assert [(s["sort"], s["pages"]) for s in told["sorts"]] == [("alarm", 2), ("drill", 1)]
        assert told["sorts"][0]["took"][0]["p50_s"] == 30.0
        assert told["sorts"][0]["plans"][0]["late"] == 0
        _, strict = await auditor.get("/v1/report?late_after_s=20")
        assert strict["sorts"][0]["plans"][0]["late"] == 2
        _, earlier = await auditor.get("/v1/report?until=2026-01-01T00:00")
        assert earlier["sorts"] == []
        assert "anna" not in str(told)
