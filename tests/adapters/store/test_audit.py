"""The audit chain: what it says, what it does not say, and that a change of it is found at its line."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.store.audit import head, verify
from adapters.store.chain import EMPTY, GENESIS, Head, Link, Verified, canonical, check, digest, link
from adapters.store.errors import StoreUnavailableError
from adapters.store.journal import open_journal
from policies import actions as act
from policies.breaks import BreakState
from policies.events import KeyPressed
from policies.guards import CallState
from policies.model import AgentId, CallId, Does, KeyUse, LegId, LiveCall, Source, Target
from telephony.ports import Entry
from tests.adapters.store.samples import T0, break_of, entry_of, full_entry, guard_of, pause_of, permit_for

NUMBER = "+4520304050"


def _lines(path: Path) -> list[dict[str, object]]:
    with sqlite3.connect(path) as store:
        return [json.loads(line) for (line,) in store.execute("SELECT line FROM audit ORDER BY seq")]


async def test_a_line_tells_what_an_auditor_asks(url: str, path: Path) -> None:
    """Which event, who and which key, each entity from which state to which, what followed, with rule and evidence."""
    pressed = KeyPressed(
        id="e2",
        at=T0,
        agent=AgentId("agent7"),
        key=KeyUse("f8", Does.WARN, "abuse"),
        source=Source.CODE,
        pressed_at=T0,
        calls=(LiveCall(CallId("1.1"), LegId("1.1"), AgentId("agent7"), None, None, T0),),
    )
    release = act.Release(id="e2/0", permit=permit_for("e2", "1.1"))
    over = break_of("b1", BreakState.OVER)
    async with open_journal(url) as journal:
        await journal.commit(entry_of("e1", guard_of("1.1"), break_of("b1")))
        await journal.commit(Entry(pressed, changed=[guard_of("1.1", state=CallState.ENDING)], actions=[release]))
        await journal.commit(entry_of("e3", over, dropped=[over], done="e2/0", outcome="done"))
        await journal.commit(entry_of("e4", break_of("b1")))
    first, second, third, fourth = _lines(path)
    assert first["changed"] == [
        {"kind": "call", "id": "1.1", "from": None, "to": "open"},
        {"kind": "break", "id": "b1", "from": None, "to": "asked"},
    ]
    assert second == {
        "seq": 2,
        "at": "2027-03-28T00:30:00.000000+00:00",
        "event": "e2",
        "type": "KeyPressed",
        "agent": "agent7",
        "key": "f8",
        "source": "code",
        "changed": [{"kind": "call", "id": "1.1", "from": "open", "to": "ending"}],
        "actions": [{"id": "e2/0", "type": "Release", "permit": "e2", "rule": "kinds.abuse.may_end", "heard": 1}],
    }
    assert third["changed"] == [{"kind": "break", "id": "b1", "from": "asked", "to": "over", "over": True}]
    assert (third["done"], third["outcome"]) == ("e2/0", "done")
    assert fourth["changed"] == [{"kind": "break", "id": "b1", "from": None, "to": "asked"}]


async def test_from_states_outlive_a_restart_and_a_group(url: str, path: Path) -> None:
    """The state before is that of the store after a restart, and that of the entry before within one transaction."""
    async with open_journal(url) as journal:
        await journal.commit(entry_of("e1", break_of("b1")))
    async with open_journal(url) as journal:
        await asyncio.gather(
            *(journal.commit(entry_of(f"e{n}", break_of("b1", s))) for n, s in enumerate(BreakState, 2))
        )
    changes = [line["changed"][0] for line in _lines(path)]  # type: ignore[index]
    assert [c["from"] for c in changes[1:]] == [c["to"] for c in changes[:-1]]


async def test_no_number_and_no_address_is_in_a_line(url: str, path: Path) -> None:
    """The chain cannot be erased, so it never holds what one day must be: numbers, addresses, caller tags, words."""
    target = Target(NUMBER, f"PJSIP/{NUMBER}@trunk")
    fields = {"call": CallId("1.1"), "caller": LegId("1.1"), "ring_s": 15.0, "brief": "", "language": "da"}
    ring = act.Ring(id="e1/0", handoff="h1", target=target, **fields)  # type: ignore[arg-type]
    told = act.StandDown(id="e1/1", page="p1", incident="i1", by=NUMBER, told=(("sms", NUMBER, "da"),))
    async with open_journal(url) as journal:
        await journal.commit(entry_of("e1", guard_of("1.1", caller_tag=f"tag {NUMBER}"), actions=[ring, told]))
    (line,) = _lines(path)
    assert "20304050" not in json.dumps(line)
    assert "tag" not in json.dumps(line)


@pytest.mark.parametrize("statement", ["UPDATE audit SET line = '{}'", "DELETE FROM audit"])
async def test_the_table_refuses_change_and_removal(url: str, path: Path, statement: str) -> None:
    """A slip of an admin's hand is refused by the database itself."""
    async with open_journal(url) as journal:
        await journal.commit(full_entry("b1"))
    with sqlite3.connect(path) as store, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        store.execute(statement)


def _rehashed(store: sqlite3.Connection, seq: int) -> None:
    """Change line `seq` and write its hash, and all that follow, anew: what one who knows the format would do."""
    prev = GENESIS
    for n, text in store.execute("SELECT seq, line FROM audit ORDER BY seq").fetchall():
        line = text.replace("chief", "nobody") if n == seq else text
        store.execute("UPDATE audit SET line=?, prev_hash=?, hash=? WHERE seq=?", (line, prev, digest(prev, line), n))
        prev = digest(prev, line)


def _insert(store: sqlite3.Connection) -> None:
    store.execute("UPDATE audit SET seq = -seq WHERE seq >= 5")
    store.execute("UPDATE audit SET seq = -seq + 1 WHERE seq < 0")
    prev = store.execute("SELECT hash FROM audit WHERE seq = 4").fetchone()[0]
    made = link(Head(4, prev), "2027-03-28T00:30:00.000000+00:00", {"event": "forged"})
    store.execute("INSERT INTO audit VALUES (?,?,?,?,?)", made)


def _swap(store: sqlite3.Connection) -> None:
    store.execute("UPDATE audit SET seq = -4 WHERE seq = 4")
    store.execute("UPDATE audit SET seq = 4 WHERE seq = 5")
    store.execute("UPDATE audit SET seq = 5 WHERE seq = -4")


def _sql(statement: str) -> Callable[[sqlite3.Connection], object]:
    return lambda store: store.execute(statement)


@pytest.mark.parametrize(
    ("tamper", "first_bad", "why"),
    [
        (_sql("UPDATE audit SET line = replace(line, 'e5', 'x5') WHERE seq = 5"), 5, "was changed"),
        (_sql("UPDATE audit SET line = x'00' WHERE seq = 5"), 5, "not a line"),
        (_sql("UPDATE audit SET at = '2020' WHERE seq = 5"), 5, "another place or time"),
        (_sql("UPDATE audit SET hash = prev_hash WHERE seq = 5"), 5, "was changed"),
        (_sql("DELETE FROM audit WHERE seq = 5"), 5, "is missing"),
        (_sql("DELETE FROM audit WHERE seq BETWEEN 5 AND 6"), 5, "are missing"),
        (_sql("DELETE FROM audit WHERE seq = 1"), 1, "is missing"),
        (_sql("INSERT INTO audit SELECT 0, at, line, prev_hash, hash FROM audit WHERE seq = 1"), 0, "before the first"),
        (_insert, 6, "does not follow"),
        (_swap, 4, "does not follow"),
        (_sql("DELETE FROM audit WHERE seq > 5"), 6, "cut off"),
        (_sql("DELETE FROM audit"), 1, "cut off"),
        (lambda store: _rehashed(store, 5), 10, "not the line that was published"),
    ],
)
async def test_tampering_is_found_at_its_line(
    url: str, path: Path, tamper: Callable[[sqlite3.Connection], object], first_bad: int, why: str
) -> None:
    """Changed, removed, inserted, reordered, cut off, written anew: each is found, at the first line that is wrong."""
    async with open_journal(url) as journal:
        for n in range(1, 11):
            await journal.commit(entry_of(f"e{n}", break_of(f"b{n}")))
        published = journal.head
    assert verify(url, published) == Verified(10, published, None, "")
    with sqlite3.connect(path) as store:
        for name in ("audit_no_update", "audit_no_delete"):
            store.execute(f"DROP TRIGGER {name}")
        tamper(store)
    store.close()
    found = verify(url, published)
    assert found.first_bad == first_bad
    assert why in found.why
    assert found.count == found.head.seq == max(first_bad - 1, 0)


async def test_an_older_head_still_holds_and_a_wrong_one_does_not(url: str) -> None:
    """A head published last week is a point that the chain must pass through."""
    async with open_journal(url) as journal:
        assert journal.head == head(url) == EMPTY
        await journal.commit(entry_of("e1"))
        older = journal.head
        await journal.commit(entry_of("e2"))
        assert head(url) == journal.head
        assert verify(url, older).first_bad is None
        assert verify(url, Head(1, journal.head.hash)).first_bad == 1


async def test_verifying_waits_for_no_writer_and_writes_nothing(url: str, path: Path) -> None:
    """It reads a snapshot beside a writer that is in the middle of a transaction."""
    async with open_journal(url) as journal:
        await journal.commit(entry_of("e1"))
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        assert verify(url).count == 1
        holder.close()


def test_a_store_that_is_not_there_is_not_made(url: str, path: Path) -> None:
    """Verifying the wrong path must not find an empty, perfect chain."""
    with pytest.raises(StoreUnavailableError):
        verify(url)
    assert not path.exists()


def test_heads_are_read_as_they_are_written() -> None:
    """What is published can be given back; what is none is refused."""
    made = link(EMPTY, T0.isoformat(), {"event": "e1"})
    assert Head.parse(f" {Head(1, made.hash)}\n") == Head(1, made.hash)
    for text in ("", "1", "1:abc", f"x:{made.hash}", f"1:{made.hash.upper()}"):
        with pytest.raises(ValueError, match=r"head|invalid literal"):
            Head.parse(text)


def test_a_line_is_written_one_way_only() -> None:
    """The hash of a line does not hang on the order of its fields, or on its letters' encoding."""
    assert canonical({"b": "å", "a": [1, {"d": 1, "c": 2}]}) == '{"a":[1,{"c":2,"d":1}],"b":"\\u00e5"}'
    at = (T0 + timedelta(seconds=1)).isoformat()
    links: list[Link] = [one := link(EMPTY, at, {"event": "e1"}), link(Head(1, one.hash), at, {"event": "e2"})]
    assert check(links).count == 2


async def test_actions_of_a_pause_name_no_reason_of_a_person(url: str, path: Path) -> None:
    """An action is told by type and id."""
    async with open_journal(url) as journal:
        await journal.commit(entry_of("e1", actions=[pause_of("b1")]))
    assert _lines(path)[0]["actions"] == [{"id": "b1/0", "type": "Pause"}]
