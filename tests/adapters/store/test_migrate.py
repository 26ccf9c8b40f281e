"""The tables are made and kept up to date by the service itself, forward only."""

import asyncio
import logging
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from adapters.store.database import open_engine
from adapters.store.errors import StoreNewerError
from adapters.store.journal import open_journal
from adapters.store.migrate import MIGRATIONS, config, upgrade
from adapters.store.schema import HEAD, METADATA
from policies.model import Timer
from tests.adapters.store.samples import T0, full_entry


def _dump(path: Path) -> list[str]:
    store = sqlite3.connect(path)
    lines = list(store.iterdump())
    store.close()
    return lines


def test_from_nothing_to_exactly_the_schema(url: str) -> None:
    """The steps make what the code expects, no more and no less."""
    upgrade(url)
    engine = open_engine(url)
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


def test_the_code_knows_the_latest_step() -> None:
    """A start compares with this constant, and leaves Alembic out when there is nothing to do."""
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == HEAD


async def test_a_second_start_changes_nothing(url: str, path: Path) -> None:
    """Idempotent, also over a store with content."""
    async with open_journal(url) as journal:
        await journal.commit(full_entry("b1"))
    before = _dump(path)
    upgrade(url)
    assert _dump(path) == before


async def test_several_starts_at_once_make_one_store(url: str) -> None:
    """The others wait for the first, and find it done."""
    await asyncio.gather(*(asyncio.to_thread(upgrade, url) for _ in range(6)))
    async with open_journal(url) as journal:
        await journal.commit(full_entry("b1"))


async def test_a_store_of_a_later_version_is_refused(url: str, path: Path) -> None:
    """It is named, and left as it is."""
    upgrade(url)
    with sqlite3.connect(path) as store:
        store.execute("UPDATE alembic_version SET version_num = '9999'")
    store.close()
    before = _dump(path)
    with pytest.raises(StoreNewerError, match="9999"):
        async with open_journal(url):
            pass
    assert _dump(path) == before


async def test_there_is_no_way_back(url: str, path: Path) -> None:
    """A downgrade is refused, and nothing is changed."""
    async with open_journal(url) as journal:
        await journal.commit(full_entry("b1"))
    before = _dump(path)
    engine = open_engine(url)
    with pytest.raises(NotImplementedError, match="forward only"), engine.begin() as connection:
        command.downgrade(config(connection), "base")
    engine.dispose()
    assert _dump(path) == before


def test_a_step_that_fails_leaves_nothing(url: str, path: Path) -> None:
    """All of the tables or none: one that is in the way is found out, and the others are not left behind."""
    with sqlite3.connect(path) as store:
        store.execute("CREATE TABLE audit (mine TEXT)")  # the last that the step makes
    store.close()
    before = _dump(path)
    with pytest.raises(Exception, match="audit"):
        upgrade(url)
    assert _dump(path) == before


async def test_a_store_of_an_earlier_version_keeps_its_timers(url: str, path: Path) -> None:
    """The step that adds the lease: what was under way goes on."""
    engine = open_engine(url)
    with engine.begin() as connection:
        command.upgrade(config(connection), "0002")
    engine.dispose()
    with sqlite3.connect(path) as store:
        store.execute("INSERT INTO timer VALUES ('page', 'p1', 'next', '2027-03-28 00:30:00.000000')")
    store.close()
    async with open_journal(url) as journal:
        assert await journal.next_due() == T0
        assert list(await journal.due_timers(T0)) == [Timer("page", "p1", "next")]


def test_it_is_quiet(url: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    """Alembic tells every step at INFO, and would tell a terminal."""
    with caplog.at_level(logging.INFO):
        upgrade(url)
    assert caplog.records == []
    assert capsys.readouterr() == ("", "")


def test_the_tables_can_be_made_on_postgresql_too() -> None:
    """No column of SQLite alone."""
    made = [str(CreateTable(t).compile(dialect=postgresql.dialect())) for t in METADATA.tables.values()]  # type: ignore[no-untyped-call]
    assert any("BIGSERIAL" in text for text in made)
    assert all("CREATE TABLE" in text for text in made)
