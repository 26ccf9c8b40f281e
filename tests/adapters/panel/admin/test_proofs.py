"""The ways to people, in the panel: what was tried, and a test of one of them now."""

import asyncio
from pathlib import Path

from adapters.accounts.model import Role
from policies import events as ev
from policies.proofs import ProofState
from policies.rules import Severity
from tests.adapters.panel.admin.desk import Client, Desk, desk

PATH = "/v1/proofs"


async def paths(client: Client) -> dict[tuple[str, str], dict[str, object]]:
    """Return the ways, by person and channel."""
    status, told = await client.get(PATH)
    assert status == 200
    return {(p["person"], p["channel"]): p for p in told["proofs"]}


async def known(d: Desk) -> None:
    """Wait until the core knows the ways of the policy."""
    await d.until(lambda: set(d.engine.state.proofs) == {"anna/mqtt", "bo/mqtt"})


async def test_every_way_of_the_policy_is_there_and_none_is_proved_by_itself(tmp_path: Path) -> None:
    """With the policy's own rule beside it."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        await known(d)
        _, told = await admin.get(PATH)
        assert told["rules"] == {"every_days": 30, "lapse_s": 86_400.0}
        assert [(p["person"], p["state"], p["proved_at"]) for p in told["proofs"]] == [
            ("anna", "unproved", None),
            ("bo", "unproved", None),
        ]


async def test_a_test_goes_out_now_says_that_it_is_one_and_an_answer_proves_the_way(tmp_path: Path) -> None:
    """To this person on this channel alone; sent is not proved; who asked for it stands in the audit trail."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        await known(d)
        status, begun = await admin.send("POST", f"{PATH}/anna/mqtt")
        assert (status, begun) == (202, {"person": "anna", "channel": "mqtt"})
        await d.until(lambda: d.engine.state.proofs["anna/mqtt"].told is not None and d.pager.sent)
        (sent,) = d.pager.sent
        assert (sent.person, sent.channel, sent.reason) == ("anna", "mqtt", "test")
        assert (await paths(admin))["anna", "mqtt"]["state"] == "asked"
        d.clock.forward(20)
        page = d.engine.state.proofs["anna/mqtt"].page
        d.engine.take(ev.PageAnswered(**d.engine.stamp(), page=page, by="anna", means="mqtt"))
        await d.until(lambda: d.engine.state.proofs["anna/mqtt"].state is ProofState.PROVED)
        seen = await paths(admin)
        assert (seen["anna", "mqtt"]["state"], seen["anna", "mqtt"]["days"]) == ("proved", 0)
        assert seen["bo", "mqtt"]["state"] == "unproved"
        async with asyncio.timeout(10):
            while not (await admin.get("/v1/audit?type=ProofAsked&who=admin"))[1]["lines"]:
                pass


async def test_nobody_is_tested_whom_policy_does_not_know(tmp_path: Path) -> None:
    """Nor on a channel that they have not."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        for path in ("nobody/mqtt", "anna/sms"):
            status, refused = await admin.send("POST", f"{PATH}/{path}")
            assert (status, refused["type"]) == (404, "urn:bagvagt:problem:no-such-path")
        assert d.pager.sent == []


async def test_while_an_acute_alarm_is_open_no_test_begins(tmp_path: Path) -> None:
    """One that was answered does not stand in the way any more."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        alarm = ev.PageOpened(**d.engine.stamp(), plan="backup", incident="i-1", reason="call", severity=Severity.ACUTE)
        d.engine.take(alarm)
        await d.until(lambda: d.engine.state.pages)
        status, refused = await admin.send("POST", f"{PATH}/anna/mqtt")
        assert (status, refused["type"]) == (409, "urn:bagvagt:problem:alarm-open")
        (page,) = d.engine.state.pages
        d.engine.take(ev.PageAnswered(**d.engine.stamp(), page=page, by="bo", means="http"))
        await d.until(lambda: not d.engine.state.pages[page].is_open)
        assert (await admin.send("POST", f"{PATH}/anna/mqtt"))[0] == 202
        assert (await admin.send("POST", "/v1/test-pages", {"plan": "backup"}))[0] == 202


async def test_an_auditor_sees_the_state_and_no_names_and_tests_nobody(tmp_path: Path) -> None:
    """In the list, on the screen, and in the audit trail, where the id of a proof holds a name."""
    async with desk(tmp_path) as d:
        auditor = await d.of(Role.AUDITOR)
        await known(d)
        pseudonym = d.admin.pseudonyms.of("proofs", "anna")
        assert (pseudonym, "mqtt") in await paths(auditor)
        seen = await auditor.page("/panel/admin/proofs")
        assert pseudonym in seen
        assert "Test now" not in seen
        assert "anna" not in seen
        assert (await auditor.send("POST", f"{PATH}/anna/mqtt"))[0] == 403
        d.engine.take(ev.ProofAsked(**d.engine.stamp(), person="anna", channel="mqtt", by="olga"))
        await d.until(lambda: d.pager.sent)
        lines: list[dict[str, object]] = []
        async with asyncio.timeout(10):
            while not lines:
                _, told = await auditor.get("/v1/audit?type=ProofAsked")
                lines = told["lines"]
        assert "/mqtt" in str(lines)
        assert "anna" not in str(lines)
        assert "olga" not in str(lines)
