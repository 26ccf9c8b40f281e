"""From an iCalendar text to shifts.

An event's summary names who is on call: "Anna", "Vagt: Anna", "Anna, Bo". When it names nobody of [people], its
attendees are looked at. Whatever names nobody, or cannot be read, is reported and is a gap: nobody is guessed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import recurring_ical_events  # type: ignore[import-untyped]
from icalendar import Calendar, Component, Event

from policies.hours import instant
from policies.rota import Shift
from telephony.errors import BagvagtError

MOST_EVENTS = 3000
MOST_SHIFTS = 5000
_SHOWN_CHARS = 80
_YEARS = range(1990, 2101)  # a series is followed from its beginning
_EVERY = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_TIMES = frozenset({"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE"})
_BETWEEN = re.compile(r"[,;/&+\n]")


@dataclass
class CalendarError(BagvagtError):
    """A calendar that cannot be had, or cannot be read.

    Attributes:
        why: for people; never the calendar's address, which is a secret.
    """

    why: str

    def __post_init__(self) -> None:
        super().__init__(self.why)

    def __str__(self) -> str:
        return self.why


@dataclass(frozen=True, slots=True)
class Unclear:
    """An event that nobody is on call by.

    Attributes:
        at: when it begins, None when that cannot be read.
        summary: what it is called.
        why: what is wrong with it.
    """

    at: datetime | None
    summary: str
    why: str


@dataclass(frozen=True, slots=True)
class Shifts:
    """What a calendar says of some weeks.

    Attributes:
        shifts: sorted.
        unclear: events that say nothing.
    """

    shifts: tuple[Shift, ...]
    unclear: tuple[Unclear, ...]


def read(text: bytes, zone: ZoneInfo, names: Mapping[str, str], since: datetime, until: datetime) -> Shifts:
    """Return the shifts that touch the time from `since` to `until`.

    Args:
        text: an iCalendar object.
        zone: of times and days that have no zone of their own.
        names: what people are called, in any case -> who that is.
        since: aware.
        until: aware.

    Raises:
        CalendarError: it is no calendar, or one without bounds.
    """
    series, unclear = _series(_parsed(text))
    known = {_plain(called): person for called, person in names.items()}
    shifts: list[Shift] = []
    for calendar in series:
        try:
            events = recurring_ical_events.of(calendar).between(since, until)
            occurrences = [(event, _utc(event.start, zone), _utc(event.end, zone)) for event in events]
        except Exception as error:  # noqa: BLE001 -- one odd event must not take the others with it
            unclear.append(Unclear(None, _summary(calendar.events[0]), f"cannot be read: {type(error).__name__}"))
            continue
        for event, begins, ends in occurrences:
            if ends <= begins or str(event.get("STATUS", "")).upper() == "CANCELLED":
                continue
            people, stranger = _people(event, known)
            if people:
                shifts.append(Shift(begins, ends, people))
            if stranger:
                unclear.append(Unclear(begins, _summary(event), f"{stranger} is nobody of [people]"))
        if len(shifts) > MOST_SHIFTS:
            raise CalendarError(f"it has more than {MOST_SHIFTS} shifts within some weeks")
    return Shifts(tuple(sorted(shifts, key=lambda s: (s.since, s.until))), tuple(unclear))


def _parsed(text: bytes) -> Component:
    try:
        calendar = Calendar.from_ical(text)
    except Exception:  # noqa: BLE001 -- a parser of what others wrote: whatever it stumbles over, this is no calendar
        raise CalendarError("it is not iCalendar") from None
    if not isinstance(calendar, Calendar):
        raise CalendarError("it is not iCalendar")
    return calendar


def _series(calendar: Component) -> tuple[list[Calendar], list[Unclear]]:
    """Return each event with its exceptions in a calendar of its own, and the events that are none."""
    events = [event for event in calendar.walk("VEVENT") if isinstance(event, Event)]
    if len(events) > MOST_EVENTS:
        raise CalendarError(f"it has more than {MOST_EVENTS} events")
    found: dict[str, Calendar] = {}
    unclear: list[Unclear] = []
    for number, event in enumerate(events):
        problem = _problem(event)
        if problem:
            unclear.append(Unclear(None, _summary(event), problem))
            continue
        one = found.setdefault(str(event.get("UID", number)), Calendar())
        if "X-WR-TIMEZONE" in calendar:
            one["X-WR-TIMEZONE"] = calendar["X-WR-TIMEZONE"]
        one.add_component(event)
    return list(found.values()), unclear


def _problem(event: Event) -> str:
    broken = any(name in _TIMES for name, _ in event.errors)
    begins = None if broken else getattr(event.get("DTSTART"), "dt", None)
    if not isinstance(begins, date):
        return "its time cannot be read"
    if begins.year not in _YEARS:
        return "it begins too long ago, or in too distant a future"
    rules = event.get("RRULE", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        often = any(len(rule.get(part, [])) > 1 for part in ("BYSECOND", "BYMINUTE"))
        if often or str(rule.get("FREQ", [""])[0]).upper() not in _EVERY:
            return "it repeats more often than shifts do"
    return ""


def _people(event: Component, known: Mapping[str, str]) -> tuple[tuple[str, ...], str]:
    """Return who is on call, and one who is named and is nobody we know."""
    named = [part for part in _BETWEEN.split(str(event.get("SUMMARY", "")).rpartition(":")[2]) if part.strip()]
    people = [known.get(_plain(part), "") for part in named]
    if not any(people):
        guests = [known[g] for guest in _list(event.get("ATTENDEE")) for g in _called(guest) if g in known]
        if guests:
            return tuple(dict.fromkeys(guests)), ""
    strangers = [part.strip() for part, person in zip(named, people, strict=True) if not person] or [""]
    stranger = "" if people and all(people) else f'"{strangers[0][:_SHOWN_CHARS]}"'
    return tuple(dict.fromkeys(filter(None, people))), stranger


def _called(guest: Any) -> Iterator[str]:
    """Return what an attendee is called: address and common name (RFC 5545 §3.8.4.1)."""
    yield _plain(str(guest)).removeprefix("mailto:")
    yield _plain(str(getattr(guest, "params", {}).get("CN", "")))


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()


def _summary(event: Component) -> str:
    text = " ".join(str(event.get("SUMMARY", "")).split())
    return "".join(c if c.isprintable() else " " for c in text)[:_SHOWN_CHARS]


def _utc(at: date | datetime, zone: ZoneInfo) -> datetime:
    if not isinstance(at, datetime):
        return instant(zone, at, time())
    return at.astimezone(UTC) if at.tzinfo is not None else instant(zone, at.date(), at.time())
