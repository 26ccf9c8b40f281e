"""From entries to rows, and from a group of entries to the few statements of one transaction.

Within a group the last word on an entity or a timer is the one that is written; intents and audit lines are all
written, in order. So the result is the same as with one transaction for each entry.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, update

from adapters.store.chain import Head, Link, link
from adapters.store.codec import encode, incident_of, key_of
from adapters.store.database import Driver, Prepared, upsert
from adapters.store.errors import EntryRefusedError
from adapters.store.schema import AUDIT, ENTITY, INTENT, POLICY, TIMER
from adapters.store.timers import Due
from policies.actions import Action, CancelTimer, Release, StartTimer, Tell
from policies.events import AccessChanged, Event, PolicyLoaded
from policies.model import Timer
from policies.pages import Page
from policies.rules import Severity
from policies.state import Entity
from telephony.ports import Entry

Row = dict[str, Any]
Key = tuple[str, str]

_UPSERT_ENTITY = Prepared(upsert(ENTITY, "opened_at"), *ENTITY.c.keys())
_UPSERT_TIMER = Prepared(upsert(TIMER), *TIMER.c.keys())
_DROP_TIMER = Prepared(
    delete(TIMER).where(*(TIMER.c[name] == bindparam(f"{name}") for name in ("entity", "entity_id", "what")))
)
_INTEND = Prepared(insert(INTENT), "id", "kind", "body", "event_id", "created_at")
_CLOSE = Prepared(
    update(INTENT)
    .where(INTENT.c.id == bindparam("done"), INTENT.c.outcome.is_(None))
    .values(outcome=bindparam("how"), outcome_at=bindparam("at"))
)
_REPLACE = Prepared(
    update(ENTITY)
    .where(ENTITY.c.kind == bindparam("of"), ENTITY.c.id == bindparam("lost"))
    .values(over=bindparam("let_go"))
)
_LOAD = Prepared(insert(POLICY), "loaded_at", "version", "body")
_CHAIN = Prepared(insert(AUDIT), *AUDIT.c.keys())
# What an auditor may read of an event: who acted, by which key. Never a number, a note, or a carrier's words.
_WHO = ("agent", "by", "means", "what", "whom")


@dataclass(frozen=True, slots=True)
class Rows:
    """What one entry writes, apart from its place in the chain.

    Attributes:
        at: when.
        entities: rows by key.
        intents: rows in order.
        timers: when they are due, None to drop one.
        closed: (action id, outcome), None when the event is no outcome.
        policy: the row of a policy that came into force.
        replaced: rows of pages that nobody can read, in whose place this entry opens one.
        content: the audit line, without from-states and place.
    """

    at: datetime
    entities: Mapping[Key, Row]
    intents: tuple[Row, ...]
    timers: Mapping[Timer, Due | None]
    closed: tuple[str, str] | None
    content: Row
    policy: Row | None = None
    replaced: tuple[Row, ...] = ()


def rows_of(entry: Entry, replaces: Iterable[str] = ()) -> Rows:
    """Return what `entry` writes. Timers among the actions are left out: they come in `Entry.timers`.

    Args:
        entry: one transaction.
        replaces: pages that nobody can read, in whose place it opens one; a restart lets them be from then on.

    Raises:
        EntryRefusedError: the event's time has no zone.
    """
    if entry.event.at.tzinfo is None:
        raise EntryRefusedError("committing to the journal", f"event {entry.event.id} has a time without a zone")
    at = entry.event.at.astimezone(UTC)
    entities = {key_of(e): (e, False) for e in entry.changed}
    for dropped in entry.dropped:
        key = key_of(dropped)
        entities[key] = (entities.get(key, (dropped, False))[0], True)
    acts = [a for a in entry.actions if not isinstance(a, (StartTimer, CancelTimer))]
    return Rows(
        at=at,
        entities={
            (kind, id_): {
                "kind": kind,
                "id": id_,
                "state": entity.state.value,
                "body": encode(entity),
                "incident": incident_of(entity),
                "opened_at": at,  # of a row that stands, the first one is kept
                "updated_at": at,
                "over": over,
            }
            for (kind, id_), (entity, over) in entities.items()
        },
        intents=tuple(
            {"id": a.id, "kind": type(a).__name__, "body": encode(a), "event_id": entry.event.id, "created_at": at}
            for a in acts
        ),
        timers={
            timer: None if due_at is None else Due(due_at, _is_urgent(timer, entities))
            for timer, due_at in entry.timers
        },
        closed=(entry.done, entry.outcome) if entry.done else None,
        content=_content(entry, entry.event, [*acts, *entry.told]),
        policy=_policy(entry.event),
        replaced=tuple({"of": "page", "lost": id_, "let_go": True} for id_ in replaces),
    )


def _is_urgent(timer: Timer, entities: Mapping[Key, tuple[Entity, bool]]) -> bool:
    """Tell whether a timer goes first when many are due: those of calls, and of pages that are acute or may be."""
    if timer.entity in {"call", "handoff"}:
        return True
    page, _ = entities.get((timer.entity, timer.entity_id), (None, False))
    return timer.entity == "page" and (not isinstance(page, Page) or page.severity is Severity.ACUTE)


def _policy(event: Event) -> Row | None:
    if not isinstance(event, PolicyLoaded):
        return None
    return {"loaded_at": event.at, "version": event.rules.version, "body": encode(event.rules)}


def _content(entry: Entry, event: Event, acts: Iterable[Action]) -> Row:
    content: Row = {"event": event.id, "type": type(event).__name__, "actions": [_told(a) for a in acts]}
    content |= {name: getattr(event, name) for name in _WHO if hasattr(event, name)}
    if isinstance(event, AccessChanged):
        content["address"] = event.address  # of a machine; others' are phone numbers
    key = getattr(event, "key", None)
    if key is not None:
        content |= {"key": key.name, "source": event.source.value}  # type: ignore[attr-defined]  # a key press has one
    if isinstance(event, PolicyLoaded):
        content["policy"] = event.rules.version
    if entry.done:
        content |= {"done": entry.done, "outcome": entry.outcome}
    return content


def _told(action: Action) -> Row:
    told: Row = {"id": action.id, "type": type(action).__name__}
    if isinstance(action, Tell):
        told |= {"verdict": action.verdict.value, "reason": action.reason.value, "rule": action.rule}
    elif isinstance(action, Release):
        told |= {"permit": action.permit.id, "rule": action.permit.rule, "heard": len(action.permit.heard)}
    return told


@dataclass(slots=True)
class Batch:
    """A group of entries on its way into one transaction.

    Attributes:
        head: end of the audit chain, after this batch.
        states: entities as they stood before it, by key; not changed here.
    """

    head: Head
    states: Mapping[Key, str]
    entities: dict[Key, Row] = field(default_factory=dict)
    _intents: list[Row] = field(default_factory=list)
    _timers: dict[Timer, Due | None] = field(default_factory=dict)
    _closed: list[Row] = field(default_factory=list)
    _links: list[Link] = field(default_factory=list)
    _policies: list[Row] = field(default_factory=list)
    _replaced: list[Row] = field(default_factory=list)

    def add(self, rows: Rows) -> None:
        """Take in one more entry."""
        changed = [self._change(key, row) for key, row in rows.entities.items()]
        made = link(self.head, rows.at.isoformat(timespec="microseconds"), {**rows.content, "changed": changed})
        self._links.append(made)
        self.head = Head(made.seq, made.hash)
        self.entities |= rows.entities
        self._intents += rows.intents
        self._timers |= rows.timers
        self._replaced += rows.replaced
        if rows.policy is not None:
            self._policies.append(rows.policy)
        if rows.closed is not None:
            action, outcome = rows.closed
            self._closed.append({"done": action, "how": outcome, "at": rows.at})

    def _change(self, key: Key, row: Row) -> Row:
        before = self.entities.get(key)
        was = self.states.get(key) if before is None or before["over"] else before["state"]
        change = {"kind": row["kind"], "id": row["id"], "from": was, "to": row["state"]}
        return change | {"over": True} if row["over"] else change

    def write(self, driver: Driver) -> None:
        """Write it all, in the transaction that has begun."""
        timers = [_named(timer, due) for timer, due in self._timers.items()]
        for statement, rows in (
            (_UPSERT_ENTITY, list(self.entities.values())),
            (_INTEND, self._intents),
            (_CLOSE, self._closed),
            (_UPSERT_TIMER, [row for row in timers if row["due_at"] is not None]),
            (_DROP_TIMER, [row for row in timers if row["due_at"] is None]),
            (_LOAD, self._policies),
            (_REPLACE, self._replaced),
            (_CHAIN, [one._asdict() for one in self._links]),
        ):
            if rows:
                statement.run(driver, rows)


def _named(timer: Timer, due: Due | None) -> Row:
    row: Row = {"entity": timer.entity, "entity_id": timer.entity_id, "what": timer.what, "due_at": None}
    return row if due is None else row | {"due_at": due.at, "urgent": due.urgent}
