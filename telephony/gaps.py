"""What is wrong with who will be on call: looked for some weeks ahead, so that there is time to put it right."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from zoneinfo import ZoneInfo

from policies.pages import LAST_RESORT, staffed, turns
from policies.rules import PagePlan, Rules
from telephony.errors import Mistake
from telephony.settings import Settings
from telephony.settings.lines import Path as KeyPath
from telephony.settings.lines import dotted

DAYS_AHEAD = 30
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which a rung that counts then would tell nobody.

    Attributes:
        plan: name of the page plan.
        step: the rung, from 0; LAST_RESORT when no rung is left and the last resort alone would be told.
        since: from then on (UTC).
        until: and not from then on; the end of the look when it goes on after it.
    """

    plan: str
    step: int
    since: datetime
    until: datetime


def gaps(rules: Rules, since: datetime, days: int = DAYS_AHEAD, also: Iterable[str] = ()) -> tuple[Gap, ...]:
    """Return every gap of the plans in use, by plan, rung and time.

    Args:
        rules: with the calendars' shifts in them.
        since: from then on (aware).
        days: how far is looked.
        also: plans that are in use besides those which the rules name.
    """
    until = since + timedelta(days=days)
    near = {name: replace(r, shifts=tuple(s for s in r.shifts if s.until > since)) for name, r in rules.rotas.items()}
    rules = replace(rules, rotas=near)
    edges = (since, *turns(rules, since, until), until)
    return tuple(gap for plan in _in_use(rules, also) for gap in _gaps(plan, rules, edges))


def doubts(settings: Settings, rules: Rules, at: datetime, days: int = DAYS_AHEAD) -> tuple[Mistake, ...]:
    """Return the gaps as warnings with key, line and remedy, one for each rung; for people, in the office's zone."""
    zone = ZoneInfo(rules.office.zone)
    watched = [watch.plan for watch in settings.watch]
    return tuple(
        _doubt(settings, rules.pages[plan], step, [_words(gap, zone) for gap in found], days)
        for (plan, step), found in groupby(gaps(rules, at, days, watched), key=lambda gap: (gap.plan, gap.step))
    )


def _in_use(rules: Rules, also: Iterable[str]) -> list[PagePlan]:
    named = {kind.page for kind in rules.kinds.values()}.union(also)
    named |= {handoff.then for handoff in rules.handoffs.values()}
    return [plan for name, plan in rules.pages.items() if name in named or f"page:{name}" in named]


def _gaps(plan: PagePlan, rules: Rules, edges: Iterable[datetime]) -> list[Gap]:
    found: dict[int, list[Gap]] = {}
    for begins, ends in pairwise(edges):
        for step in _empty(plan, rules, begins):
            gaps_of = found.setdefault(step, [])
            if gaps_of and gaps_of[-1].until == begins:
                gaps_of[-1] = replace(gaps_of[-1], until=ends)
            else:
                gaps_of.append(Gap(plan.name, step, begins, ends))
    return [gap for step in sorted(found) for gap in found[step]]


def _empty(plan: PagePlan, rules: Rules, at: datetime) -> list[int]:
    """Return the rungs that count at `at` and have nobody; with LAST_RESORT when those are all that count."""
    is_open = rules.office.is_open(at)
    counting = [(n, s) for n, s in enumerate(staffed(plan, at, rules).steps) if s.when.covers(is_open=is_open)]
    empty = [number for number, step in counting if not any(person.channels for person in step.people)]
    return [LAST_RESORT, *empty] if empty and len(empty) == len(counting) else empty


def _words(gap: Gap, zone: ZoneInfo) -> str:
    since, until = gap.since.astimezone(zone), gap.until.astimezone(zone)
    same_day = since.date() == until.date()
    return f"{since:%a %Y-%m-%d %H:%M} to {until:{'%H:%M' if same_day else '%a %Y-%m-%d %H:%M'}}"


def _doubt(settings: Settings, plan: PagePlan, step: int, times: list[str], days: int) -> Mistake:
    more = f", and {len(times) - _SHOWN} times more within {days} days" if len(times) > _SHOWN else ""
    when = "; ".join(times[:_SHOWN]) + more
    path: KeyPath = ("pages", plan.name)
    message = f"would reach nobody but the last resort, {plan.last_resort.name}: {when}"
    if step != LAST_RESORT:
        path = (*path, "steps", step)
        message = f"nobody is on call on this step: {when}"
    remedy = "add somebody to the rota for that time (an override with add), or to the step's people"
    return Mistake(dotted(path), settings.origin.lines.near(path), message, remedy, "warning")
