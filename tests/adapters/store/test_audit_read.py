"""Reading the audit chain with a filter: what fits and nothing else, page by page; the writer does not wait."""

import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.store.audit import Wanted, read, verify
from adapters.store.journal import StoreJournal, open_journal
from policies import actions as act
from policies.events import BreakEnded, Event, KeyPressed, PageAnswered
from policies.guards import CallState
from policies.handoffs import Handoff, HandoffState
from policies.model import AgentId, CallId, Does, KeyUse, LegId, Source, Target
from policies.reasons import Reason
from policies.rules import LeaveWhen
from telephony.ports import Entry
from tests.adapters.store.samples import T0, break_of, entry_of, guard_of


def pressed(number: int, agent: str = "agent7") -> KeyPressed:
    at = T0 + timedelta(minutes=number)
    key = KeyUse("f8", Does.WARN, "abuse")
    return KeyPressed(id=f"k{number}", at=at, agent=AgentId(agent), key=key, source=Source.CODE, pressed_at=at)


async def fill(journal: StoreJournal) -> None:
    """Seven lines: keys of two agents, an incident's call and break, a page's answer."""
    await journal.commit(Entry(pressed(1), changed=[guard_of("1.1")]))
    await journal.commit(Entry(pressed(2, "Per"), changed=[guard_of("2.2")]))
    await journal.commit(Entry(pressed(3), changed=[guard_of("1.1", state=CallState.WARNED)]))
    await journal.commit(entry_of("e4", break_of("1.1")))  # its incident is the call's
    tell = act.Tell(
        id="k5/0", agent=AgentId("agent7"), agent_leg=None, press="k5", verdict=act.Verdict.NOT_YET, reason=Reason.WAIT
    )
    await journal.commit(Entry(pressed(5), told=[tell]))
    answered: Event = PageAnswered(id="e6", at=T0 + timedelta(minutes=6), page="p", by="Agent7", means="mqtt")
    await journal.commit(Entry(answered))
    await journal.commit(Entry(BreakEnded(id="e7", at=T0 + timedelta(minutes=7), break_id="b", by="k_m")))


def seqs(url: str, most: int = 50, **more: Any) -> list[int]:
    cursor = {name: more.pop(name) for name in ("before", "after") if name in more}
    return [one.seq for one, _, _ in read(url, Wanted(**more), most=most, **cursor).lines]


@pytest.mark.parametrize(
    ("wanted", "lines"),
    [
        ({}, [7, 6, 5, 4, 3, 2, 1]),
        ({"type": "KeyPressed"}, [5, 3, 2, 1]),
        ({"type": "Tell"}, []),  # that is an action in a line, and no line's own type
        ({"who": "agent7"}, [6, 5, 3, 1]),
        ({"who": "AGENT7"}, [6, 5, 3, 1]),
        ({"who": "k_m"}, [7]),
        ({"who": "k%"}, []),
        ({"who": 'x","agent":"Per'}, []),
        ({"since": T0 + timedelta(minutes=3), "until": T0 + timedelta(minutes=6)}, [5, 3]),
        ({"incident": "i-1.1"}, [4, 3, 1]),
        ({"incident": "none"}, []),
        ({"type": "KeyPressed", "who": "agent7", "incident": "i-1.1"}, [3, 1]),
    ],
)
async def test_only_what_fits(url: str, wanted: dict[str, Any], lines: list[int]) -> None:
    """By type, by who, by time, by incident, and by all at once; newest first."""
    async with open_journal(url) as journal:
        await fill(journal)
        assert await asyncio.to_thread(seqs, url, **wanted) == lines


async def test_page_after_page_leaves_nothing_out(url: str) -> None:
    """The place is the cursor, so lines that come meanwhile move nothing; both ways, to the very end."""
    async with open_journal(url) as journal:
        await fill(journal)
        first = read(url, Wanted(type="KeyPressed"), most=3)
        assert ([one.seq for one, _, _ in first.lines], first.more) == ([5, 3, 2], True)
        await journal.commit(Entry(pressed(9)))
        second = read(url, Wanted(type="KeyPressed"), most=3, before=2)
        assert ([one.seq for one, _, _ in second.lines], second.more) == ([1], False)
        assert seqs(url, most=2, after=0) == [1, 2]
        assert seqs(url, most=9, after=6) == [7, 8]
        assert second.head == journal.head


async def test_a_line_tells_its_incident(url: str) -> None:
    """By what it changed: the call, the break, and the handoff of a call; a line that changed nothing has none."""
    handoff = Handoff(
        id="h1",
        call=CallId("2.2"),
        caller=LegId("2.2"),
        agent=AgentId("agent7"),
        role="colleague",
        targets=(Target("Bo", "PJSIP/bo"),),
        at=0,
        ring="e8/0",
        leg=None,
        leave=LeaveWhen.BY_KEY,
        ring_s=15.0,
        brief="",
        then="",
        state=HandoffState.RINGING,
    )
    async with open_journal(url) as journal:
        await fill(journal)
        await journal.commit(entry_of("e8", handoff))
        found = {one.seq: incident for one, _, incident in read(url, Wanted(), most=50).lines}
        assert found == {1: "i-1.1", 2: "i-2.2", 3: "i-1.1", 4: "i-1.1", 5: "", 6: "", 7: "", 8: "i-2.2"}
        assert seqs(url, incident="i-2.2") == [8, 2]


async def test_the_writer_does_not_wait_for_a_reader(url: str) -> None:
    """A reader in the middle of the chain holds up no commit, and sees none of what came since."""
    async with open_journal(url, busy_s=0.2) as journal:
        await asyncio.gather(*(journal.commit(Entry(pressed(n))) for n in range(2003)))
        counts: list[int] = []
        reading, go_on = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def progress(count: int) -> None:
            counts.append(count)
            loop.call_soon_threadsafe(reading.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)

        checking = asyncio.create_task(asyncio.to_thread(verify, url, None, progress))
        await reading.wait()
        await journal.commit(Entry(pressed(3000)))
        go_on.set()
        found = await checking
        assert counts == [1000, 2000]
        assert (found.count, found.first_bad) == (2003, None)
        assert journal.head.seq == 2004


async def test_a_check_is_ended_by_its_progress(url: str) -> None:
    """What it raises comes out: so a check can be stopped."""

    def progress(_count: int) -> None:
        raise TimeoutError

    async with open_journal(url) as journal:
        await asyncio.gather(*(journal.commit(Entry(pressed(n))) for n in range(1000)))
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(verify, url, None, progress)


async def test_a_line_that_somebody_changed_is_no_reason_to_fall_over(url: str, path: Path) -> None:
    """Reading goes on; it is the check that says where the chain is broken."""
    async with open_journal(url) as journal:
        await fill(journal)
    with sqlite3.connect(path) as store:
        for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            store.execute(f"DROP TRIGGER {name}")  # whoever owns the file can
        store.execute("UPDATE audit SET line = '[not, a line' WHERE seq = 3")
        store.execute("UPDATE audit SET line = '{\"changed\": 5}' WHERE seq = 2")
    assert seqs(url) == [7, 6, 5, 4, 3, 2, 1]
