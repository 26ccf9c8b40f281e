"""Pages as the store has them, also those that are over: read beside the writer, in a thread."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import Connection, Row, Select, Text, and_, or_, select, type_coerce

from adapters.store.codec import decode_entity
from adapters.store.database import open_engine, store_errors
from adapters.store.errors import StoreCorruptError
from adapters.store.schema import ENTITY
from policies.pages import Page

MOST_COUNTED: Final = 20_000
_KIND: Final = "page"
_READERS: Final = 2  # a reader that hangs on a slow disk takes no threads from the rest
# As text: what is damaged in one row must not keep the others from being read.
_AT: Final = type_coerce(ENTITY.c.opened_at, Text)
_ALL: Final = select(ENTITY.c.id, type_coerce(ENTITY.c.body, Text).label("body"), _AT.label("opened_at")).where(
    ENTITY.c.kind == _KIND
)


@dataclass(frozen=True, slots=True)
class Span:
    """Pages that began at some time.

    Attributes:
        since: not before this (aware); None for any time.
        until: before this (aware); None for any time.
    """

    since: datetime | None = None
    until: datetime | None = None


class PastPages:
    """Reads them.

    Args:
        url: the store.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._turns = asyncio.Semaphore(_READERS)

    async def one(self, page: str) -> Page | None:
        """Return a page; None where there is no such, or not any more.

        Raises:
            StoreError: the store cannot be read.
        """
        async with self._turns:
            return await asyncio.to_thread(read_one, self._url, page)

    async def some(self, span: Span, *, most: int, before: str = "") -> tuple[list[Page], bool]:
        """Return pages, newest first, and whether there are more.

        Args:
            span: when they began.
            most: how many at the most.
            before: id of the page after which to go on; "" for none.

        Raises:
            StoreError: the store cannot be read.
            LookupError: there is no page `before`, or not any more.
        """
        async with self._turns:
            return await asyncio.to_thread(read_some, self._url, span, most=most, before=before)


def read_one(url: str, page: str) -> Page | None:
    """Return a page, see `PastPages.one`."""
    with _reading(url) as connection:
        row = connection.execute(_ALL.where(ENTITY.c.id == page)).first()
        return None if row is None else _page(row)


def read_some(url: str, span: Span, *, most: int = MOST_COUNTED, before: str = "") -> tuple[list[Page], bool]:
    """Return pages, see `PastPages.some`."""
    with _reading(url) as connection:
        chosen = _within(_ALL, span).order_by(ENTITY.c.opened_at.desc(), ENTITY.c.id.desc()).limit(most + 1)
        if before:
            last = connection.execute(_ALL.where(ENTITY.c.id == before)).first()
            if last is None:
                raise LookupError(before)
            same = and_(last.opened_at == _AT, ENTITY.c.id < before)
            chosen = chosen.where(or_(last.opened_at > _AT, same))
        rows = connection.execute(chosen).all()
        return [page for row in rows[:most] if (page := _page(row)) is not None], len(rows) > most


@contextmanager
def _reading(url: str) -> Iterator[Connection]:
    engine = open_engine(url, writes=False)
    try:
        with store_errors("reading pages"), engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _within(chosen: Select[Any], span: Span) -> Select[Any]:
    if span.since is not None:
        chosen = chosen.where(ENTITY.c.opened_at >= span.since)
    if span.until is not None:
        chosen = chosen.where(ENTITY.c.opened_at < span.until)
    return chosen


def _page(row: Row[Any, Any, Any]) -> Page | None:
    """Return the page; None where the row cannot be read: the service has said so when it started."""
    try:
        return cast("Page", decode_entity(_KIND, json.loads(row.body)))
    except (StoreCorruptError, TypeError, ValueError):
        return None
