"""The part of a policy file that says who is on call: `[rotas.…]`, and what the core makes of it.

Dates and times are those of the rota's own zone. A time of day that does not exist, or comes twice, is read as
`policies.hours` says.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field

from policies import rota as r
from policies.hours import When, instant
from policies.rules import Rules
from telephony.settings import fields as f

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEK = 7
_EVERY = {"day": 1, "week": WEEK}
_EVERY_MOST = 366
_YEARS = range(2000, 2101)
_CLOCK = r"([01]\d|2[0-3]):([0-5]\d)"
_HANDOFF = re.compile(rf"(?:({'|'.join(DAYS)}) )?{_CLOCK}", re.ASCII)
_HOURS = re.compile(rf"{_CLOCK}-(?:{_CLOCK}|24:00)", re.ASCII)


def _every(value: Any) -> Any:
    if isinstance(value, str) and value in _EVERY:
        return _EVERY[value]
    if type(value) is int and 1 <= value <= _EVERY_MOST:
        return value
    raise f.wrong(f"{f.short(value)} is not a length of turns", f'write "week", "day", or 1 to {_EVERY_MOST} days')


def handoff(value: str) -> tuple[int | None, time]:
    """Return weekday (0 = Monday, None for none) and time of "mon 08:00" or "08:00"."""
    found = _HANDOFF.fullmatch(value)
    if not found:
        raise f.wrong(f"{f.short(value)} is not a hand-off", 'write it as "mon 08:00", or "08:00" for turns of days')
    return DAYS.index(found[1]) if found[1] else None, time(int(found[2]), int(found[3]))


def hours(value: str) -> tuple[time, time]:
    """Return beginning and end of "16:00-08:00"; an end that is not later is on the next day. "" is the whole day."""
    if not value:
        return time(), time()
    found = _HOURS.fullmatch(value)
    if not found:
        raise f.wrong(f"{f.short(value)} is not a time span", 'write it as "16:00-08:00"; it may run over midnight')
    return time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4])) if found[3] else time()


def _day(value: Any) -> Any:
    if type(value) is date and value.year in _YEARS:
        return value
    raise f.wrong(f"{f.short(value)} is not a date", "write a date without quotes, such as 2027-01-04")


def _moment(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            value = f.short(value)[1:-1]
    elif type(value) is date:
        value = datetime.combine(value, time())
    if isinstance(value, datetime) and value.year in _YEARS:
        return value
    raise f.wrong(f'"{value}" is not a point in time', 'write it as "2027-01-04 08:00"')


def _checked(parse: Any) -> AfterValidator:
    def check(value: str) -> str:
        parse(value)
        return value

    return AfterValidator(check)


Every = Annotated[int, BeforeValidator(_every)]
HandOff = Annotated[str, _checked(handoff)]
Hours = Annotated[str, _checked(hours)]
Day = Annotated[date, BeforeValidator(_day)]
Moment = Annotated[datetime, BeforeValidator(_moment)]


class Rotation(f.Strict):
    """People who take turns, see `policies.rota.Rotation`.

    Attributes:
        people: in their order.
        every: days from one hand-off to the next; "week" and "day" are 7 and 1.
        handoff: weekday and time.
        start: date of the first hand-off.
        until: date of the last, None for never.
        when: only in office hours, only outside them, or always.
        days: on which the hours begin; empty for every day.
        hours: "" for the whole day.
    """

    people: list[f.Name]
    every: Every = WEEK
    handoff: HandOff
    start: Day
    until: Day | None = None
    when: Literal["always", "office", "outside"] = "always"
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(default_factory=list)
    hours: Hours = ""


class Override(f.Strict):
    """A change for some time: one of `replace` (with `by`), `add` and `remove`."""

    since: Moment
    until: Moment
    replace: f.OptionalName = ""
    by: f.OptionalName = ""
    add: f.OptionalName = ""
    remove: f.OptionalName = ""


class TemporaryShift(f.Strict):
    """Who is on call in a temporary schedule; all through it when no times are given."""

    people: list[f.Name]
    since: Moment | None = None
    until: Moment | None = None


class Temporary(f.Strict):
    """A schedule that stands in place of everything else for some time."""

    since: Moment
    until: Moment
    shifts: list[TemporaryShift]


class Rota(f.Strict):
    """Who is on call.

    Attributes:
        zone: IANA name, "" for the site's.
        rotation: all of them count.
        override: applied in their order.
        temporary: win over everything else.
        calendar_file: an iCalendar file with shifts, "" for none.
        calendar_url_file: file that holds the address of a calendar, "" for none.
        names: what people are called in the calendar -> who that is.
    """

    zone: f.OptionalZone = ""
    rotation: list[Rotation] = Field(default_factory=list)
    override: list[Override] = Field(default_factory=list)
    temporary: list[Temporary] = Field(default_factory=list)
    calendar_file: f.FileName = ""
    calendar_url_file: f.FileName = ""
    names: dict[f.Text, f.Name] = Field(default_factory=dict)

    @property
    def has_calendar(self) -> bool:
        """Whether shifts come from a calendar."""
        return bool(self.calendar_file or self.calendar_url_file)

    def named(self) -> set[str]:
        """Return everybody whom it names beside the calendar."""
        shifts = {person for temporary in self.temporary for shift in temporary.shifts for person in shift.people}
        return shifts | {p for turns in self.rotation for p in turns.people} | {o.add or o.by for o in self.override}


def at(zone: ZoneInfo, moment: datetime) -> datetime:
    """Return a point in time of the file in UTC; one without a zone of its own is local."""
    return moment.astimezone(UTC) if moment.tzinfo is not None else instant(zone, moment.date(), moment.time())


def resolved(name: str, rota: Rota, site_zone: str) -> r.Rota:
    """Return a rota as the core uses it; what a calendar says is put in by `with_calendars`."""
    zone = ZoneInfo(rota.zone or site_zone)
    return r.Rota(
        name,
        zone.key,
        rotations=tuple(_rotation(rotation) for rotation in rota.rotation),
        overrides=tuple(
            r.Override(at(zone, o.since), at(zone, o.until), o.add or o.by, o.remove or o.replace)
            for o in rota.override
        ),
        temporary=tuple(_temporary(zone, temporary) for temporary in rota.temporary),
    )


def with_calendars(rules: Rules, calendars: Mapping[str, Sequence[r.Shift]]) -> Rules:
    """Return the rules with the shifts of calendars, by rota; the version says which shifts they are."""
    if not calendars:
        return rules
    rotas = {
        name: replace(rota, shifts=tuple(sorted(calendars.get(name, rota.shifts), key=lambda s: s.since)))
        for name, rota in rules.rotas.items()
    }
    said = "".join(f"{name}{shift}" for name, rota in sorted(rotas.items()) for shift in rota.shifts)
    version = f"{rules.version.split('+')[0]}+{hashlib.sha256(said.encode()).hexdigest()[:6]}"
    return replace(rules, rotas=rotas, version=version)


def _rotation(rotation: Rotation) -> r.Rotation:
    opens, closes = hours(rotation.hours)
    return r.Rotation(
        people=tuple(rotation.people),
        start=rotation.start,
        every_days=rotation.every,
        handoff=handoff(rotation.handoff)[1],
        until=rotation.until,
        when=When(rotation.when),
        days=tuple(DAYS.index(day) for day in rotation.days),
        opens=opens,
        closes=closes,
    )


def _temporary(zone: ZoneInfo, temporary: Temporary) -> r.Temporary:
    since, until = at(zone, temporary.since), at(zone, temporary.until)
    shifts = (
        r.Shift(
            at(zone, shift.since) if shift.since else since,
            at(zone, shift.until) if shift.until else until,
            tuple(dict.fromkeys(shift.people)),
        )
        for shift in temporary.shifts
    )
    return r.Temporary(since, until, tuple(shifts))
