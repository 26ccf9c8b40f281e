"""Entities, actions and entries to journal."""

from datetime import UTC, datetime, timedelta
from typing import Any

from policies import actions as act
from policies.breaks import Break, BreakState
from policies.events import BreakEnded
from policies.gate import Permit, permit
from policies.guards import CallState, Guard, Heard
from policies.model import AgentId, CallId, LegId, LiveCall, Timer
from policies.pages import Page, PageState
from policies.rules import KindRules, Severity
from policies.state import Entity
from telephony.ports import Entry
from tests.policies.story import BACKUP_PLAN

T0 = datetime(2027, 3, 28, 0, 30, tzinfo=UTC)


def permit_for(press: str, call: str = "1700000000.1") -> Permit:
    """Return a permit the one way there is."""
    caller, agent, leg = LegId(call), AgentId("agent7"), LegId("1700000000.2")
    guard = guard_of(call, state=CallState.WARNED, heard=(Heard("warning", caller, agent, T0, 300, 6.0),))
    live = LiveCall(CallId(call), caller, agent, leg, "bridge-1", T0)
    given = permit(guard, live, KindRules("abuse", may_end=True), T0 + timedelta(seconds=60), press)
    assert isinstance(given, Permit)
    return given


def guard_of(call: str, **changes: Any) -> Guard:
    """Return a guarded call."""
    fields: dict[str, Any] = {
        "call": CallId(call),
        "incident": f"i-{call}",
        "caller": LegId(call),
        "agent": AgentId("agent7"),
        "agent_leg": LegId("1700000000.2"),
        "kind": "abuse",
        "rules": KindRules("abuse", may_end=True),
        "state": CallState.OPEN,
        "began_at": T0,
        "flagged_at": T0,
        "caller_tag": "8f1c…04",
    }
    return Guard(**{**fields, **changes})


def break_of(id_: str, state: BreakState = BreakState.ASKED) -> Break:
    """Return a break of agent7."""
    return Break(id_, AgentId("agent7"), f"i-{id_}", T0, T0 + timedelta(minutes=10), state)


def page_of(id_: str) -> Page:
    """Return a page whose first rung is told."""
    return Page(id_, f"i-{id_}", "call", BACKUP_PLAN, Severity.ACUTE, PageState.CALLING, 0, 0, T0)


def pause_of(id_: str) -> act.Pause:
    """Return the action that asks for it."""
    return act.Pause(id=f"{id_}/0", break_id=id_, agent=AgentId("agent7"), reason=f"bagvagt:{id_}")


def event_of(id_: str) -> BreakEnded:
    """Return an event; which one is all the same to the journal."""
    return BreakEnded(id=id_, at=T0, break_id=id_, by="chief")


def entry_of(id_: str, *changed: Entity, **more: Any) -> Entry:
    """Return an entry with an event of that id."""
    return Entry(event_of(id_), changed=changed, **more)


def full_entry(id_: str) -> Entry:
    """Return an entry that writes one row into each table, all named after `id_`."""
    timers = [(Timer("break", id_, "over"), T0 + timedelta(minutes=10))]
    return entry_of(id_, break_of(id_), actions=[pause_of(id_)], timers=timers)
