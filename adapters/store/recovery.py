"""What a start reads back. One row that cannot be read must not keep the service, and all the others, from starting.

So columns whose text may be damaged are read as text, and turned into what they hold here, row by row.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Text, not_, select, type_coerce

from adapters.store.audit import read_head
from adapters.store.chain import Head
from adapters.store.codec import ENTITIES, Body, decode_action, decode_entity, decode_rules
from adapters.store.errors import StoreCorruptError
from adapters.store.schema import ENTITY, INTENT, POLICY, TIMER
from adapters.store.timers import Due, Timers
from policies.breaks import Break
from policies.guards import CallState, Guard
from policies.handoffs import Handoff
from policies.model import AgentId, CallId, LegId, Timer
from policies.pages import Page
from policies.proofs import Proof
from policies.rules import Rules
from policies.state import State
from telephony.ports import Recovered, Unreadable

_POLICIES_KEPT = 50
_AT_ONCE = datetime.fromtimestamp(0, UTC)  # a timer of which nobody knows when it was due
T = TypeVar("T")

_STANDING = (
    select(
        ENTITY.c.kind,
        ENTITY.c.id,
        ENTITY.c.incident,
        type_coerce(ENTITY.c.body, Text).label("body"),
        type_coerce(ENTITY.c.opened_at, Text).label("opened_at"),
    )
    .where(not_(ENTITY.c.over))
    .order_by(ENTITY.c.opened_at, ENTITY.c.id)
)
_UNSETTLED = (
    select(INTENT.c.id, INTENT.c.kind, type_coerce(INTENT.c.body, Text).label("body"))
    .where(INTENT.c.outcome.is_(None))
    .order_by(INTENT.c.seq)
)
_POLICIES = (
    select(
        type_coerce(POLICY.c.loaded_at, Text).label("loaded_at"),
        POLICY.c.version,
        type_coerce(POLICY.c.body, Text).label("body"),
    )
    .order_by(POLICY.c.seq.desc())
    .limit(_POLICIES_KEPT)
)
_TIMERS = select(
    TIMER.c.entity, TIMER.c.entity_id, TIMER.c.what, type_coerce(TIMER.c.due_at, Text).label("due_at"), TIMER.c.urgent
)


def begun(connection: Connection) -> tuple[Timers, Head, list[Unreadable]]:
    """Read the timers, and the end of the audit chain.

    A timer without a readable time fires at once: a page may climb a rung too early, and never too late.
    """
    unreadable: list[Unreadable] = []
    standing: list[tuple[Timer, Due]] = []
    for entity, entity_id, what, due_at, urgent in connection.execute(_TIMERS):
        timer = Timer(entity, entity_id, what)
        if entity not in ENTITIES or not isinstance(entity_id, str) or not isinstance(what, str):
            unreadable.append(Unreadable("timer", str(entity_id), "", "it belongs to nothing that is known"))
            continue
        try:
            due = _time(due_at)
        except StoreCorruptError as error:
            unreadable.append(Unreadable("timer", entity_id, "", error.detail))
            due = _AT_ONCE
        standing.append((timer, Due(due, bool(urgent))))
    return Timers(standing), read_head(connection), unreadable


def recovered(connection: Connection) -> Recovered:
    """Read what stands."""
    unreadable: list[Unreadable] = []

    def read(decode: Callable[[], T], what: str, id_: str = "", incident: str | None = None) -> T | None:
        try:
            return decode()
        except StoreCorruptError as error:
            unreadable.append(Unreadable(what, id_, incident or "", error.detail))
            return None

    guards: dict[CallId, Guard] = {}
    handoffs: dict[str, Handoff] = {}
    breaks: dict[str, Break] = {}
    pages: dict[str, Page] = {}
    proofs: dict[str, Proof] = {}
    for row in connection.execute(_STANDING):
        match read(lambda r=row: decode_entity(r.kind, _body(r.body)), row.kind, row.id, row.incident):  # type: ignore[misc]
            case Guard() as guard:
                guards[guard.call] = guard
            case Handoff() as handoff:
                handoffs[handoff.id] = handoff
            case Break() as break_:
                breaks[break_.id] = break_
            case Page() as page:
                pages[page.id] = page
            case Proof() as proof:
                proofs[proof.id] = proof
            case None if row.kind == "call":
                guards[CallId(row.id)] = _latched(row)
    actions = [
        read(lambda r=row: decode_action(r.kind, _body(r.body)), row.kind, row.id)  # type: ignore[misc]
        for row in connection.execute(_UNSETTLED)
    ]
    policies = [read(partial(_policy, row), "policy", row.version) for row in connection.execute(_POLICIES)]
    return Recovered(
        State(guards=guards, handoffs=handoffs, breaks=breaks, pages=pages, proofs=proofs),
        tuple(action for action in actions if action is not None),
        tuple(policy for policy in reversed(policies) if policy is not None),
        tuple(unreadable),
    )


def _policy(row: Row[Any]) -> tuple[datetime, Rules]:
    return _time(row.loaded_at), decode_rules(_body(row.body))


def _body(text: Any) -> Body:
    try:
        body: Body = json.loads(text)
    except (TypeError, ValueError) as error:
        raise StoreCorruptError("reading a row of the journal", str(error)) from error
    return body


def _time(text: Any) -> datetime:
    """Read a time as `schema.UtcTime` writes it: UTC, without saying so."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except (TypeError, ValueError) as error:
        raise StoreCorruptError("reading a row of the journal", "a time that is none") from error


def _latched(row: Row[Any]) -> Guard:
    """A call of which only the name is known may be an acute one: no key ends it."""
    try:
        opened_at = _time(row.opened_at)
    except StoreCorruptError:
        opened_at = _AT_ONCE
    return Guard(
        call=CallId(row.id),
        incident=row.incident or "",
        caller=LegId(row.id),  # a call is named by its caller's leg
        agent=AgentId(""),
        agent_leg=None,
        kind="",
        rules=None,
        state=CallState.ACUTE,
        began_at=opened_at,
        flagged_at=opened_at,
    )
