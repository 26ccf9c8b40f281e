"""What must be true of every run of the soak, by what the carrier saw and what the store holds at the end."""

import sqlite3
from collections.abc import Collection, Iterable
from contextlib import closing

import msgspec

from adapters.store.audit import verify
from policies.pages import Page, PageState
from tests.soak.carrier import Seen
from tests.soak.poison import Poison

_TOLD_MOST = 10  # of one kind; the first few say what is wrong


def faults(
    url: str, seen: Seen, accepted: Collection[str], poisoned: Collection[Poison], reported: Collection[tuple[str, str]]
) -> list[str]:
    """Return what is wrong; nothing is best.

    Args:
        url: the store, which nobody writes any more.
        seen: by the carrier.
        accepted: incidents whose page was committed, as the service said.
        poisoned: rows that were made unreadable.
        reported: (what, id) of what the service said it could not read.
    """
    pages = _pages(url, {one.id for one in poisoned})
    answered = {page.incident for page, _ in pages if page.state is PageState.ANSWERED}
    return [
        *_each("the audit chain does not hold at line {}", [v] if (v := verify(url).first_bad) is not None else []),
        *_each("nobody was told of {}", set(accepted) - seen.told),
        *_each("nobody has {}, though it was accepted", set(accepted) - answered),
        *_each("{} calls on, though somebody has answered it", (p.id for p, _ in pages if p.is_open)),
        *_each("{} ended without an answer", (p.id for p, over in pages if over and p.is_open)),
        *_each("{} ended, and nobody had answered it", _unanswered(pages, seen)),
        *_each("{} came too often", _too_often(seen)),
        *_each("{} was not reported", {(p.what, p.id) for p in poisoned} - set(reported)),
        *_each("{} was not opened anew", {p.incident for p in poisoned if p.incident} - answered),
        *_each("{} was reported, and nobody had touched it", set(reported) - {(p.what, p.id) for p in poisoned}),
    ]


def _pages(url: str, but: Collection[str]) -> list[tuple[Page, bool]]:
    """Read all pages, and whether the service has let go of them."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as db:
        rows = db.execute("SELECT id, body, \"over\" FROM entity WHERE kind = 'page'").fetchall()
    return [(msgspec.json.decode(body, type=Page), bool(over)) for id_, body, over in rows if id_ not in but]


def _unanswered(pages: Iterable[tuple[Page, bool]], seen: Seen) -> Iterable[str]:
    return (page.id for page, _ in pages if not page.is_open and page.id not in seen.answered)


def _too_often(seen: Seen) -> Iterable[str]:
    """Once, and once more for each attempt of whose fate nobody knew: it hung, or the service was killed meanwhile."""
    return (f"{message} ({n} times)" for message, n in seen.arrived.items() if n > 1 + seen.unknown[message])


def _each(text: str, what: Iterable[object]) -> list[str]:
    found = sorted(map(str, what))
    more = [f"… and {len(found) - _TOLD_MOST} more"] if len(found) > _TOLD_MOST else []
    return [text.format(one) for one in found[:_TOLD_MOST]] + more
