"""A full disk, a held lock, a damaged or forbidden file: a clear error, nothing by halves, and it works again after."""

import asyncio
import os
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Connection

from adapters.store.audit import verify
from adapters.store.database import driver_of
from adapters.store.errors import (
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from adapters.store.journal import StoreJournal, open_journal
from adapters.store.migrate import upgrade
from policies import actions as act
from policies.events import PageAnswered, PageOpened, PolicyLoaded
from policies.guards import CallState
from policies.model import CallId
from telephony.ports import Entry
from tests.adapters.store.samples import T0, break_of, entry_of, full_entry, guard_of, page_of
from tests.policies.story import RULES

_FAR = "x" * 20_000  # fills pages


async def _pragma(journal: StoreJournal, text: str) -> None:
    def run(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA {text}")

    await journal._writer.read(run)


def _fat(id_: str) -> act.Pause:
    return act.Pause(id=f"{id_}/fat", break_id=id_, agent=break_of(id_).agent, reason=_FAR)


def _overwrite(path: Path) -> None:
    """Leave the first page, which tells what the file is."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))


async def test_a_full_disk_fails_the_entry_whole_and_works_again_with_room(url: str) -> None:
    """Out of pages in the middle of a transaction: an error that says so, no row of it, and a later commit works."""
    async with open_journal(url) as journal:
        await journal.commit(full_entry("b1"))
        before = journal.head
        await _pragma(journal, "max_page_count = 1")  # SQLite makes of it: not a page more than there are
        fat = entry_of("e2", break_of("b2"), actions=[_fat("b2")])
        with pytest.raises(StoreFullError, match="disk is full"):
            await journal.commit(fat)
        assert journal.head == before
        assert set((await journal.recover()).state.breaks) == {"b1"}
        await _pragma(journal, "max_page_count = 100000")
        await journal.commit(fat)
        assert set((await journal.recover()).state.breaks) == {"b1", "b2"}
    assert (verify(url).count, verify(url).first_bad) == (2, None)


async def test_a_stalled_store_delays_and_loses_nothing(url: str, path: Path) -> None:
    """While another process holds the lock, commits wait and timers are seen; then all go through in order."""
    async with open_journal(url) as journal:
        await journal.commit(full_entry("b0"))
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        waiting = [asyncio.ensure_future(journal.commit(full_entry(f"b{n}"))) for n in range(1, 40)]
        done, _ = await asyncio.wait(waiting, timeout=1.0)
        assert not done
        assert await journal.next_due() is not None
        holder.execute("ROLLBACK")
        holder.close()
        await asyncio.gather(*waiting)
        assert list((await journal.recover()).state.breaks) == sorted(f"b{n}" for n in range(40))
        assert [a.id for a in (await journal.recover()).open_actions] == [f"b{n}/0" for n in range(40)]


async def test_a_lock_held_too_long_is_an_error_and_the_next_commit_works(url: str, path: Path) -> None:
    """Everybody who waited is told at once, not one time-out after the other."""
    async with open_journal(url, busy_s=0.1) as journal:
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        waiting = {asyncio.ensure_future(journal.commit(full_entry(f"b{n}"))) for n in range(30)}
        answers = 0
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            assert {type(commit.exception()) for commit in done} == {StoreLockedError}
            answers += 1
        assert answers < 10
        with pytest.raises(StoreLockedError):
            await journal.recover()
        holder.execute("ROLLBACK")
        holder.close()
        await journal.commit(full_entry("b0"))
        assert set((await journal.recover()).state.breaks) == {"b0"}
        assert len(list(await journal.due_timers(break_of("b0").until))) == 1


def test_a_file_that_is_no_database_is_an_error(url: str, path: Path) -> None:
    """It is left as it is."""
    path.write_bytes(b"not a database, " * 1000)
    with pytest.raises(StoreCorruptError, match="restore a backup"):
        upgrade(url)
    assert path.read_bytes() == b"not a database, " * 1000


async def test_damage_that_shows_in_use_is_an_error_and_the_thread_lives(url: str, path: Path) -> None:
    """Pages overwritten under an open store: commits fail with a clear error, each of them, none waits for ever."""
    async with open_journal(url) as journal:
        for n in range(50):
            await journal.commit(full_entry(f"b{n}"))
    _overwrite(path)
    with pytest.raises(StoreCorruptError):
        async with open_journal(url) as journal:
            await journal.recover()
    with pytest.raises(StoreCorruptError):
        verify(url)


async def test_an_unreadable_row_is_named_and_keeps_nothing_else_back(url: str, path: Path) -> None:
    """What does not fit its type is reported with its kind, id and incident; all others are read."""
    async with open_journal(url) as journal:
        await journal.commit(full_entry("b1"))
        await journal.commit(full_entry("b2"))
        with sqlite3.connect(path) as store:
            store.execute("UPDATE entity SET body = '{}' WHERE id = 'b1'")
            store.execute("UPDATE intent SET body = '{}' WHERE event_id = 'b1'")
        store.close()
        found = await journal.recover()
    assert set(found.state.breaks) == {"b2"}
    assert [(r.what, r.id) for r in found.unreadable] == [("break", "b1"), ("Pause", "b1/0")]
    assert found.unreadable[0].incident == break_of("b1").incident
    assert "missing required field" in found.unreadable[0].why
    assert len(found.open_actions) == 1


@pytest.mark.parametrize("poison", ["{half", "[]", "", b"\xff\xfe", 7])
async def test_a_row_that_is_no_json_keeps_nothing_else_back(url: str, path: Path, poison: object) -> None:
    """Not even the text can be taken apart: it is set aside and named, and the service starts."""
    rules = PolicyLoaded(id="e0", at=T0, rules=RULES)
    async with open_journal(url) as journal:
        for entry in (Entry(rules), full_entry("b1"), full_entry("b2")):
            await journal.commit(entry)
    with sqlite3.connect(path) as store:
        store.execute("UPDATE entity SET body = ? WHERE id = 'b1'", (poison,))
        store.execute("UPDATE intent SET body = ? WHERE event_id = 'b1'", (poison,))
        store.execute("UPDATE policy SET body = ?", (poison,))
    store.close()
    async with open_journal(url) as journal:
        found = await journal.recover()
    assert set(found.state.breaks) == {"b2"}
    assert [(r.what, r.id) for r in found.unreadable] == [
        ("break", "b1"),
        ("Pause", "b1/0"),
        ("policy", RULES.version),
    ]


async def test_times_that_cannot_be_read_cost_nothing_else(url: str, path: Path) -> None:
    """A timer whose time is damaged fires at once, rather than never; a call keeps its latch; a policy is left out."""
    async with open_journal(url) as journal:
        await journal.commit(Entry(PolicyLoaded(id="e0", at=T0, rules=RULES)))
        await journal.commit(entry_of("e1", guard_of("9.9")))
        for id_ in ("b1", "b2"):
            await journal.commit(full_entry(id_))
    with sqlite3.connect(path) as store:
        store.execute("UPDATE timer SET due_at = 'soon' WHERE entity_id = 'b2'")
        store.execute("UPDATE policy SET loaded_at = 'once'")
        store.execute("UPDATE entity SET body = '', opened_at = 'then' WHERE id = '9.9'")
    store.close()
    async with open_journal(url) as journal:
        found = await journal.recover()
        assert [t.entity_id for t in await journal.due_timers(T0)] == ["b2"]
    assert found.state.guards[CallId("9.9")].state is CallState.ACUTE
    assert sorted((r.what, r.id) for r in found.unreadable) == [("call", "9.9"), ("policy", "test"), ("timer", "b2")]


async def test_a_page_that_cannot_be_read_is_let_go_once_another_stands_in_for_it(url: str, path: Path) -> None:
    """In the transaction that opens the other one: it is not opened anew at every start, and never lost between."""
    async with open_journal(url) as journal:
        for id_ in ("p1", "p2"):
            await journal.commit(entry_of(f"e{id_}", page_of(id_)))
    with sqlite3.connect(path) as store:
        store.execute("UPDATE entity SET body = ''")
    store.close()
    async with open_journal(url) as journal:
        assert {row.id for row in (await journal.recover()).unreadable} == {"p1", "p2"}
        opened = PageOpened(id="e3", at=T0, plan="backup", incident="i-p1", reason="call")
        await journal.commit(Entry(opened))  # nothing was opened: policy has no such plan any more
        assert {row.id for row in (await journal.recover()).unreadable} == {"p1", "p2"}
        await journal.commit(Entry(opened, changed=[page_of("p3")]))
    async with open_journal(url) as journal:
        found = await journal.recover()
    assert [row.id for row in found.unreadable] == ["p2"]
    assert set(found.state.pages) == {"p3"}


async def test_a_timer_of_nothing_that_is_known_is_set_aside(url: str, path: Path) -> None:
    """It would stop the engine. It stays in the store, is named, and the others fire."""
    async with open_journal(url) as journal:
        for id_ in ("b1", "b2", "b3"):
            await journal.commit(full_entry(id_))
    with sqlite3.connect(path) as store:
        store.execute("UPDATE timer SET entity = 'pgae' WHERE entity_id = 'b1'")
        store.execute("UPDATE timer SET what = x'00ff' WHERE entity_id = 'b2'")
    store.close()
    async with open_journal(url) as journal:
        assert [t.entity_id for t in await journal.due_timers(break_of("b1").until)] == ["b3"]
        found = await journal.recover()
    assert sorted((r.what, r.id) for r in found.unreadable) == [("timer", "b1"), ("timer", "b2")]


async def test_a_guarded_call_that_cannot_be_read_is_latched(url: str, path: Path) -> None:
    """It may be an acute one. It comes back as one that no key ends, under its own name and incident."""
    async with open_journal(url) as journal:
        await journal.commit(entry_of("e1", guard_of("9.9")))
        with sqlite3.connect(path) as store:
            store.execute("UPDATE entity SET body = '{}'")
        store.close()
        (guard,) = (await journal.recover()).state.guards.values()
    assert (guard.call, guard.caller, guard.state) == ("9.9", "9.9", CallState.ACUTE)
    assert guard.incident == guard_of("9.9").incident


async def test_a_store_that_turns_read_only_is_an_error_and_works_again(url: str) -> None:
    """query_only stands for a file system remounted read-only: SQLite gives the same code."""
    async with open_journal(url) as journal:
        await _pragma(journal, "query_only = ON")
        with pytest.raises(StoreReadOnlyError):
            await journal.commit(full_entry("b1"))
        # Past the journal: a read of ours would begin a transaction, which is refused.
        driver_of(journal._writer._own()).execute("PRAGMA query_only = OFF")
        await journal.commit(full_entry("b1"))
        assert set((await journal.recover()).state.breaks) == {"b1"}


async def test_a_folder_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """It names the folder."""
    with pytest.raises(StoreUnavailableError, match="nowhere"):
        async with open_journal(f"sqlite:///{tmp_path}/nowhere/journal.db"):
            pass


async def test_a_bug_in_one_read_reaches_its_caller_and_no_other(url: str) -> None:
    """Even what is no fault of the store must not end the thread."""
    with_bug: dict[str, int] = {}
    async with open_journal(url) as journal:
        with pytest.raises(KeyError):
            await journal._writer.read(lambda _connection: with_bug["missing"])
        with pytest.raises(KeyError):
            await journal.commit(entry_of("e1", "no entity"))  # type: ignore[arg-type]
        await journal.commit(entry_of("e2"))
        assert journal.head.seq == 1


@pytest.mark.parametrize("error", StoreError.__subclasses__(), ids=lambda cls: cls.__name__)
def test_an_error_says_what_was_asked_and_what_is_wrong(error: type[StoreError]) -> None:
    """Fields for programs, a sentence for people."""
    made = error("committing to the journal", "what SQLite said")
    assert (made.doing, made.detail) == ("committing to the journal", "what SQLite said")
    assert str(made) == f"committing to the journal: {error.says} (what SQLite said)"
    assert error.says != StoreError.says


def test_page_answers_carry_who_and_how() -> None:
    """The audit line reads `by` and `means` by name; a rename in the core must be noticed here."""
    assert {"by", "means"} <= set(PageAnswered.__dataclass_fields__)
