"""Sessions: in force at once, over when they must be, and kept over a restart."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.accounts import rows
from adapters.accounts.records import digest
from adapters.accounts.sessions import MOST_OF_ONE
from adapters.store.errors import StoreError
from tests.adapters.accounts.house import HOUR_S, BrokenStore, House, house
from tests.lab.waiting import until


def start(h: House, account: str = "anna") -> tuple[str, str]:
    """Open a session; returns token and id."""
    token, session = h.login.sessions.start(account, "password", "10.0.0.7", "Chromium\n\x1b[31m")
    return token, session.id


async def test_a_session_is_found_by_its_token_and_by_nothing_else(tmp_path: Path) -> None:
    """What is kept is the hash: it opens nothing itself, and the token stands nowhere in the store."""
    async with house(tmp_path) as h:
        token, id_ = start(h)
        found = h.login.sessions.find(token)
        assert found is not None
        assert (found.account, found.browser) == ("anna", "Chromium[31m")
        assert h.login.sessions.find(id_) is None
        assert h.login.sessions.find("") is None
        assert token not in repr(found)
        assert found.csrf not in repr(found)
        await h.login.sessions.flush()
    assert token.encode() not in (tmp_path / "journal.db").read_bytes()


async def test_an_idle_session_ends_and_a_used_one_goes_on_until_its_last_hour(tmp_path: Path) -> None:
    """Two hours of nothing end it; use keeps it, but never beyond twelve hours."""
    async with house(tmp_path) as h:
        idle, _ = start(h)
        used, _ = start(h)
        for _ in range(11):
            h.forward(HOUR_S)
            assert h.login.sessions.find(used) is not None
        assert h.login.sessions.find(idle) is None
        h.forward(HOUR_S - 1)
        assert h.login.sessions.find(used) is not None
        h.forward(1)
        assert h.login.sessions.find(used) is None
        assert h.login.sessions.of("anna") == []


async def test_sessions_outlive_a_restart_and_ended_ones_do_not_come_back(tmp_path: Path) -> None:
    """The store has what memory had: one that stands, none that was ended."""
    async with house(tmp_path) as h:
        stays, _ = start(h)
        goes, id_ = start(h)
        await h.login.sessions.flush()
        await h.login.sessions.end(id_)
        clock = h.clock
    async with house(tmp_path, clock) as h:
        assert h.login.sessions.find(stays) is not None
        assert h.login.sessions.find(goes) is None
        await h.login.sessions.end_all("anna")
    async with house(tmp_path, clock) as h:
        assert h.login.sessions.of() == []


async def test_a_login_does_not_wait_for_a_store_that_fails(tmp_path: Path) -> None:
    """In force at once; so is the end of another, which says that it was not written, and is tried again."""
    async with house(tmp_path) as h:
        _, old = start(h)
        await h.login.sessions.flush()
        real = h.login.sessions._store
        h.login.sessions._store = BrokenStore()
        token, _ = start(h)
        assert h.login.sessions.find(token) is not None
        with pytest.raises(StoreError):
            await h.login.sessions.end(old)
        assert h.login.sessions.live(old) is None
        h.login.sessions._store = real
        await h.login.sessions.flush()
        clock = h.clock
    async with house(tmp_path, clock) as h:
        assert h.login.sessions.find(token) is not None
        assert h.login.sessions.live(old) is None


async def test_the_task_writes_behind_and_sweeps(tmp_path: Path) -> None:
    """Nobody asks for it: what was opened stands in the store soon after, what is over is gone from it."""
    async with house(tmp_path) as h:
        running = asyncio.create_task(h.login.sessions.run())
        _, id_ = start(h)
        await until_kept(h, {id_})
        h.forward(3 * HOUR_S)
        _, other = start(h)
        await until_kept(h, {other})
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def until_kept(h: House, ids: set[str]) -> None:
    async def are_kept() -> bool:
        return {s.id for s in await h.journal.transact(rows.sessions)} == ids

    await until(are_kept, 10)


async def test_one_account_has_so_many_sessions_and_the_oldest_gives_way(tmp_path: Path) -> None:
    """Whoever logs in over and over fills nobody's memory; others' sessions are not touched."""
    async with house(tmp_path) as h:
        other, _ = start(h, "bo")
        first, _ = start(h)
        for _ in range(MOST_OF_ONE - 1):
            start(h)
        assert h.login.sessions.find(first) is not None
        start(h)
        assert h.login.sessions.find(first) is None
        assert len(h.login.sessions.of("anna")) == MOST_OF_ONE
        assert h.login.sessions.find(other) is not None


async def test_use_is_written_down_once_a_minute(tmp_path: Path) -> None:
    """A stream that beats every two seconds writes nothing each time."""
    async with house(tmp_path) as h:
        token, id_ = start(h)
        await h.login.sessions.flush()
        h.forward(59)
        assert h.login.sessions.find(token) is not None
        assert h.login.sessions._changed == set()
        h.forward(1)
        assert h.login.sessions.live(digest(token)) is not None
        assert h.login.sessions._changed == {id_}
