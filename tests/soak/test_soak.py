"""The soak, short: a service that is killed at random loses no page. And what it is judged by finds what is wrong."""

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.soak.oracle import faults
from tests.soak.soak import Soak

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]  # a quarter of a minute, if quiet
PAGES, SEED = 240, 5


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def soak(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Soak, list[str]]]:
    """A run, and what was wrong with it."""
    made = Soak(PAGES, SEED, tmp_path_factory.mktemp("soak"))
    yield made, await made.run()


async def test_no_page_is_lost(soak: tuple[Soak, list[str]]) -> None:
    """Killed again and again, with rows that nobody can read: everybody is told, and what was answered has ended."""
    run, wrong = soak
    assert wrong == []
    assert len(run.accepted) >= PAGES
    assert run.kills >= 3
    assert run.poisoned
    assert max(run.carrier.seen.arrived.values()) > 1  # the worst of all was tried: a message twice


async def test_the_oracle_sees_what_the_carrier_did_not_see(soak: tuple[Soak, list[str]]) -> None:
    """A page of which nobody was told, an answer that nobody gave, a message too often, a row that was not reported."""
    run, _ = soak
    seen = run.carrier.seen
    page, incident = next((p, i) for p, i in seen.incidents.items() if p in seen.answered and i in run.accepted)
    message = next(iter(seen.arrived))
    changed = (
        (replace(seen, told=seen.told - {incident}), f"nobody was told of {incident}"),
        (replace(seen, answered={}), "ended, and nobody had answered it"),
        (replace(seen, arrived=Counter({message: 9}), unknown=Counter({message: 7})), f"{message} (9 times)"),
    )
    for tampered, complaint in changed:
        assert complaint in "\n".join(faults(run.url, tampered, run.accepted, run.poisoned, run.reported))
    unsaid = faults(run.url, seen, run.accepted, run.poisoned, ())
    assert f"{run.poisoned[0].id!r}) was not reported" in "\n".join(unsaid)
    assert "nobody has ghost, though it was accepted" in faults(
        run.url, seen, {*run.accepted, "ghost"}, run.poisoned, run.reported
    )
    assert page not in "\n".join(unsaid)


async def test_the_oracle_sees_what_the_store_has_lost(soak: tuple[Soak, list[str]], tmp_path: Path) -> None:
    """A page that calls on, one that was let go without an answer, and one that is not there."""
    run, _ = soak
    poisoned = {one.id for one in run.poisoned}
    pages = [page for page in run.carrier.seen.answered if page not in poisoned][:3]
    with (
        closing(sqlite3.connect(run.url.removeprefix("sqlite:///"))) as original,
        closing(sqlite3.connect(tmp_path / "tampered.db")) as copy,
    ):
        original.backup(copy)
        with copy:
            copy.execute(
                "UPDATE entity SET \"over\" = 0, body = json_set(body, '$.state', 'calling') WHERE id = ?", pages[:1]
            )
            copy.execute(
                "UPDATE entity SET \"over\" = 1, body = json_set(body, '$.state', 'calling') WHERE id = ?", pages[1:2]
            )
            copy.execute("DELETE FROM entity WHERE id = ?", pages[2:])
    url = f"sqlite:///{tmp_path}/tampered.db"
    wrong = faults(url, run.carrier.seen, run.accepted, run.poisoned, run.reported)
    assert f"{pages[0]} calls on, though somebody has answered it" in wrong
    assert f"{pages[1]} ended without an answer" in wrong
    assert f"nobody has {run.carrier.seen.incidents[pages[2]]}, though it was accepted" in wrong
