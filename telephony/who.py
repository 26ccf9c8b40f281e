"""Who would be reached: by which plans, on which rungs and channels, and when each fires while nobody answers.

Everything is looked up as a page does it: each rung at its own time, so that a page which runs over closing time or
over a hand-off goes to other people.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from policies.pages import LAST_RESORT, Rung, next_rung, staffed
from policies.rota import shifts
from policies.rules import Contact, PagePlan, Rules
from telephony.errors import BagvagtError
from telephony.explain.clock import local_time
from telephony.explain.model import listed

DAYS = 7
_NOBODY = "NOBODY"


class UnknownPlanError(BagvagtError):
    """Policy has no such plan.

    Attributes:
        plan: what was asked for.
        known: what could have been.
    """

    def __init__(self, plan: str, known: tuple[str, ...]) -> None:
        self.plan = plan
        self.known = known
        super().__init__(plan, known)

    def __str__(self) -> str:
        return f'there is no plan "{self.plan}"; there are {", ".join(self.known) or "none"}'


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is told.

    Attributes:
        name: who.
        channels: "mqtt", "sms" … in their order; without those whose turn would come when the rung is over.
        after_s: when each is used, in seconds from the rung's time; sooner when the one before it fails.
    """

    name: str
    channels: tuple[str, ...]
    after_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Reached:
    """One rung, when its time comes.

    Attributes:
        at: when, in the site's zone.
        after_s: seconds after the page began.
        step: from 1; 0 for the last resort.
        round: from 1.
        people: who is told.
        wait_s: until the next rung, or until the last resort is told again.
        rotas: that the rung names.
    """

    at: datetime
    after_s: float
    step: int
    round: int
    people: tuple[Person, ...]
    wait_s: float
    rotas: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reach:
    """One plan.

    Attributes:
        plan: its name.
        rungs: in the order in which they fire, the last resort last.
    """

    plan: str
    rungs: tuple[Reached, ...]


@dataclass(frozen=True, slots=True)
class OnCall:
    """Who is on call by one rota, for some time.

    Attributes:
        rota: its name.
        since: from then on, in the site's zone.
        until: and not from then on.
        people: names; nobody, where there is a gap.
    """

    rota: str
    since: datetime
    until: datetime
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Who:
    """Who would be reached.

    Attributes:
        at: when a page would begin, in the site's zone.
        note: what was made of a time that does not exist or comes twice, else "".
        office: whether the office is open then.
        plans: by plan.
        rotas: by rota and time.
    """

    at: datetime
    note: str
    office: bool
    plans: tuple[Reach, ...]
    rotas: tuple[OnCall, ...]

    def lines(self) -> list[str]:
        """Return it as a person reads it."""
        said = [f"At {self.at:%a %Y-%m-%d %H:%M %Z}, {'in' if self.office else 'outside'} office hours"]
        said += [self.note] if self.note else []
        for reach in self.plans:
            said += ["", f"Plan {reach.plan}, if a page began then and nobody answered"]
            said += _table((self._when(r.at), _step(r), _people(r)) for r in reach.rungs)
        for rota in dict.fromkeys(shift.rota for shift in self.rotas):
            said += ["", f"Rota {rota}"]
            mine = (shift for shift in self.rotas if shift.rota == rota)
            said += _table((_day(s.since), "to", _day(s.until), ", ".join(s.people) or _NOBODY) for s in mine)
        return said

    def json(self) -> str:
        """Return it for machines."""
        return msgspec.json.format(msgspec.json.encode(self)).decode()

    def _when(self, at: datetime) -> str:
        return f"{at:%H:%M:%S}" if at.date() == self.at.date() else f"{at:%a %Y-%m-%d %H:%M:%S}"


def who(rules: Rules, at: datetime, *, plan: str = "", days: int = DAYS) -> Who:
    """Tell who would be reached.

    Args:
        rules: with the calendars' shifts in them.
        at: when a page would begin; without a zone it is the site's local time.
        plan: name of the only plan to tell of; "" for all.
        days: how many days of the rotas are told, from `at`.

    Raises:
        UnknownPlanError: there is no such plan.
    """
    if plan and plan not in rules.pages:
        raise UnknownPlanError(plan, tuple(rules.pages))
    here, note = local_time(rules.office.zone, at)
    plans = [rules.pages[plan]] if plan else list(rules.pages.values())
    rotas = {rota for p in plans for step in p.steps for rota in step.rotas} if plan else rules.rotas.keys()
    return Who(
        at=here,
        note=note,
        office=rules.office.is_open(here),
        plans=tuple(Reach(p.name, tuple(_rungs(p, rules, here))) for p in plans),
        rotas=tuple(shift for name in rules.rotas if name in rotas for shift in _on_call(name, rules, here, days)),
    )


def _rungs(plan: PagePlan, rules: Rules, here: datetime) -> Iterator[Reached]:
    step, round_, after_s = -1, 0, 0.0
    while True:
        at = here.astimezone(UTC) + timedelta(seconds=after_s)
        rung = next_rung(staffed(plan, at, rules), rules.office, at, step, round_)
        is_last = rung.step == LAST_RESORT
        yield Reached(
            at=at.astimezone(here.tzinfo),
            after_s=after_s,
            step=0 if is_last else rung.step + 1,
            round=rung.round + 1,
            people=tuple(_person(p, rung) for p in rung.people),
            wait_s=rung.wait_s,
            rotas=() if is_last else plan.steps[rung.step].rotas,
        )
        if is_last:
            return
        step, round_, after_s = rung.step, rung.round, after_s + rung.wait_s


def _person(person: Contact, rung: Rung) -> Person:
    turns = [(channel, number * rung.in_turn_s) for number, (channel, _) in enumerate(person.channels)]
    used = [(channel, after_s) for channel, after_s in turns if after_s < rung.wait_s]
    return Person(person.name, tuple(channel for channel, _ in used), tuple(after_s for _, after_s in used))


def _on_call(name: str, rules: Rules, here: datetime, days: int) -> Iterator[OnCall]:
    zone = ZoneInfo(rules.office.zone)
    since = here.astimezone(UTC)
    for s in shifts(rules.rotas[name], since, since + timedelta(days=days), rules.office) if days > 0 else ():
        yield OnCall(name, s.since.astimezone(zone), s.until.astimezone(zone), s.people)


def _step(rung: Reached) -> str:
    if not rung.step:
        return f"last resort, and again every {rung.wait_s:g} s"
    return f"step {rung.step}, round {rung.round}" + (f" ({', '.join(rung.rotas)})" if rung.rotas else "")


def _people(rung: Reached) -> str:
    return "; ".join(f"{p.name} by {_ways(p)}" for p in rung.people)


def _ways(person: Person) -> str:
    if not any(person.after_s):
        return listed(person.channels) or "NOTHING"
    turns = zip(person.channels, person.after_s, strict=True)
    return ", then ".join(f"{channel} (+{after_s:g} s)" if after_s else channel for channel, after_s in turns)


def _day(at: datetime) -> str:
    return f"{at:%a %Y-%m-%d %H:%M}"


def _table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Return rows with their columns below each other."""
    table = list(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    return ["  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in table]
