"""The journal port: what was committed is read back, in order, and the timers with it."""

import asyncio
import json
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.store.audit import verify
from adapters.store.database import open_engine
from adapters.store.errors import EntryRefusedError, StoreClosedError, StoreUnavailableError
from adapters.store.journal import open_journal
from adapters.store.timers import Due, Timers
from policies import actions as act
from policies.breaks import BreakState
from policies.events import PolicyLoaded
from policies.guards import CallState
from policies.model import Timer
from policies.rules import OfficeHours, Severity
from telephony.ports import Entry, LostRelease
from tests.adapters.store.samples import (
    T0,
    break_of,
    entry_of,
    event_of,
    full_entry,
    guard_of,
    page_of,
    pause_of,
    permit_for,
)
from tests.policies.story import RULES


async def test_a_restart_reads_back_what_stands(url: str) -> None:
    """Entities that are not over, as they were last, and actions without an outcome, oldest first."""
    guard = guard_of("1.1")
    warned = replace(guard, state=CallState.WARNED)
    release = act.Release(id="e2/0", permit=permit_for("e2", "1.1"))
    async with open_journal(url) as journal:
        await journal.commit(entry_of("e1", guard, break_of("b1"), actions=[pause_of("b1"), pause_of("b2")]))
        await journal.commit(entry_of("e2", warned, actions=[release]))
        await journal.commit(entry_of("e3", done="b1/0", outcome="done"))
    async with open_journal(url) as journal:
        found = await journal.recover()
    assert dict(found.state.guards) == {"1.1": warned}
    assert dict(found.state.breaks) == {"b1": break_of("b1")}
    assert found.open_actions == (pause_of("b2"), LostRelease("e2/0", release.permit.call, "e2"))
    assert (found.state.connected, found.state.epoch) == (False, 0)


async def test_versions_of_the_policy_come_back_as_they_were(url: str) -> None:
    """A call under way is held to the rules it began with, also after a restart: office hours, plans and all."""
    older, newer = RULES, replace(RULES, version="newer", office=OfficeHours(holidays=frozenset({T0.date()})))
    async with open_journal(url) as journal:
        for number, rules in enumerate((older, newer)):
            event = PolicyLoaded(id=f"e{number}", at=T0 + timedelta(hours=number), rules=rules)
            await journal.commit(Entry(event))
    async with open_journal(url) as journal:
        found = await journal.recover()
    assert found.policies == ((T0, older), (T0 + timedelta(hours=1), newer))


async def test_what_is_dropped_is_not_recovered_and_stays_in_the_store(url: str, path: Path) -> None:
    """The core forgets what is over; the store keeps it, with its last state and when it was opened."""
    over = break_of("b1", BreakState.OVER)
    async with open_journal(url) as journal:
        await journal.commit(entry_of("e1", break_of("b1")))
        await journal.commit(entry_of("e2", over, dropped=[over]))
        assert not (await journal.recover()).state.breaks
    with sqlite3.connect(path) as other:
        assert other.execute('SELECT state, "over", incident FROM entity').fetchall() == [("over", 1, "i-b1")]


async def test_the_first_outcome_of_an_action_stands(url: str, path: Path) -> None:
    """A second answer, or one for an action that nobody journaled, changes nothing and is no error."""
    async with open_journal(url) as journal:
        await journal.commit(full_entry("b1"))
        await journal.commit(entry_of("e2", done="b1/0", outcome="done"))
        await journal.commit(entry_of("e3", done="b1/0", outcome="unknown"))
        await journal.commit(entry_of("e4", done="ghost", outcome="done"))
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT id, outcome FROM intent").fetchall() == [("b1/0", "done")]


async def test_timer_actions_are_no_intents(url: str) -> None:
    """They come in `Entry.timers`; as intents they would never be closed."""
    timer = Timer("break", "b1", "over")
    acts = [act.StartTimer(id="e/0", timer=timer, due_at=T0), act.CancelTimer(id="e/1", timer=timer)]
    async with open_journal(url) as journal:
        await journal.commit(entry_of("e1", actions=acts))
        assert (await journal.recover()).open_actions == ()


async def test_timers_survive_and_stay_until_dropped(url: str) -> None:
    """Due timers come oldest first, again and again; reset and dropped ones follow the entries; all survive."""
    early, late, gone = (Timer("page", "p1", what) for what in ("early", "late", "gone"))
    async with open_journal(url) as journal:
        assert await journal.next_due() is None
        at = [(late, T0 + timedelta(seconds=2)), (gone, T0), (early, T0 + timedelta(seconds=9))]
        await journal.commit(entry_of("e1", timers=at))
        await journal.commit(entry_of("e2", timers=[(early, T0 + timedelta(seconds=1)), (gone, None)]))
    async with open_journal(url) as journal:
        assert await journal.next_due() == T0 + timedelta(seconds=1)
        assert not list(await journal.due_timers(T0))
        assert list(await journal.due_timers(T0 + timedelta(seconds=1))) == [early]
        assert list(await journal.due_timers(T0 + timedelta(seconds=2))) == [early, late]
        assert list(await journal.due_timers(T0 + timedelta(seconds=2))) == [early, late]


_TIMERS = st.builds(Timer, st.sampled_from(["call", "page"]), st.sampled_from("ab"), st.sampled_from("xy"))
_DUE = st.none() | st.builds(lambda s, u: Due(T0 + timedelta(seconds=s), u), st.integers(0, 5), st.booleans())


@given(st.lists(st.dictionaries(_TIMERS, _DUE, max_size=3), max_size=12), st.integers(0, 5))
def test_the_timers_in_memory_are_those_of_the_store(changes: list[dict[Timer, Due | None]], now_s: int) -> None:
    """Whatever is set, reset and dropped: what is due is what a plain dictionary says, urgent ones first."""
    timers, plain = Timers(), dict[Timer, Due]()
    for change in changes:
        timers.apply(change)
        for timer, due in change.items():
            plain.pop(timer, None)
            if due is not None:
                plain[timer] = due
    now = T0 + timedelta(seconds=now_s)
    wanted = sorted(
        (not due.urgent, due.at, t.entity, t.entity_id, t.what) for t, due in plain.items() if due.at <= now
    )
    assert list(timers.due(now)) == [Timer(*names) for _, _, *names in wanted]
    assert timers.next_due() == min((due.at for due in plain.values()), default=None)


async def test_acute_pages_and_calls_come_first_among_what_is_due(url: str) -> None:
    """Also after a restart, and when their page is not among what changed; within each, the oldest first."""
    normal = replace(page_of("p1"), severity=Severity.NORMAL)
    acute = replace(page_of("p2"), severity=Severity.ACUTE)
    late, early = T0 + timedelta(seconds=2), T0 + timedelta(seconds=1)
    names = [("break", "b1"), ("page", "p1"), ("proof", "a/sms"), ("page", "p2"), ("call", "1.1"), ("handoff", "h1")]
    async with open_journal(url) as journal:
        timers = [(Timer(*name, "next"), late if name[0] in {"page", "call"} else early) for name in names]
        await journal.commit(entry_of("e1", normal, acute, timers=timers))
        await journal.commit(entry_of("e2", timers=[(Timer("page", "p3", "next"), early)]))
        first = [(t.entity, t.entity_id) for t in await journal.due_timers(late)]
    async with open_journal(url) as journal:
        assert [(t.entity, t.entity_id) for t in await journal.due_timers(late)] == first
    assert first == [
        ("handoff", "h1"),
        ("page", "p3"),
        ("call", "1.1"),
        ("page", "p2"),
        ("break", "b1"),
        ("proof", "a/sms"),
        ("page", "p1"),
    ]


async def test_fifty_writers_keep_their_order_and_lose_nothing(url: str, path: Path) -> None:
    """Group commit: 1,000 entries of 50 writers are all there, in the order in which commit was called."""
    called: list[str] = []

    async def writer(number: int) -> None:
        for turn in range(20):
            called.append(f"w{number}-{turn}")
            await journal.commit(full_entry(called[-1]))

    async with open_journal(url) as journal:
        await asyncio.gather(*(writer(n) for n in range(50)))
        assert journal.head.seq == 1000
    with sqlite3.connect(path) as other:
        lines = [json.loads(line)["event"] for (line,) in other.execute("SELECT line FROM audit ORDER BY seq")]
        intents = [id_ for (id_,) in other.execute("SELECT event_id FROM intent ORDER BY seq")]
    assert lines == called
    assert intents == called
    assert verify(url).first_bad is None


async def test_in_a_group_only_the_entry_at_fault_fails(url: str, path: Path) -> None:
    """Entries that waited together go together; the one that the store refuses fails alone, and leaves nothing."""
    async with open_journal(url) as journal:
        await journal.commit(full_entry("b0"))
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")  # so that the group gathers behind the first of them
        bad = entry_of("bad", guard_of("9.9"), actions=[pause_of("b0")])  # that action id stands already
        entries = [full_entry("b1"), full_entry("b2"), bad, full_entry("b3")]
        waiting = [asyncio.ensure_future(journal.commit(entry)) for entry in entries]
        await asyncio.wait(waiting, timeout=0.1)
        holder.execute("ROLLBACK")
        holder.close()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        found = await journal.recover()
    assert [type(r) for r in results] == [type(None), type(None), EntryRefusedError, type(None)]
    assert set(found.state.breaks) == {"b0", "b1", "b2", "b3"}
    assert not found.state.guards
    assert (verify(url).count, verify(url).first_bad) == (4, None)


async def test_within_a_group_the_last_word_is_written(url: str) -> None:
    """An entity, a timer and an outcome that follow each other in one transaction end as if in three."""
    timer = Timer("break", "b1", "again")
    async with open_journal(url) as journal:
        await asyncio.gather(
            journal.commit(full_entry("b0")),  # goes first; the others gather behind it
            journal.commit(entry_of("e1", break_of("b1"), actions=[pause_of("b1")], timers=[(timer, T0)])),
            journal.commit(entry_of("e2", break_of("b1", BreakState.ON), done="b1/0", outcome="done")),
            journal.commit(entry_of("e3", timers=[(timer, None)])),
        )
        found = await journal.recover()
        assert not list(await journal.due_timers(T0))
    assert found.state.breaks["b1"].state is BreakState.ON
    assert found.open_actions == (pause_of("b0"),)


async def test_a_cancelled_wait_leaves_the_entry_and_its_timers(url: str) -> None:
    """Who stops waiting does not take the entry back, and memory agrees with the store."""
    async with open_journal(url) as journal:
        waiting = asyncio.ensure_future(journal.commit(full_entry("b1")))
        await asyncio.sleep(0)  # it has been queued
        waiting.cancel()
        await journal.commit(full_entry("b2"))
        assert set((await journal.recover()).state.breaks) == {"b1", "b2"}
        assert len(list(await journal.due_timers(T0 + timedelta(days=1)))) == 2


async def test_a_closed_journal_says_so_and_has_written_what_was_queued(url: str) -> None:
    """On leaving, the queue is emptied into the store; afterwards there is an error, not a wait for ever."""
    async with open_journal(url) as journal:
        waiting = asyncio.ensure_future(journal.commit(full_entry("b1")))
        await asyncio.sleep(0)
    await waiting
    with pytest.raises(StoreClosedError):
        await journal.commit(full_entry("b2"))
    with pytest.raises(StoreClosedError):
        await journal.recover()


async def test_any_zone_goes_in_and_utc_comes_out_and_no_zone_is_refused(url: str) -> None:
    """A time without a zone would be read as the machine's own."""
    copenhagen = timezone(timedelta(hours=2))
    timer = Timer("page", "p1", "next")
    async with open_journal(url) as journal:
        await journal.commit(entry_of("e1", timers=[(timer, T0.astimezone(copenhagen))]))
        with pytest.raises(EntryRefusedError):
            await journal.commit(replace(entry_of("e2"), event=replace(event_of("e2"), at=datetime(2027, 1, 1))))  # noqa: DTZ001
        with pytest.raises(EntryRefusedError):
            await journal.commit(entry_of("e3", timers=[(timer, T0.replace(tzinfo=None))]))
    async with open_journal(url) as journal:
        due = await journal.next_due()
        assert (due, due and due.tzinfo) == (T0, UTC)
        assert journal.head.seq == 1


async def test_updates_are_not_lost(url: str) -> None:
    """Transactions that read before they write, from three connections at once, all count."""

    def count(times: int) -> None:
        engine = open_engine(url)
        for _ in range(times):
            with engine.begin() as connection:
                (n,) = connection.exec_driver_sql("SELECT n FROM counter").one()
                connection.exec_driver_sql("UPDATE counter SET n = ?", (n + 1,))
        engine.dispose()

    engine = open_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE counter (n INTEGER)")
        connection.exec_driver_sql("INSERT INTO counter VALUES (0)")
    await asyncio.gather(*(asyncio.to_thread(count, 100) for _ in range(3)))
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT n FROM counter").one() == (300,)
    engine.dispose()


async def test_the_file_is_for_its_owner_alone(url: str, path: Path) -> None:
    """Addresses of people on call stand in it; its side files are as private."""
    async with open_journal(url) as journal:
        await journal.commit(full_entry("b1"))
        assert {p.name: oct(p.stat().st_mode & 0o777) for p in path.parent.iterdir()} == {
            path.name + side: "0o600" for side in ("", "-wal", "-shm")
        }


async def test_it_is_durable_by_its_settings(url: str) -> None:
    """WAL with synchronous=FULL (2) on the connection that commits."""
    async with open_journal(url) as journal:
        found = [
            await journal._writer.read(lambda c, p=pragma: c.exec_driver_sql(f"PRAGMA {p}").scalar())  # type: ignore[misc]
            for pragma in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert found == ["wal", 2, 1]


@pytest.mark.parametrize("address", ["sqlite://", "sqlite:///:memory:", "nonsense", "ghost:///x"])
async def test_an_address_that_cannot_be_a_store_is_refused(address: str) -> None:
    """A journal in memory would journal nothing."""
    with pytest.raises(StoreUnavailableError):
        async with open_journal(address):
            pass
