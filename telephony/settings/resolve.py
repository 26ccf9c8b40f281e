"""From a policy file to the core's rules, and its calendar of closed days."""

from collections.abc import Mapping
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import holidays

from policies import rules as r
from policies.model import AgentId, Does, KeyUse, Target
from telephony.settings import policy, rota
from telephony.settings.fields import span
from telephony.settings.model import Settings
from telephony.settings.numbers import mobile_number

YEARS_AHEAD = 15

# Days that the law does not name and on which nobody works; in Sweden Midsummer Eve and Christmas Eve.
_ALSO = {"SE": ("public", "de_facto")}


def rules(settings: Settings, today: date | None = None) -> r.Rules:
    """Return the rules that the core works with.

    Args:
        settings: from `load`.
        today: public holidays are worked out from the year before to `YEARS_AHEAD` years after; now by default.
    """
    zone = settings.site.zone
    year = (today or datetime.now(ZoneInfo(zone)).date()).year
    contacts = {name: _contact(settings, name, person) for name, person in settings.people.items()}
    handoff, presses = settings.handoff, settings.presses
    return r.Rules(
        version=settings.origin.version,
        kinds={name: _kind(name, kind) for name, kind in settings.kinds.items()},
        keys={name: KeyUse(name, Does(key.does), key.kind) for name, key in settings.keys.items()},
        handoffs={
            "colleague": _handoff(handoff.colleague, handoff.colleague.same_team_first, handoff.colleague.most),
            "chief": _handoff(handoff.chief, same_team_first=False, most=max(1, len(handoff.chief.chain))),
        },
        chiefs=tuple(
            Target(c.name, c.endpoint, AgentId(c.agent) if c.agent else None, c.confirm) for c in handoff.chief.chain
        ),
        breaks=r.BreakRules(settings.breaks.agent_may_end, settings.breaks.retry_s),
        pages={name: _plan(name, plan, contacts) for name, plan in settings.pages.items()},
        office=r.OfficeHours(zone, _week(settings.office_hours), closed_days(settings, range(year - 1, year + 16))),
        teams={name: agent.team for name, agent in settings.agents.items() if agent.team},
        language=settings.site.language,
        languages={name: agent.language for name, agent in settings.agents.items() if agent.language},
        rotas={name: rota.resolved(name, given, zone) for name, given in settings.rotas.items()},
        people=contacts,
        proofs=_proofs(settings.proofs),
        phones={n: Target(n, p.phone, None, p.phone_confirm) for n, p in settings.people.items() if p.phone},
        late_key_s=presses.late_key_s,
        late_flag_s=presses.late_flag_s,
        double_press_s=presses.double_press_s,
    )


def closed_days(settings: Settings, years: range) -> frozenset[date]:
    """Return public holidays and the site's own closed days in `years`."""
    return frozenset(holiday_names(settings, years))


def holiday_names(settings: Settings, years: range) -> Mapping[date, str]:
    """Return every closed day with what it is called, for people."""
    country = settings.site.country
    named: dict[date, str] = {}
    if country:
        categories = _ALSO.get(country)
        named |= dict(holidays.country_holidays(country, years=years, categories=categories, language="en_US"))
    for day in settings.site.closed:
        for one in _dates(day, years):
            named.setdefault(one, "closed by the site")
    return named


def _dates(day: date | str, years: range) -> list[date]:
    if isinstance(day, date):
        return [day]
    month, number = (int(part) for part in day.split("-"))
    found = []
    for year in years:
        try:
            found.append(date(year, month, number))
        except ValueError:  # 29 February in a year without one
            continue
    return found


def _kind(name: str, kind: policy.Kind) -> r.KindRules:
    severity = r.Severity.ACUTE if kind.latched else r.Severity(kind.severity)
    return r.KindRules(kind=name, severity=severity, **kind.model_dump(exclude={"severity"}))


def _handoff(handoff: policy.Handoff, same_team_first: bool, most: int) -> r.HandoffRules:  # noqa: FBT001 -- two callers
    return r.HandoffRules(
        ring_s=handoff.ring_s,
        brief=handoff.brief,
        leave=r.LeaveWhen(handoff.leave),
        then=handoff.then,
        same_team_first=same_team_first,
        most=most,
    )


def _contact(settings: Settings, name: str, person: policy.Person) -> r.Contact:
    addresses = dict(person.channels)
    if person.sms:
        addresses["sms"] = mobile_number(person.sms, settings.site.country)[0]
    return r.Contact(name, tuple(addresses.items()), person.language or settings.site.language)


def _proofs(proofs: policy.Proofs | None) -> r.ProofRules | None:
    if proofs is None:
        return None
    opens, closes = span(proofs.hours)
    days = frozenset(rota.DAYS.index(day) for day in proofs.days)
    return r.ProofRules(proofs.every_days, opens, closes, days, proofs.lapse_s)


def _plan(name: str, plan: policy.Plan, contacts: Mapping[str, r.Contact]) -> r.PagePlan:
    return r.PagePlan(
        name=name,
        steps=tuple(
            r.Step(
                people=tuple(contacts[person] for person in dict.fromkeys(step.people)),
                wait_s=step.wait_s,
                when=r.When(step.when),
                rotas=tuple(dict.fromkeys(step.rotas)),
                in_turn_s=step.in_turn_s,
            )
            for step in plan.steps
        ),
        last_resort=contacts[plan.last_resort],
        rounds=plan.rounds,
        last_resort_every_s=plan.last_resort_every_s,
    )


def _week(hours: policy.Hours) -> Mapping[int, tuple[tuple[time, time], ...]]:
    days = [getattr(hours, day) for day in policy.Hours.model_fields]
    return {weekday: tuple(span(s) for s in spans) for weekday, spans in enumerate(days) if spans}
