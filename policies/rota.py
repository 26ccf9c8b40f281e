"""A rota: who is on call, at any time.

What counts, the first first: a temporary schedule that holds wins over all. Otherwise everybody whose turn it is by a
rotation, and everybody with a fixed shift; then the overrides change that, in their order.

A hand-off is a time on the wall clock of the rota's zone, so that "Monday at eight" stays that when the clocks change
(`policies.hours` says what becomes of a time that does not exist, or comes twice). Until a hand-off it is the one, from
that very instant the other.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from policies.hours import DAY, OfficeHours, When, instant

LOOK_AHEAD = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Shift:
    """People who are on call from one time to another.

    Attributes:
        since: from then on (aware).
        until: and not from then on.
        people: names, nobody twice.
    """

    since: datetime
    until: datetime
    people: tuple[str, ...]

    def holds(self, at: datetime) -> bool:
        """Tell whether `at` is in it."""
        return self.since <= at < self.until


@dataclass(frozen=True, slots=True)
class Rotation:
    """People who take turns.

    Attributes:
        people: in their order; the first one's turn begins at the first hand-off.
        start: date of the first hand-off.
        every_days: from one hand-off to the next; 7 for a weekly rotation.
        handoff: at this time of day.
        until: the rotation ends at the hand-off time of this date, None for never.
        when: only in office hours, only outside them, or always.
        days: only on shifts that begin on these weekdays (0 = Monday); empty for every day.
        opens: the time of day at which such a shift begins.
        closes: and at which it ends: on the next day, unless it is later than `opens`.
    """

    people: tuple[str, ...]
    start: date
    every_days: int
    handoff: time
    until: date | None = None
    when: When = When.ALWAYS
    days: tuple[int, ...] = ()
    opens: time = time()
    closes: time = time()

    def shift(self, zone: ZoneInfo, day: date) -> tuple[datetime, datetime] | None:
        """Return beginning and end of the hours that begin on `day`, None when none do."""
        if self.days and day.weekday() not in self.days:
            return None
        last = day if self.closes > self.opens else day + DAY
        return instant(zone, day, self.opens), instant(zone, last, self.closes)

    def counts(self, zone: ZoneInfo, at: datetime, today: date) -> bool:
        """Tell whether `at`, on the local date `today`, is within the days and hours."""
        if not self.days and self.opens == self.closes:
            return True
        hours = (self.shift(zone, day) for day in (today, today - DAY))
        return any(begins <= at < ends for begins, ends in filter(None, hours))

    def turn(self, zone: ZoneInfo, at: datetime, today: date) -> str:
        """Return whose turn it is at `at`, on the local date `today`; "" before the start and after the end."""
        if self.until is not None and at >= instant(zone, self.until, self.handoff):
            return ""
        # Tomorrow's turn, and back from there: the hand-off of a date may come after its midnight, never before.
        number = (today + DAY - self.start).days // self.every_days
        while number >= 0 and at < instant(zone, self.start + number * self.every_days * DAY, self.handoff):
            number -= 1
        return self.people[number % len(self.people)] if number >= 0 else ""


@dataclass(frozen=True, slots=True)
class Override:
    """A change for some time: somebody added, somebody removed, or, with both, one in place of the other.

    Attributes:
        since: from then on (aware).
        until: and not from then on.
        add: who; with `remove`, only while that one would be on call.
        remove: who.
    """

    since: datetime
    until: datetime
    add: str = ""
    remove: str = ""

    def applied(self, names: Iterable[str]) -> list[str]:
        """Return who is on call instead of `names`."""
        if not self.remove:
            return [*names, self.add]
        return [n for name in names if (n := self.add if name == self.remove else name)]


@dataclass(frozen=True, slots=True)
class Temporary:
    """A schedule that stands in place of everything else for some time.

    Attributes:
        since: from then on (aware).
        until: and not from then on.
        shifts: who; outside of them nobody is on call.
    """

    since: datetime
    until: datetime
    shifts: tuple[Shift, ...]


@dataclass(frozen=True, slots=True)
class Rota:
    """Who is on call.

    Attributes:
        name: its name in the policy.
        zone: IANA name; of hand-offs and hours.
        rotations: all of them count.
        shifts: fixed ones, as a calendar has them, sorted.
        overrides: applied in this order.
        temporary: none of them overlap.
    """

    name: str
    zone: str
    rotations: tuple[Rotation, ...] = ()
    shifts: tuple[Shift, ...] = ()
    overrides: tuple[Override, ...] = ()
    temporary: tuple[Temporary, ...] = ()

    @property
    def everybody(self) -> frozenset[str]:
        """All who are named in it."""
        people = [r.people for r in self.rotations] + [s.people for s in self.shifts]
        people += [s.people for t in self.temporary for s in t.shifts] + [(o.add,) for o in self.overrides if o.add]
        return frozenset(name for names in people for name in names)


def on_call_at(rota: Rota, at: datetime, office: OfficeHours) -> tuple[str, ...]:
    """Return who is on call at `at` (aware): names, nobody twice; nobody, where there is a gap."""
    schedule = next((t for t in rota.temporary if t.since <= at < t.until), None)
    if schedule is not None:
        return _once(name for shift in schedule.shifts if shift.holds(at) for name in shift.people)
    zone = ZoneInfo(rota.zone)
    today = at.astimezone(zone).date()
    is_open = any(r.when is not When.ALWAYS for r in rota.rotations) and office.is_open(at)
    counting = (r for r in rota.rotations if r.when.covers(is_open=is_open) and r.counts(zone, at, today))
    names = [r.turn(zone, at, today) for r in counting]
    begun = bisect_right(rota.shifts, at, key=lambda shift: shift.since)
    names += [name for shift in rota.shifts[:begun] if at < shift.until for name in shift.people]
    for override in rota.overrides:
        if override.since <= at < override.until:
            names = override.applied(names)
    return _once(names)


def shifts(rota: Rota, since: datetime, until: datetime, office: OfficeHours) -> tuple[Shift, ...]:
    """Return who is on call from `since` to `until`, without a hole between shifts: in a gap, a shift has no people."""
    near = tuple(s for s in rota.shifts if s.since < until and since < s.until)
    rota = replace(rota, shifts=near)
    found: list[Shift] = []
    for begins, ends in pairwise((since, *turns(rota, since, until, office), until)):
        people = on_call_at(rota, begins, office)
        if found and found[-1].people == people:
            found[-1] = replace(found[-1], until=ends)
        else:
            found.append(Shift(begins, ends, people))
    return tuple(found)


def next_change(rota: Rota, at: datetime, office: OfficeHours) -> datetime | None:
    """Return when it is next not the same people as at `at`; None when that is not within `LOOK_AHEAD`."""
    now = on_call_at(rota, at, office)
    since, step = at, 16 * DAY
    while since < at + LOOK_AHEAD:
        for turn in turns(rota, since, since + step, office):
            if on_call_at(rota, turn, office) != now:
                return turn
        since += step
        # `turns` leaves out both ends, and the end of one look is the beginning of the next.
        if on_call_at(rota, since, office) != now:
            return since
    return None


def turns(rota: Rota, since: datetime, until: datetime, office: OfficeHours) -> tuple[datetime, ...]:
    """Return every time after `since` and before `until` at which it may become other people, sorted."""
    zone = ZoneInfo(rota.zone)
    first, last = since.astimezone(zone).date() - DAY, until.astimezone(zone).date() + DAY
    found = {edge for r in rota.rotations for edge in _edges(r, zone, first, last)}
    if any(r.when is not When.ALWAYS for r in rota.rotations):
        found |= office_turns(office, since, until)
    spans: list[Shift | Override | Temporary] = [*rota.shifts, *rota.overrides, *rota.temporary]
    spans += [shift for schedule in rota.temporary for shift in schedule.shifts]
    found |= {edge for span in spans for edge in (span.since, span.until)}
    return tuple(sorted(edge for edge in found if since < edge < until))


def office_turns(office: OfficeHours, since: datetime, until: datetime) -> set[datetime]:
    """Return every time after `since` and before `until` at which the office opens or closes."""
    zone = ZoneInfo(office.zone)
    days = _days(since.astimezone(zone).date() - DAY, until.astimezone(zone).date())
    return {edge for day in days for span in office.spans(day) for edge in span if since < edge < until}


def _edges(rotation: Rotation, zone: ZoneInfo, first: date, last: date) -> Iterator[datetime]:
    start, every = rotation.start, rotation.every_days
    number = max(0, (first - start).days // every)
    while (day := start + number * every * DAY) <= last:
        yield instant(zone, day, rotation.handoff)
        number += 1
    if rotation.until is not None:
        yield instant(zone, rotation.until, rotation.handoff)
    if rotation.days or rotation.opens != rotation.closes:
        for day in _days(first, last):
            yield from rotation.shift(zone, day) or ()


def _days(first: date, last: date) -> Iterator[date]:
    return (first + number * DAY for number in range((last - first).days + 1))


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in dict.fromkeys(names) if name)
