"""Hand-offs and hours in every Nordic zone, 2020 to 2040, against a second opinion on what the wall clock shows."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.hours import OfficeHours, When, instant
from policies.rota import Override, Rota, Rotation, Shift, Temporary, next_change, on_call_at, shifts
from tests.policies.wall_clock import ZONES, changes, clock_shows

NAMES = ("anna", "bo", "carl", "dorte", "erik")
TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
OFFICE = OfficeHours(hours={0: ((time(8), time(16)),), 2: ((time(1, 30), time(2, 30)), (time(22), time.max))})

zones = st.sampled_from(ZONES)
clocks = st.one_of(
    st.builds(time, st.integers(0, 3), st.sampled_from((0, 15, 30, 59))),
    st.builds(time, st.integers(22, 23), st.sampled_from((0, 30, 59))),
    st.builds(time, st.integers(0, 23), st.integers(0, 59)),
)
PEOPLE = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True).map(tuple[str, ...])


@st.composite
def dates(draw: st.DrawFn, zone: str) -> date:
    """Draw a date, mostly one near a change of the clocks."""
    near = draw(st.booleans())
    if near and changes(zone):
        return draw(st.sampled_from(changes(zone))) + draw(st.integers(-1, 1)) * DAY
    return draw(st.dates(date(2020, 1, 1), date(2040, 12, 31)))


@st.composite
def rotations(draw: st.DrawFn, zone: str, start: date) -> Rotation:
    limited = draw(st.booleans())
    return Rotation(
        people=draw(PEOPLE),
        start=start - draw(st.integers(0, 40)) * DAY,
        every_days=draw(st.sampled_from((1, 2, 7, 14))),
        handoff=draw(clocks),
        until=draw(st.one_of(st.none(), st.just(start + draw(st.integers(0, 3)) * DAY))),
        when=draw(st.sampled_from(When)),
        days=tuple(draw(st.sets(st.integers(0, 6)))) if limited else (),
        opens=draw(clocks) if limited else time(),
        closes=draw(clocks) if limited else time(),
    )


def clock_says(zone: str, rotation: Rotation, at: datetime) -> str:
    """Return whose turn it is, by counting the hand-offs that were."""
    near = at.date()
    first = max(0, (near - rotation.start).days // rotation.every_days - 2)
    turns = [
        k
        for k in range(first, first + 6)
        if clock_shows(zone, rotation.start + k * rotation.every_days * DAY, rotation.handoff) <= at
    ]
    over = rotation.until is not None and clock_shows(zone, rotation.until, rotation.handoff) <= at
    if not turns or over or not within(zone, rotation, at):
        return ""
    is_open = any(opens <= at < closes for number in range(-1, 2) for opens, closes in office(near + number * DAY))
    if rotation.when is not When.ALWAYS and (rotation.when is When.OFFICE) != is_open:
        return ""
    return rotation.people[max(turns) % len(rotation.people)]


def office(day: date) -> list[tuple[datetime, datetime]]:
    spans = [
        ((day, opens), (day + DAY, time()) if closes == time.max else (day, closes))
        for opens, closes in OFFICE.hours.get(day.weekday(), ())
    ]
    return [(clock_shows(OFFICE.zone, *opens), clock_shows(OFFICE.zone, *closes)) for opens, closes in spans]


def within(zone: str, rotation: Rotation, at: datetime) -> bool:
    if not rotation.days and rotation.opens == rotation.closes:
        return True
    for number in range(-3, 3):
        day = at.date() + number * DAY
        end = day if rotation.closes > rotation.opens else day + DAY
        if rotation.days and day.weekday() not in rotation.days:
            continue
        if clock_shows(zone, day, rotation.opens) <= at < clock_shows(zone, end, rotation.closes):
            return True
    return False


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Rota, datetime, datetime]:
    """Draw a rota with everything that there can be, and a window in which it happens."""
    zone = draw(zones)
    day = draw(dates(zone))
    since = clock_shows(zone, day - DAY, draw(clocks))
    until = since + draw(st.integers(1, 6 * 24 * 60)) * timedelta(minutes=1)
    moments = st.builds(clock_shows, st.just(zone), st.just(day) | st.just(day + DAY), clocks)
    spans = st.tuples(moments, moments).map(sorted)
    fixed = st.builds(lambda span, people: Shift(span[0], span[1], people), spans, PEOPLE)
    names = st.sampled_from(NAMES)
    who = st.one_of(
        st.tuples(names, st.just("")), st.tuples(st.just(""), names), st.tuples(names, names)
    )  # add, remove, both
    overrides = st.builds(lambda span, pair: Override(span[0], span[1], *pair), spans, who)
    temporary = st.builds(lambda span, s: Temporary(span[0], span[1], tuple(s)), spans, st.lists(fixed, max_size=2))
    rota = Rota(
        "backup",
        zone,
        rotations=tuple(draw(st.lists(rotations(zone, day), max_size=2))),
        shifts=tuple(sorted(draw(st.lists(fixed, max_size=2)), key=lambda s: s.since)),
        overrides=tuple(draw(st.lists(overrides, max_size=2))),
        temporary=tuple(draw(st.lists(temporary, max_size=1))),
    )
    return rota, since, until


def by_the_book(rota: Rota, at: datetime) -> tuple[str, ...]:
    """Return who is on call, worked out the long way."""
    for schedule in rota.temporary:
        if schedule.since <= at < schedule.until:
            names = [n for s in schedule.shifts if s.since <= at < s.until for n in s.people]
            return tuple(dict.fromkeys(names))
    names = [name for r in rota.rotations if (name := clock_says(rota.zone, r, at))]
    names += [n for s in rota.shifts if s.since <= at < s.until for n in s.people]
    for o in rota.overrides:
        if o.since <= at < o.until and o.add and o.remove:
            names = [o.add if n == o.remove else n for n in names]
        elif o.since <= at < o.until and o.add:
            names = [*names, o.add]
        elif o.since <= at < o.until:
            names = [n for n in names if n != o.remove]
    return tuple(dict.fromkeys(names))


@given(data=st.data(), zone=zones, clock=clocks)
def test_a_local_time_is_found_on_any_day(data: st.DataObject, zone: str, clock: time) -> None:
    """Also on the days on which it does not exist, or comes twice."""
    day = data.draw(dates(zone))
    assert instant(ZoneInfo(zone), day, clock) == clock_shows(zone, day, clock)


@given(data=st.data(), zone=zones, clock=clocks, people=PEOPLE, every=st.sampled_from((1, 3, 7, 14)))
def test_the_next_one_begins_with_the_hand_off_and_not_a_moment_earlier(
    data: st.DataObject, zone: str, clock: time, people: tuple[str, ...], every: int
) -> None:
    """At each hand-off the one is on call until the last microsecond, from the very instant the other; nobody twice."""
    day = data.draw(dates(zone))
    number = data.draw(st.integers(0, 400))
    rota = Rota("backup", zone, (Rotation(people, day - number * every * DAY, every, clock),))
    at = clock_shows(zone, day, clock)
    before = people[(number - 1) % len(people)]
    assert on_call_at(rota, at - TICK, OFFICE) == ((before,) if number else ())
    assert on_call_at(rota, at, OFFICE) == (people[number % len(people)],)
    if len(people) > 1:
        assert next_change(rota, at - TICK, OFFICE) == at
        assert next_change(rota, at, OFFICE) == clock_shows(zone, day + every * DAY, clock)


@given(scene=scenes(), data=st.data())
def test_exactly_those_are_on_call_who_should_be(scene: tuple[Rota, datetime, datetime], data: st.DataObject) -> None:
    """At the beginning, at every edge and a microsecond before it, and at any time: what a long reckoning says."""
    rota, since, until = scene
    any_time = data.draw(st.datetimes(since.replace(tzinfo=None), until.replace(tzinfo=None))).replace(tzinfo=UTC)
    edges = [edge for shift in shifts(rota, since, until, OFFICE) for edge in (shift.since, shift.until - TICK)]
    given_ = [o.since for o in rota.overrides] + [t.until for t in rota.temporary] + [s.until for s in rota.shifts]
    for at in (any_time, *edges, *given_):
        assert on_call_at(rota, at, OFFICE) == by_the_book(rota, at), at


@given(scene=scenes())
def test_shifts_follow_each_other_without_gap_or_overlap(scene: tuple[Rota, datetime, datetime]) -> None:
    """They fill the time that was asked for; two that follow each other differ; each holds all through."""
    rota, since, until = scene
    found = shifts(rota, since, until, OFFICE)
    assert (found[0].since, found[-1].until) == (since, until)
    for one, other in pairwise(found):
        assert one.until == other.since
        assert one.people != other.people
    minutes = int((until - since).total_seconds() // 60)
    for shift in found:
        for number in range(0, minutes, 15):
            at = since + timedelta(minutes=number)
            if shift.holds(at):
                assert on_call_at(rota, at, OFFICE) == shift.people


@given(scene=scenes())
def test_the_next_change_is_where_the_next_shift_begins(scene: tuple[Rota, datetime, datetime]) -> None:
    """And None when nothing changes any more."""
    rota, since, until = scene
    found = shifts(rota, since, until, OFFICE)
    change = next_change(rota, since, OFFICE)
    if len(found) > 1:
        assert change == found[1].since
    else:
        assert change is None or change >= until


@pytest.mark.parametrize(
    ("zone", "day", "clock", "utc"),
    [
        ("Europe/Copenhagen", date(2027, 3, 28), time(2, 30), "2027-03-28T01:30"),  # 03:30 CEST: 02:30 does not exist
        ("Europe/Copenhagen", date(2027, 3, 28), time(3, 0), "2027-03-28T01:00"),
        ("Europe/Copenhagen", date(2027, 10, 31), time(2, 30), "2027-10-31T00:30"),  # the first of two, CEST
        ("Europe/Helsinki", date(2027, 3, 28), time(3, 30), "2027-03-28T01:30"),
        ("Europe/Helsinki", date(2027, 10, 31), time(3, 30), "2027-10-31T00:30"),
        ("Atlantic/Faroe", date(2027, 3, 28), time(1, 30), "2027-03-28T01:30"),
        ("Atlantic/Reykjavik", date(2027, 3, 28), time(1, 30), "2027-03-28T01:30"),  # its clocks never change
        ("America/Nuuk", date(2027, 3, 27), time(23, 30), "2027-03-28T01:30"),  # half past midnight on Sunday, there
        ("America/Nuuk", date(2027, 3, 28), time(0, 0), "2027-03-28T01:00"),
        ("America/Nuuk", date(2027, 10, 30), time(23, 30), "2027-10-31T00:30"),
    ],
)
def test_hand_offs_in_the_night_of_the_change(zone: str, day: date, clock: time, utc: str) -> None:
    """By the almanac: each was looked up, not worked out."""
    at = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    rota = Rota("backup", zone, (Rotation(("anna", "bo"), day - DAY, 1, clock),))
    assert on_call_at(rota, at - TICK, OFFICE) == ("anna",)
    assert on_call_at(rota, at, OFFICE) == ("bo",)
