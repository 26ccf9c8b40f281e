"""Pages as the store has them: in order, page by page, also where several began at once; and what cannot be read."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.panel.past import PastPages, Span, read_one, read_some
from adapters.store.journal import open_journal
from policies import events as ev
from policies.pages import Page, PageState
from policies.rules import Severity
from telephony.errors import BagvagtError
from telephony.ports import Entry
from tests.adapters.accounts.house import url_in
from tests.adapters.store.samples import guard_of
from tests.policies.story import BACKUP_PLAN, NOON


async def filled(folder: Path, *minutes: float) -> tuple[str, list[Page]]:
    """Let pages begin so many minutes after noon, and something that is no page; return the store and the pages."""
    made = []
    async with open_journal(url_in(folder)) as journal:
        for number, minute in enumerate(minutes):
            at = NOON + timedelta(minutes=minute)
            state, plan = PageState.CALLING, BACKUP_PLAN
            page = Page(f"p-{number}", f"i-{number}", "call", plan, Severity.ACUTE, state, 0, 0, at)
            opened = ev.PageOpened(id=f"e-{number}", at=at, plan=plan.name, incident=page.incident, reason="call")
            await journal.commit(Entry(opened, changed=[page, guard_of(f"{number}.1")]))
            made.append(page)
    return url_in(folder), made


async def test_pages_that_began_at_once_are_each_seen_once(tmp_path: Path) -> None:
    """Going on after one of them leaves out none and repeats none."""
    url, made = await filled(tmp_path, 0, 5, 5, 5, 9)
    past = PastPages(url)
    seen: list[str] = []
    more = True
    while more:
        pages, more = await past.some(Span(), most=2, before=seen[-1] if seen else "")
        seen += [page.id for page in pages]
    assert seen == ["p-4", "p-3", "p-2", "p-1", "p-0"]
    assert read_some(url, Span())[0] == made[::-1]


async def test_a_span_has_its_first_instant_and_not_its_last(tmp_path: Path) -> None:
    """As everywhere."""
    url, _ = await filled(tmp_path, 0, 5, 9)
    pages, more = read_some(url, Span(NOON, NOON + timedelta(minutes=9)))
    assert ([page.id for page in pages], more) == (["p-1", "p-0"], False)


async def test_one_page_as_it_was_and_none(tmp_path: Path) -> None:
    """All of it comes back; what is not there is None, and nowhere to go on from."""
    url, made = await filled(tmp_path, 0)
    assert read_one(url, "p-0") == made[0]
    assert read_one(url, "p-9") is None
    assert read_one(url, "c0.1") is None
    with pytest.raises(LookupError):
        read_some(url, Span(), before="p-9")


async def test_a_service_without_a_store_has_none_to_show(tmp_path: Path) -> None:
    """Said as the store's errors are."""
    with pytest.raises(BagvagtError):
        await PastPages("").one("p-0")
    with pytest.raises(BagvagtError):
        await PastPages(url_in(tmp_path)).some(Span(), most=1)


@pytest.mark.parametrize("damage", ["body = ''", "body = '{}'", "opened_at = 'rubbish'"])
async def test_a_damaged_page_keeps_no_other_from_being_read(tmp_path: Path, damage: str) -> None:
    """The report counts the others; the page itself is not there."""
    url, made = await filled(tmp_path, 0, 5)
    with sqlite3.connect(url.removeprefix("sqlite:///")) as store:
        store.execute(f"UPDATE entity SET {damage} WHERE id = 'p-1'")  # noqa: S608 -- this test's own words
    store.close()
    pages, more = read_some(url, Span())
    assert made[0] in pages
    assert not more
