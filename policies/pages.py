"""A page: somebody is told, and told again, until a person answers. Its states, and the table between them.

Sent, delivered and read are kept and are not enough. Rungs follow each other by policy; an empty rung is skipped at
once; after the last round the last resort is told, and told again, until somebody answers. There is no row that ends a
page without a person.

On a rung, a person's channels are used all at once, or in turn: each message of the rung then stands there from the
beginning, with attempt 0, until its turn comes. A person who passes ends the waiting for that person, not the page.

An answered page is kept for a while: reports that come late still go into its time line, a second answer is told who
has it, and its reply code is not given to another page meanwhile.

A page keeps its plan as it stood, with the names of its rotas. Who is on call by them is looked up when a rung's time
comes: a page that outlasts a hand-off, or a swap in the night, tells those who are on call then.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from policies.events import Delivery
from policies.rota import office_turns, on_call_at
from policies.rota import turns as rota_turns
from policies.rules import Contact, OfficeHours, PagePlan, Rules, Severity, Step
from policies.tables import Table

LAST_RESORT = -1

KEEP_ANSWERED_S = 3600.0
KEEP_ANSWERED = 200
"""For how long, and how many, answered pages are kept."""


class PageState(StrEnum):
    """States of a page."""

    CALLING = "calling"  # a rung has been told, its time runs
    LAST_RESORT = "last_resort"
    ANSWERED = "answered"


class PageCause(StrEnum):
    """What moves a page."""

    NEXT = "next_rung"
    EXHAUSTED = "no_rung_left"
    ANSWERED = "answered"


_S, _C = PageState, PageCause

PAGES: Table[PageState, PageCause] = Table(
    "page",
    {
        _S.CALLING: {_C.NEXT: _S.CALLING, _C.EXHAUSTED: _S.LAST_RESORT, _C.ANSWERED: _S.ANSWERED},
        _S.LAST_RESORT: {_C.EXHAUSTED: _S.LAST_RESORT, _C.ANSWERED: _S.ANSWERED},
        _S.ANSWERED: {_C.ANSWERED: _S.ANSWERED},
    },
)


@dataclass(frozen=True, slots=True)
class Told:
    """One message to one address.

    Attributes:
        message: its id, the same for every attempt.
        person: who.
        channel: "mqtt", "sms" …
        address: in that channel's words.
        language: of the message.
        step: rung, or LAST_RESORT.
        round: from 0.
        attempt: the latest attempt, from 1; 0 while its turn has not come.
        action: id of the latest `Notify` action.
        delivery: what the carrier said, None while it has not.
        at: when the latest attempt was asked for, or its answer came.
        detail: the carrier's words.
        code: the number with which a reply takes this page; the same in all messages of a page to one person.
        queued_at: when it was decided on.
        sent_at: when the carrier took it.
        delivered_at: when the carrier said that it arrived, None while it has not.
        read_at: likewise.
        failed_at: when the carrier said that it will not arrive.
        passed_at: when the person said that they cannot take it; with the message that they answered.
        doubts: how many attempts had a fate that nobody knows; after two of them it is not sent again.
        given_up: it is not sent any more: the person passed, or a later message took its place.
        asked_back: how often the person was asked what their reply meant.
    """

    message: str
    person: str
    channel: str
    address: str
    language: str
    step: int
    round: int
    attempt: int
    action: str
    delivery: Delivery | None
    at: datetime
    detail: str = ""
    code: int = 1
    queued_at: datetime | None = None
    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    failed_at: datetime | None = None
    passed_at: datetime | None = None
    doubts: int = 0
    given_up: bool = False
    asked_back: int = 0

    @property
    def waits(self) -> bool:
        """Tell whether its turn has not come."""
        return self.attempt == 0 and not self.given_up

    @property
    def is_hopeless(self) -> bool:
        """Tell whether it certainly reaches nobody."""
        return self.given_up or self.delivery is Delivery.REFUSED or self.failed_at is not None


@dataclass(frozen=True, slots=True)
class Page:
    """One running escalation.

    Attributes:
        id: its id.
        incident: what it is about.
        reason: "call", "drill", "test", "watch", or "no_call" (an acute key without a call).
        plan: the plan as it stood when the page was opened.
        severity: acute pages are never rate-limited.
        state: see `PAGES`.
        step: the rung that was told last, or LAST_RESORT.
        round: from 0.
        opened_at: when.
        told: every message.
        answered_by: who took it.
        answered_at: when.
        means: how.
        passed: who of the present rung cannot take it.
    """

    id: str
    incident: str
    reason: str
    plan: PagePlan
    severity: Severity
    state: PageState
    step: int
    round: int
    opened_at: datetime
    told: tuple[Told, ...] = ()
    answered_by: str = ""
    answered_at: datetime | None = None
    means: str = ""
    passed: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Tell whether nobody has taken it."""
        return self.state is not PageState.ANSWERED

    @property
    def rung(self) -> tuple[Told, ...]:
        """Return the messages of the present rung."""
        return tuple(t for t in self.told if (t.step, t.round) == (self.step, self.round))


@dataclass(frozen=True, slots=True)
class Rung:
    """Who is to be told next.

    Attributes:
        step: index in the plan, or LAST_RESORT.
        round: from 0.
        people: who.
        wait_s: until the next rung.
        in_turn_s: see `policies.rules.Step`.
    """

    step: int
    round: int
    people: tuple[Contact, ...]
    wait_s: float
    in_turn_s: float = 0.0


def staffed(plan: PagePlan, at: datetime, rules: Rules, *earlier: Rules) -> PagePlan:
    """Return the plan with whoever is on call at `at` among the people of each rung.

    Args:
        plan: whose rungs may name rotas.
        at: when (aware).
        rules: in force.
        earlier: before that, newest first; for a page whose rota policy no longer has.
    """
    if not any(step.rotas for step in plan.steps):
        return plan
    versions = (rules, *earlier)
    return replace(plan, steps=tuple(_staffed(step, at, versions) for step in plan.steps))


def _staffed(step: Step, at: datetime, versions: tuple[Rules, ...]) -> Step:
    on_call = (contact for name in step.rotas for contact in _contacts(name, at, versions))
    people = {contact.name: contact for contact in (*step.people, *on_call)}
    return replace(step, people=tuple(people.values()))


def _contacts(rota: str, at: datetime, versions: tuple[Rules, ...]) -> Iterator[Contact]:
    rules = next((v for v in versions if rota in v.rotas), None)
    if rules is not None:
        names = on_call_at(rules.rotas[rota], at, rules.office)
        yield from (rules.people[name] for name in names if name in rules.people)


def turns(rules: Rules, since: datetime, until: datetime) -> tuple[datetime, ...]:
    """Return every time after `since` and before `until` at which a plan may reach other people, sorted."""
    found = office_turns(rules.office, since, until)
    return tuple(sorted(found.union(*(rota_turns(rota, since, until, rules.office) for rota in rules.rotas.values()))))


def next_rung(plan: PagePlan, office: OfficeHours, at: datetime, step: int, rounds_done: int) -> Rung:
    """Return the first rung after (`rounds_done`, `step`) that has somebody to tell at `at`; else the last resort.

    Args:
        plan: `staffed` at `at`.
        office: decides which rungs count.
        at: when (aware).
        step: the rung that was told last, -1 for none.
        rounds_done: before this round.
    """
    is_open = office.is_open(at)
    first = step + 1
    for round_ in range(rounds_done, plan.rounds):
        for index in range(first, len(plan.steps)):
            rung = plan.steps[index]
            people = tuple(p for p in rung.people if p.channels)
            if people and rung.when.covers(is_open=is_open):
                return Rung(index, round_, people, rung.wait_s, rung.in_turn_s)
        first = 0
    return Rung(LAST_RESORT, plan.rounds, (plan.last_resort,), plan.last_resort_every_s)
