"""A test of the way to the backup: on the live path, seen step by step, and never in the way of an alarm."""

import asyncio
from pathlib import Path

from adapters.accounts.model import Role
from policies import events as ev
from policies.rules import Severity
from tests.adapters.panel.admin.desk import desk

PATH = "/v1/test-pages"


async def test_a_test_goes_the_way_of_an_alarm_and_says_that_it_is_one(tmp_path: Path) -> None:
    """The first rung is told by its channel; the message's reason is "test"; the next rung follows in its time."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        status, begun = await admin.send("POST", PATH, {"plan": "backup"})
        assert status == 202
        await d.until(lambda: d.pager.sent)
        sent = d.pager.sent[0]
        assert (sent.person, sent.channel, sent.reason, sent.severity) == ("anna", "mqtt", "test", Severity.NORMAL)
        assert sent.incident == begun["incident"]
        assert d.said("test_page: backup")[0][0] == "admin"
        d.clock.forward(61)
        await d.engine.run_due()
        await d.until(lambda: len(d.pager.sent) > 1)


async def test_its_time_line_shows_who_was_told_and_who_has_it(tmp_path: Path) -> None:
    """Sent is not answered; a person's answer ends it, and stays to be seen."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        _, begun = await admin.send("POST", PATH, {"plan": "backup"})
        await d.until(lambda: any(t.delivery for p in d.engine.state.pages.values() for t in p.told))
        _, seen = await admin.get(f"{PATH}/{begun['incident']}")
        assert [(t["person"], t["delivery"]) for t in seen["told"]] == [("anna", "sent")]
        assert seen["answered_by"] == ""
        assert "data-poll" in await admin.page("/panel/admin/test-page")
        d.engine.take(ev.PageAnswered(**d.engine.stamp(), page=seen["id"], by="anna", means="http"))
        after = seen
        async with asyncio.timeout(10):
            while after.get("answered_by") != "anna":  # while the answer is being written down there is no such test
                _, after = await admin.get(f"{PATH}/{begun['incident']}")
        page = await admin.page("/panel/admin/test-page")
        assert "anna has it" in page
        assert "data-poll" not in page.split("<main")[1].split("</main")[0]


async def test_two_tests_of_one_plan_are_one_too_many(tmp_path: Path) -> None:
    """Nobody's phone is rung twice for the same test."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        await admin.send("POST", PATH, {"plan": "backup"})
        await d.until(lambda: d.engine.state.pages)
        status, refused = await admin.send("POST", PATH, {"plan": "backup"})
        assert (status, refused["type"]) == (409, "urn:bagvagt:problem:test-open")


async def test_while_an_acute_alarm_is_open_no_test_begins(tmp_path: Path) -> None:
    """Whoever is reached for life and death is not asked to read whether it is a test. An alarm is no test."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        alarm = ev.PageOpened(**d.engine.stamp(), plan="backup", incident="i-1", reason="call", severity=Severity.ACUTE)
        d.engine.take(alarm)
        await d.until(lambda: d.engine.state.pages)
        status, refused = await admin.send("POST", PATH, {"plan": "backup"})
        assert (status, refused["type"]) == (409, "urn:bagvagt:problem:alarm-open")
        assert len(d.engine.state.pages) == 1
        assert (await admin.get(PATH))[1] == {"pages": []}
        assert (await admin.get(f"{PATH}/i-1"))[0] == 404


async def test_an_alarm_goes_out_while_a_test_is_open(tmp_path: Path) -> None:
    """A test takes nothing from it: neither is there a queue, nor a limit that both share."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        await admin.send("POST", PATH, {"plan": "backup"})
        await d.until(lambda: d.pager.sent)
        alarm = ev.PageOpened(**d.engine.stamp(), plan="backup", incident="i-1", reason="call", severity=Severity.ACUTE)
        d.engine.take(alarm)
        await d.until(lambda: [m for m in d.pager.sent if m.severity is Severity.ACUTE])


async def test_a_plan_that_is_not_there(tmp_path: Path) -> None:
    """Refused with those that there are; nothing is opened."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        status, refused = await admin.send("POST", PATH, {"plan": "none"})
        assert (status, refused["plans"]) == (404, ["backup"])
        assert not d.engine.state.pages
