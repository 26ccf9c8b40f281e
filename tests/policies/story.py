"""A small stage for tests of the core: feed events, look at state and actions."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, TypeVar

from policies import actions as act
from policies import events as ev
from policies.decide import decide
from policies.events import Event, Played
from policies.guards import Guard
from policies.model import AgentId, CallId, Does, KeyUse, LegId, LiveCall, Member, Outcome, Source, Target
from policies.rules import (
    Contact,
    HandoffRules,
    KindRules,
    LeaveWhen,
    OfficeHours,
    PagePlan,
    Policy,
    Rules,
    Severity,
    Step,
    When,
)
from policies.state import State

A = TypeVar("A", bound=act.Action)

NOON = datetime(2026, 3, 27, 11, 0, tzinfo=UTC)  # a Friday, 12:00 in Copenhagen
ANNA, BO = AgentId("anna"), AgentId("bo")

WARN = KeyUse("warn", Does.WARN, "abuse")
END = KeyUse("end", Does.END, "")
SUICIDE = KeyUse("suicide", Does.FLAG, "suicide")
COLLEAGUE = KeyUse("colleague", Does.COLLEAGUE)
CHIEF = KeyUse("chief", Does.CHIEF)
BACK = KeyUse("back", Does.BACK)


def contact(name: str, *channels: str) -> Contact:
    """Return a person who can be reached by the named channels."""
    return Contact(name, tuple((c, f"{c}:{name}") for c in channels))


BACKUP_PLAN = PagePlan(
    name="backup",
    steps=(
        Step(
            (
                contact(
                    "Office",
                ),
            ),
            60,
            When.OFFICE,
        ),  # nobody to reach: an empty rung
        Step((contact("Chief", "sms"),), 60, When.OFFICE),
        Step((contact("Bagvagt", "mqtt", "sms"),), 120, When.OUTSIDE),
        Step((contact("Deputy", "sms"),), 180),
    ),
    last_resort=contact("Alarm centre", "sms"),
    rounds=2,
    last_resort_every_s=900,
)

RULES = Rules(
    version="test",
    kinds={
        "abuse": KindRules("abuse", may_end=True, break_s=600, wait_s=5.0),
        "mild": KindRules("mild", may_end=False, break_s=0),
        "vile": KindRules("vile", may_end=True, warnings=0, break_s=60),
        "twice": KindRules("twice", may_end=True, warnings=2, wait_s=3.0),
        "suicide": KindRules("suicide", latched=True, warnings=0, break_s=1800, page="backup", severity=Severity.ACUTE),
    },
    keys={k.name: k for k in (WARN, END, SUICIDE, COLLEAGUE, CHIEF, BACK)},
    handoffs={
        "colleague": HandoffRules(brief="brief-takeover", leave=LeaveWhen.ON_JOIN, then="chief"),
        "chief": HandoffRules(leave=LeaveWhen.BY_KEY, then="page:backup"),
    },
    chiefs=(Target("Chief", "PJSIP/chief"), Target("Chief's mobile", "PJSIP/4520@trunk", confirm=True)),
    pages={"backup": BACKUP_PLAN},
    office=OfficeHours(hours=dict.fromkeys(range(5), ((time(8), time(16)),))),
)


def call(number: int = 1, agent: AgentId | None = ANNA, **changes: Any) -> LiveCall:
    """Return a call between a caller and an agent."""
    made = LiveCall(
        id=CallId(f"c{number}"),
        caller=LegId(f"c{number}"),
        agent=agent,
        agent_leg=LegId(f"{agent}-{number}") if agent else None,
        bridge=f"b{number}" if agent else None,
        began_at=NOON - timedelta(minutes=5),
        language="da",
    )
    return replace(made, **changes)


class Story:
    """One core, driven by hand. Time moves only when told."""

    def __init__(self, rules: Rules = RULES, *, connected: bool = True, at: datetime = NOON) -> None:
        self.policy = Policy(rules)
        self.state = State()
        self.now = at
        self.last: tuple[act.Action, ...] = ()
        self._count = 0
        if connected:
            self.pbx_connected(call())

    def stamp(self) -> dict[str, Any]:
        self._count += 1
        return {"id": f"e{self._count}", "at": self.now}

    def feed(self, event: Event) -> tuple[act.Action, ...]:
        decision = decide(self.state, event, self.policy)
        self.state, self.last = decision.state, decision.actions
        return decision.actions

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def pbx_connected(self, *calls: LiveCall, members: tuple[Member, ...] = ()) -> tuple[act.Action, ...]:
        event = ev.PbxConnected(**self.stamp(), epoch=self.state.epoch + 1, calls=calls, members=members)
        return self.feed(event)

    def pbx_lost(self) -> None:
        self.feed(ev.PbxLost(**self.stamp(), epoch=self.state.epoch))

    def press(self, key: KeyUse, *calls: LiveCall, agent: AgentId = ANNA, late_s: float = 0, **more: Any) -> act.Tell:
        event = ev.KeyPressed(
            **self.stamp(),
            agent=agent,
            key=key,
            source=Source.CODE,
            pressed_at=self.now - timedelta(seconds=late_s),
            calls=calls,
            **more,
        )
        self.feed(event)
        return next(a for a in self.last if isinstance(a, act.Tell) and a.press == event.id)

    def one(self, kind: type[A]) -> A:
        found = self.all(kind)
        assert len(found) == 1, self.last
        return found[0]

    def all(self, kind: type[A]) -> list[A]:
        return [a for a in self.last if isinstance(a, kind)]

    def guard(self, number: int = 1) -> Guard:
        return self.state.guards[CallId(f"c{number}")]

    def announced(self, played: Played = Played.HEARD, number: int = 1) -> tuple[act.Action, ...]:
        guard = self.guard(number)
        return self.feed(
            ev.AnnouncementFinished(
                **self.stamp(),
                action=guard.announcement,
                call=guard.call,
                caller=guard.caller,
                played=played,
                packets=250,
                play_s=5.0,
            )
        )

    def released(self, outcome: Outcome = Outcome.DONE, number: int = 1) -> tuple[act.Action, ...]:
        guard = self.guard(number)
        return self.feed(
            ev.ReleaseFinished(**self.stamp(), action="a", call=guard.call, permit=guard.permit, outcome=outcome)
        )

    def warned(self) -> LiveCall:
        """Anna's caller has heard the warning, and the wait is over."""
        live = call()
        self.press(WARN, live)
        self.announced()
        self.wait(6)
        return live
