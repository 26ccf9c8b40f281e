"""What is written of a decision: its entry in the journal, and its line in the log."""

from datetime import datetime
from typing import Any

import structlog

from policies import actions as act
from policies import events as ev
from policies.model import Timer
from policies.state import Decision, State
from telephony.ports import Entry

_log = structlog.get_logger()


def entry_of(event: ev.Event, decision: Decision) -> Entry:
    """Return what the journal takes of a decision."""
    timers: dict[Timer, datetime | None] = {}
    if isinstance(event, ev.TimerFired):
        timers[event.timer] = None
    for action in decision.actions:
        if isinstance(action, act.StartTimer):
            timers[action.timer] = action.due_at
        elif isinstance(action, act.CancelTimer):
            timers[action.timer] = None
    no_intent = (act.StartTimer, act.CancelTimer, act.Tell)
    outcome = next((v for n in ("outcome", "played", "delivery") if (v := getattr(event, n, ""))), "")
    return Entry(
        event=event,
        changed=decision.changed,
        dropped=decision.dropped,
        actions=tuple(a for a in decision.actions if not isinstance(a, no_intent)),
        done=getattr(event, "action", ""),
        outcome=str(outcome) or ("done" if hasattr(event, "action") else ""),
        timers=tuple(timers.items()),
        told=tuple(a for a in decision.actions if isinstance(a, act.Tell)),
    )


def concerns_people(entry: Entry) -> bool:
    """Tell whether it belongs into the journal; plain call tracking does not."""
    return bool(
        entry.changed or entry.dropped or entry.actions or entry.done or entry.timers or entry.told
    ) or isinstance(entry.event, ev.PbxConnected | ev.PbxLost | ev.PolicyLoaded | ev.AccessChanged)


def log_decision(event: ev.Event, before: State, decision: Decision, ms: float) -> None:
    """Say in one line what has come of an event; nothing when nothing has."""
    if not decision.changed and not decision.actions:
        return
    moved = []
    for entity in decision.changed:
        key = getattr(entity, "id", None) or entity.call  # type: ignore[union-attr]
        was = _state_of(before, entity)
        moved.append(f"{type(entity).__name__.lower()} {key}: {was}→{entity.state.value}")
    _log.info(
        "decided",
        event_id=event.id,
        what=type(event).__name__,
        moved=moved,
        actions=[type(a).__name__ for a in decision.actions if not isinstance(a, act.Tell)],
        told=[a.reason.value for a in decision.actions if isinstance(a, act.Tell)],
        ms=round(ms, 2),
    )


def _state_of(state: State, entity: Any) -> str:
    tables: dict[str, Any] = {
        "Guard": state.guards,
        "Handoff": state.handoffs,
        "Break": state.breaks,
        "Page": state.pages,
        "Proof": state.proofs,
    }
    key = entity.call if type(entity).__name__ == "Guard" else entity.id
    was = tables[type(entity).__name__].get(key)
    return was.state.value if was else "new"
