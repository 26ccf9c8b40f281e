"""Reads the audit chain of a store, beside a running service: a snapshot, that blocks nobody and writes nothing."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, false, or_, select

from adapters.store.chain import EMPTY, Head, Link, Verified, check
from adapters.store.database import open_engine, store_errors
from adapters.store.schema import AUDIT, ENTITY

END_OF_CHAIN = select(AUDIT.c.seq, AUDIT.c.hash).order_by(AUDIT.c.seq.desc()).limit(1)
WHO: Final = ("agent", "by", "whom")
"""What of a line names somebody."""
_AT_ONCE = 1000  # lines in memory at a time

Thing = tuple[str, str]
"""Kind and id of something that changed: `("page", "p-18f3-acute")`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines; what is empty does not matter.

    Attributes:
        since: not before this.
        until: before this.
        type: of the event.
        who: who acted, or whom it is about; capitals do not matter.
        incident: what it belongs to.
    """

    since: datetime | None = None
    until: datetime | None = None
    type: str = ""
    who: str = ""
    incident: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """Lines of the chain.

    Attributes:
        lines: (the line, its content, the incident that it belongs to or "").
        more: there are more after the last one.
        head: the end of the whole chain.
    """

    lines: tuple[tuple[Link, dict[str, Any], str], ...]
    more: bool
    head: Head


def verify(
    url: str, expected_head: Head | None = None, progress: Callable[[int], None] = lambda _count: None
) -> Verified:
    """Check every line of the audit chain.

    Args:
        url: the store.
        expected_head: a head that was published earlier; without it a cut-off end cannot be seen.
        progress: called now and then with how many lines were read; what it raises ends the check.

    Raises:
        StoreError: the store cannot be read.
    """
    engine = open_engine(url, writes=False)
    try:
        with store_errors("verifying the audit chain"), engine.begin() as connection:
            return check(_counted(_links(connection, select(AUDIT).order_by(AUDIT.c.seq)), progress), expected_head)
    finally:
        engine.dispose()


def head(url: str) -> Head:
    """Return the end of the chain as the store has it.

    Raises:
        StoreError: the store cannot be read.
    """
    engine = open_engine(url, writes=False)
    try:
        with store_errors("reading the audit chain"), engine.begin() as connection:
            return read_head(connection)
    finally:
        engine.dispose()


def read_head(connection: Connection) -> Head:
    """Return the end of the chain."""
    row = connection.execute(END_OF_CHAIN).first()
    return EMPTY if row is None else Head(row.seq, row.hash)


def read(url: str, wanted: Wanted, *, most: int, before: int | None = None, after: int | None = None) -> Found:
    """Return some lines, newest first; with `after` oldest first.

    Args:
        url: the store.
        wanted: which lines.
        most: how many at the most.
        before: only lines before this place, where the page before ended.
        after: only lines after this place, which turns the order round.

    Raises:
        StoreError: the store cannot be read.
    """
    engine = open_engine(url, writes=False)
    try:
        with store_errors("reading the audit chain"), engine.begin() as connection:
            things = _of_incident(connection, wanted.incident) if wanted.incident else None
            chosen = _chosen(wanted, things)
            ascending = after is not None
            chosen = chosen.order_by(AUDIT.c.seq if ascending else AUDIT.c.seq.desc())
            if after is not None:
                chosen = chosen.where(AUDIT.c.seq > after)
            if before is not None:
                chosen = chosen.where(AUDIT.c.seq < before)
            found: list[tuple[Link, dict[str, Any]]] = []
            for one in _links(connection, chosen):
                content = _content(one)
                if not _fits(content, wanted, things):
                    continue
                found.append((one, content))
                if len(found) > most:
                    break
            incidents = _incidents(connection, [content for _, content in found[:most]])
            lines = tuple((one, content, incidents.get(one.seq, "")) for one, content in found[:most])
            return Found(lines, len(found) > most, read_head(connection))
    finally:
        engine.dispose()


def _links(connection: Connection, chosen: Select[Any]) -> Iterator[Link]:
    for row in connection.execution_options(yield_per=_AT_ONCE).execute(chosen):
        yield Link(row.seq, row.at, row.line, row.prev_hash, row.hash)


def _counted(links: Iterable[Link], progress: Callable[[int], None]) -> Iterator[Link]:
    for count, one in enumerate(links, 1):
        if count % _AT_ONCE == 0:
            progress(count)
        yield one


def _chosen(wanted: Wanted, things: frozenset[Thing] | None) -> Select[Any]:
    """Return the lines that may fit: they are canonical JSON, so a part of the text stands for a field.

    `_fits` looks again, since the same text may stand deeper in the line.
    """
    chosen = select(AUDIT)
    # Times are written in one way, in UTC with microseconds, so that their texts sort as they do.
    if wanted.since is not None:
        chosen = chosen.where(AUDIT.c.at >= _time(wanted.since))
    if wanted.until is not None:
        chosen = chosen.where(AUDIT.c.at < _time(wanted.until))
    if wanted.type:
        chosen = chosen.where(AUDIT.c.line.contains(f'"type":{json.dumps(wanted.type)}', autoescape=True))
    if wanted.who.isascii() and wanted.who:  # LIKE knows no capitals but ASCII's
        chosen = chosen.where(
            or_(*(AUDIT.c.line.icontains(f'"{n}":{json.dumps(wanted.who)}', autoescape=True) for n in WHO))
        )
    if things is not None:
        any_of = [AUDIT.c.line.contains(f'"id":{json.dumps(id_)}', autoescape=True) for _, id_ in things]
        chosen = chosen.where(or_(false(), *any_of))
    return chosen


def _fits(content: Mapping[str, Any], wanted: Wanted, things: frozenset[Thing] | None) -> bool:
    if wanted.type and content.get("type") != wanted.type:
        return False
    if wanted.who and wanted.who.casefold() not in (str(content.get(n, "")).casefold() for n in WHO):
        return False
    return things is None or not things.isdisjoint(_things(content))


def _content(one: Link) -> dict[str, Any]:
    try:
        content = json.loads(one.line)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}  # somebody has changed it: the check says so, not the reading


def _things(content: Mapping[str, Any]) -> list[Thing]:
    changed = content.get("changed")
    if not isinstance(changed, list):
        return []
    return [(str(c.get("kind")), str(c.get("id"))) for c in changed if isinstance(c, dict)]


def _of_incident(connection: Connection, incident: str) -> frozenset[Thing]:
    """Return all that belongs to an incident: what names it, and the handoffs of its calls."""
    named = select(ENTITY.c.kind, ENTITY.c.id).where(ENTITY.c.incident == incident)
    found = {(row.kind, row.id) for row in connection.execute(named)}
    calls = {id_ for kind, id_ in found if kind == "call"}
    if calls:
        helped = select(ENTITY.c.id, ENTITY.c.body).where(ENTITY.c.kind == "handoff")
        found |= {("handoff", row.id) for row in connection.execute(helped) if row.body.get("call") in calls}
    return frozenset(found)


def _incidents(connection: Connection, contents: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    """Return the incident of each line that changed something which belongs to one."""
    by_line = {content["seq"]: _things(content) for content in contents if "seq" in content}
    ids = {id_ for things in by_line.values() for _, id_ in things}
    if not ids:
        return {}
    known = select(ENTITY.c.kind, ENTITY.c.id, ENTITY.c.incident, ENTITY.c.body).where(ENTITY.c.id.in_(ids))
    rows = {(row.kind, row.id): row for row in connection.execute(known)}
    calls = {str(row.body.get("call")) for row in rows.values() if row.kind == "handoff"}
    of_calls = select(ENTITY.c.id, ENTITY.c.incident).where(ENTITY.c.kind == "call", ENTITY.c.id.in_(calls))
    by_call = {row.id: row.incident for row in connection.execute(of_calls)}
    found = {}
    for seq, things in by_line.items():
        known_things = [rows[thing] for thing in things if thing in rows]
        named = (row.incident or by_call.get(str(row.body.get("call"))) for row in known_things)
        incident = next((i for i in named if i), "")
        if incident:
            found[seq] = incident
    return found


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
