"""The audit trail in the panel: filtered, paged, checked, taken along. Looking leaves a line; auditors see no names."""

import asyncio
import json
import re
import sqlite3
from datetime import timedelta
from pathlib import Path

from adapters.accounts.from_settings import audit_by
from adapters.accounts.model import Role
from adapters.panel.admin.pseudonyms import Pseudonyms
from adapters.panel.admin.trail import Trail
from adapters.store.chain import Head, digest
from adapters.store.journal import open_journal
from policies.events import BreakEnded, Event, KeyPressed
from policies.model import AgentId, Does, KeyUse, Source
from telephony.ports import Entry
from tests.adapters.accounts.house import url_in
from tests.adapters.panel.admin.desk import Client, Desk, desk
from tests.adapters.store.samples import guard_of
from tests.telephony.fakes import FakeClock

PATH = "/v1/audit"


async def fill(d: Desk, *agents: str) -> None:
    """Let each of them press a key, a minute apart, each in an incident of their own."""
    for number, agent in enumerate(agents):
        at = d.clock.now() + timedelta(minutes=number)
        key = KeyUse("warn", Does.WARN, "abuse")
        event = KeyPressed(id=f"k{number}", at=at, agent=AgentId(agent), key=key, source=Source.HTTP, pressed_at=at)
        await d.journal.commit(Entry(event, changed=[guard_of(f"{number}.1", agent=AgentId(agent))]))


async def keys(client: Client, query: str = "") -> list[str]:
    """Return who has pressed, newest first."""
    status, told = await client.get(f"{PATH}?type=KeyPressed{query}")
    assert status == 200, told
    return [line["line"]["agent"] for line in told["lines"]]


async def test_newest_first_filtered_and_page_by_page(tmp_path: Path) -> None:
    """By who, by time in the site's zone, by incident; `next` leads on until there is no more."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        await fill(d, "anna", "bo", "anna", "carl")
        assert await keys(admin) == ["carl", "anna", "bo", "anna"]
        assert await keys(admin, "&who=anna") == ["anna", "anna"]
        assert await keys(admin, "&since=2026-03-27T12:01&until=2026-03-27T12:03") == ["anna", "bo"]
        assert await keys(admin, "&incident=i-1.1") == ["bo"]
        _, first = await admin.get(f"{PATH}?type=KeyPressed&most=3")
        _, second = await admin.get(f"{PATH}?type=KeyPressed&most=3&before={first['next']}")
        seen = [line["line"]["agent"] for page in (first, second) for line in page["lines"]]
        assert seen == ["carl", "anna", "bo", "anna"]
        assert second["next"] is None
        assert first["lines"][0]["incident"] == "i-3.1"
        assert first["head"] == d.journal.head.hash


async def test_looking_is_written_down(tmp_path: Path) -> None:
    """Who, what was looked for, from where; a name that was looked for stands in the line's own field."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        await admin.get(f"{PATH}?type=KeyPressed&who=anna")
        await admin.page("/panel/admin/audit?incident=i-1.1")
        assert d.said("audit_read") == [
            ("admin", 'audit_read: {"type": "KeyPressed"}', "anna", "127.0.0.1"),
            ("admin", 'audit_read: {"incident": "i-1.1"}', "", "127.0.0.1"),
        ]


async def test_an_auditor_follows_an_incident_and_learns_no_name(tmp_path: Path) -> None:
    """One person is one pseudonym within an incident and another in the next; nobody can be looked for by name."""
    async with desk(tmp_path) as d:
        auditor = await d.of(Role.AUDITOR)
        await fill(d, "anna", "bo", "anna")
        ended: Event = BreakEnded(id="b", at=d.clock.now(), break_id="b", by="anna")
        await d.journal.commit(Entry(ended, changed=[guard_of("0.1")]))
        status, told = await auditor.get(f"{PATH}?most=4")
        assert status == 200
        assert told["names"] is False
        by = {line["incident"]: {line["line"].get("agent"), line["line"].get("by")} for line in told["lines"]}
        assert len({*by["i-0.1"], *by["i-1.1"], *by["i-2.1"]} - {None}) == 3
        first = [line["line"] for line in told["lines"] if line["incident"] == "i-0.1"]
        assert len(first) == 2
        assert first[0]["by"] == first[1]["agent"]
        page = await auditor.page("/panel/admin/audit")
        assert not re.search(r"\b(anna|bo)\b", page + json.dumps(told))
        status, refused = await auditor.get(f"{PATH}?who=anna")
        assert (status, refused["type"]) == (403, "urn:bagvagt:problem:names")
        assert (await auditor.get("/v1/audit.jsonl?who=anna"))[0] == 403
        assert 'name="who"' not in page


def test_pseudonyms_cannot_be_worked_out_from_a_list_of_names() -> None:
    """They are keyed; addresses are left out; who administers is one person throughout, apart from all incidents."""
    one, other = Pseudonyms(b"1" * 32), Pseudonyms(b"2" * 32)
    assert one.of("i-1", "anna") == one.of("i-1", "Anna") != other.of("i-1", "anna")
    line = {"type": "AccessChanged", "at": "2026-03-27T11:00", "by": "olga", "whom": "anna", "address": "10.0.0.7"}
    told = one.line(line, "")
    assert "address" not in told
    assert told["by"] == one.line({**line, "at": "2026-04-01T11:00"}, "")["by"]
    assert told["by"] != one.of("i-1", "olga")
    key = {"type": "KeyPressed", "at": "2026-03-27T11:00", "agent": "anna"}
    assert one.line(key, "")["agent"] != one.line({**key, "at": "2026-03-28T11:00"}, "")["agent"]


async def test_a_download_holds_all_lines_and_can_be_checked_by_anybody(tmp_path: Path) -> None:
    """Oldest first, a thousand and more; for an admin each line's hash follows from the one before."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        await asyncio.gather(*(d.journal.commit(Entry(_ended(d, n))) for n in range(1100)))
        status, text, answer = await admin.browser.get("/v1/audit.jsonl")
        assert status == 200
        assert answer.headers["Content-Disposition"].startswith("attachment")
        lines = [json.loads(line) for line in text.splitlines()]
        assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
        assert len(lines) >= 1100
        for line in lines:
            written = json.dumps(line["line"], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
            assert digest(line["prev_hash"], written) == line["hash"]
        assert d.said("audit_downloaded")


def _ended(d: Desk, number: int) -> BreakEnded:
    return BreakEnded(id=f"e{number}", at=d.clock.now(), break_id=f"b{number}", by="kim")


async def test_a_check_of_the_whole_chain_says_that_it_holds(tmp_path: Path) -> None:
    """In the background; how many lines, and the head that can be compared with a published one."""
    async with desk(tmp_path) as d:
        auditor = await d.of(Role.AUDITOR)
        await fill(d, "anna", "bo")
        assert (await auditor.get(f"{PATH}/verify"))[1]["holds"] is None
        status, _ = await auditor.send("POST", f"{PATH}/verify")
        assert status == 202
        await d.until(lambda: d.admin.trail.runs.latest.ended_at)
        _, found = await auditor.get(f"{PATH}/verify")
        assert (found["state"], found["holds"], found["checked"]) == ("done", True, d.journal.head.seq)
        assert Head.parse(found["head"]) == d.journal.head
        assert len(d.said("audit_verified")) == 1
        assert "unbroken" in await auditor.page("/panel/admin/audit")


async def test_a_chain_that_was_tampered_with_is_told_with_its_line(tmp_path: Path) -> None:
    """A changed line, and an end that was cut off since the service has written it."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        await fill(d, "anna", "bo", "carl")
        end = d.journal.head.seq
        assert await _verified(
            d, admin, "UPDATE audit SET line = replace(line, 'bo', 'xx') WHERE seq = ?", end - 1
        ) == (
            False,
            end - 1,
        )
        assert "BROKEN" in await admin.page("/panel/admin/audit/chain")
        undo = "UPDATE audit SET line = replace(line, 'xx', 'bo') WHERE seq = ?"
        assert await _verified(d, admin, undo, end - 1) == (True, None)
        assert await _verified(d, admin, "DELETE FROM audit WHERE seq = ?", end) == (False, end)


async def _verified(d: Desk, admin: Client, tampering: str, seq: int) -> tuple[bool, int | None]:
    with sqlite3.connect(d.folder / "journal.db") as store:
        for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            store.execute(f"DROP TRIGGER {name}")  # whoever owns the file can
        store.execute(tampering, [seq])
    await admin.send("POST", f"{PATH}/verify")
    await d.until(lambda: d.admin.trail.runs.latest.ended_at)
    found = (await admin.get(f"{PATH}/verify"))[1]
    return found["holds"], found["first_bad"]


async def test_a_check_ends_at_its_time_limit(tmp_path: Path) -> None:
    """A chain of years on a slow disk holds nothing up for ever."""
    async with open_journal(url_in(tmp_path)) as journal:
        clock = FakeClock()
        ended = [BreakEnded(id=f"e{n}", at=clock.now(), break_id="b", by="kim") for n in range(1000)]
        await asyncio.gather(*(journal.commit(Entry(event)) for event in ended))
        trail = Trail(url_in(tmp_path), lambda: journal.head, clock, limit_s=0.0)
        trail.verify("olga")
        async with asyncio.timeout(10):
            while trail.runs.latest.ended_at is None:  # noqa: ASYNC110 -- it signals nobody
                await asyncio.sleep(0.001)
        assert trail.runs.latest.state == "late"
        await trail.close()


async def test_what_is_wrong_with_the_query_is_named(tmp_path: Path) -> None:
    """On the screen the form stays as it was; over the API the field is named."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        status, refused = await admin.get(f"{PATH}?since=soon&more=1")
        assert (status, {e["where"] for e in refused["errors"]}) == (422, {"since", "more"})
        status, page, _ = await admin.browser.get("/panel/admin/audit?since=soon&who=anna")
        assert status == 422
        assert 'value="anna"' in page
        assert d.said("audit_read") == []


async def test_a_store_that_fails_is_a_503(tmp_path: Path) -> None:
    """And no 500."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        d.admin.trail._url = f"sqlite:///{tmp_path / 'gone.db'}"
        status, refused = await admin.get(PATH)
        assert (status, refused["type"]) == (503, "urn:bagvagt:problem:store")


async def test_a_line_of_administration_is_read_with_whom_and_where(tmp_path: Path) -> None:
    """What the engine writes down of it shows in full to an admin."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        audit_by(d.engine)("olga", "audit_read", "anna", "10.0.0.7")
        lines: list[dict[str, str]] = []
        async with asyncio.timeout(10):
            while not lines:
                _, told = await admin.get(f"{PATH}?type=AccessChanged&who=anna")
                lines = [line["line"] for line in told["lines"]]
        wanted = {"by": "olga", "what": "audit_read", "whom": "anna", "address": "10.0.0.7"}
        assert lines[0].items() >= wanted.items()
        assert "10.0.0.7" in await admin.page("/panel/admin/audit?type=AccessChanged")
