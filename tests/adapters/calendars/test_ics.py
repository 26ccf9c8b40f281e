"""From iCalendar to shifts."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.calendars.ics import CalendarError, Shifts, read
from policies.rota import Shift

HERE = ZoneInfo("Europe/Copenhagen")
SINCE, UNTIL = datetime(2027, 3, 15, tzinfo=UTC), datetime(2027, 4, 26, tzinfo=UTC)
NAMES = {"anna": "anna", "bo": "bo", "Anna Andersen": "anna", "bo@example.dk": "bo", "Vagtchef (nat)": "chief"}


def calendar(*events: str, head: str = "") -> bytes:
    body = "".join(f"BEGIN:VEVENT\nUID:{n}\n{event}\nEND:VEVENT\n" for n, event in enumerate(events))
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{head}{body}END:VCALENDAR\n".replace("\n", "\r\n").encode()


def look(*events: str, head: str = "") -> Shifts:
    return read(calendar(*events, head=head), HERE, NAMES, SINCE, UNTIL)


def shift(since: str, until: str, *people: str) -> Shift:
    begins, ends = (datetime.fromisoformat(t).replace(tzinfo=UTC) for t in (since, until))
    return Shift(begins, ends, people)


EASTER = "DTSTART;TZID=Europe/Copenhagen:20270327T200000\nDTEND;TZID=Europe/Copenhagen:20270328T080000"


@pytest.mark.parametrize(
    ("times", "since", "until"),
    [
        (EASTER, "2027-03-27T19:00", "2027-03-28T06:00"),  # eleven hours: the clocks go forward
        ("DTSTART:20270327T200000Z\nDURATION:PT2H", "2027-03-27T20:00", "2027-03-27T22:00"),
        ("DTSTART:20270328T023000\nDTEND:20270328T080000", "2027-03-28T01:30", "2027-03-28T06:00"),  # floating
        ("DTSTART;VALUE=DATE:20270328", "2027-03-27T23:00", "2027-03-28T22:00"),  # a day of 23 hours
        ("DTSTART;VALUE=DATE:20270328\nDTEND;VALUE=DATE:20270330", "2027-03-27T23:00", "2027-03-29T22:00"),
        (
            "DTSTART;TZID=W. Europe Standard Time:20270329T080000\nDTEND;TZID=W. Europe Standard Time:20270329T160000",
            "2027-03-29T06:00",
            "2027-03-29T14:00",
        ),  # as Outlook writes it
    ],
)
def test_times_are_read_in_their_zone(times: str, since: str, until: str) -> None:
    """Own zone, UTC, none (the rota's), whole days, Outlook's names of zones."""
    assert look(f"{times}\nSUMMARY:Anna") == Shifts((shift(since, until, "anna"),), ())


def test_a_series_with_its_exceptions() -> None:
    """Weekly over the change of the clocks; one is left out, one has somebody else, one is moved."""
    weekly = (
        "DTSTART;TZID=Europe/Copenhagen:20270315T080000\nDTEND;TZID=Europe/Copenhagen:20270315T160000\n"
        "RRULE:FREQ=WEEKLY;UNTIL=20270412T235959Z\nEXDATE;TZID=Europe/Copenhagen:20270322T080000\nSUMMARY:Anna"
    )
    swap = (
        "RECURRENCE-ID;TZID=Europe/Copenhagen:20270329T080000\nDTSTART;TZID=Europe/Copenhagen:20270329T100000\n"
        "DTEND;TZID=Europe/Copenhagen:20270329T160000\nSUMMARY:Bo"
    )
    text = calendar(weekly, swap).replace(b"UID:1", b"UID:0")
    assert read(text, HERE, NAMES, SINCE, UNTIL).shifts == (
        shift("2027-03-15T07:00", "2027-03-15T15:00", "anna"),
        shift("2027-03-29T08:00", "2027-03-29T14:00", "bo"),
        shift("2027-04-05T06:00", "2027-04-05T14:00", "anna"),
        shift("2027-04-12T06:00", "2027-04-12T14:00", "anna"),
    )


@pytest.mark.parametrize(
    ("lines", "people", "stranger"),
    [
        ("SUMMARY:anna", ("anna",), ""),
        ("SUMMARY:ANNA  andersen", ("anna",), ""),
        ("SUMMARY:Vagt: Anna", ("anna",), ""),
        ("SUMMARY:Anna\\, Bo", ("anna", "bo"), ""),
        ("SUMMARY:Bo & Anna / Bo", ("bo", "anna"), ""),
        ("SUMMARY:Vagtchef (nat)", ("chief",), ""),
        ("SUMMARY:Anna\\, Carl", ("anna",), '"Carl"'),
        ("SUMMARY:Annas ferie", (), '"Annas ferie"'),
        ("SUMMARY:Vagt\nATTENDEE;CN=Anna Andersen:mailto:aa@example.dk", ("anna",), ""),
        ("SUMMARY:Vagt\nATTENDEE:MAILTO:Bo@Example.dk\nATTENDEE;CN=Room 7:mailto:room7@example.dk", ("bo",), ""),
        ("SUMMARY:Anna\nATTENDEE:mailto:bo@example.dk", ("anna",), ""),
        ("SUMMARY:Vagt\nATTENDEE:mailto:carl@example.dk", (), '"Vagt"'),
        ("DESCRIPTION:nothing", (), '""'),
        ("SUMMARY:", (), '""'),
    ],
)
def test_who_is_meant(lines: str, people: tuple[str, ...], stranger: str) -> None:
    """Whole names, as [people] or the rota's names have them; half a name is nobody; a stranger is reported."""
    found = look(f"{EASTER}\n{lines}")
    assert [s.people for s in found.shifts] == ([people] if people else [])
    assert [u.why for u in found.unclear] == ([f"{stranger} is nobody of [people]"] if stranger else [])
    assert all(u.at == datetime(2027, 3, 27, 19, tzinfo=UTC) for u in found.unclear)


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ("SUMMARY:Anna", "its time cannot be read"),
        ("DTSTART:easter\nSUMMARY:Anna", "its time cannot be read"),
        ("DTSTART:20270327T080000Z\nDTEND:never\nSUMMARY:Anna", "its time cannot be read"),
        ("DTSTART:00010101T000000Z\nRRULE:FREQ=DAILY\nSUMMARY:Anna", "it begins too long ago"),
        ("DTSTART:20270327T080000Z\nRRULE:FREQ=SECONDLY\nSUMMARY:Anna", "more often than shifts do"),
        ("DTSTART:20270327T080000Z\nRRULE:FREQ=DAILY;BYMINUTE=1,2,3\nSUMMARY:Anna", "more often than shifts do"),
    ],
)
def test_an_odd_event_is_reported_and_takes_no_other_with_it(event: str, why: str) -> None:
    """The shift beside it counts."""
    found = look(event, f"{EASTER}\nSUMMARY:Bo")
    assert [s.people for s in found.shifts] == [("bo",)]
    (unclear,) = found.unclear
    assert why in unclear.why
    assert (unclear.at, unclear.summary) == (None, "Anna")


def test_what_is_cancelled_or_takes_no_time_is_no_shift() -> None:
    """Nor is it unclear."""
    assert look(f"{EASTER}\nSTATUS:CANCELLED\nSUMMARY:Anna", "DTSTART:20270327T080000Z\nSUMMARY:Anna") == Shifts((), ())


def test_shifts_that_reach_into_the_window_count_whole() -> None:
    """The one that began before it, and the one that goes on after it; not what is wholly outside."""
    days = ("20270301/20270316", "20270425/20270510", "20270301/20270314", "20270430/20270501")
    events = [f"DTSTART:{a}T000000Z\nDTEND:{b}T000000Z\nSUMMARY:Bo" for a, b in (d.split("/") for d in days)]
    assert [s.since.day for s in look(*events).shifts] == [1, 25]


@pytest.mark.parametrize(
    "text", [b"", b"<html>Log in</html>", b"\xff\xfe\x00", b"BEGIN:VEVENT\r\nEND:VEVENT\r\n", b"BEGIN:VCALENDAR\r\n"]
)
def test_what_is_no_calendar_is_an_error(text: bytes) -> None:
    """A login page instead of the calendar, half a file, nothing at all: the last good copy serves, not this."""
    with pytest.raises(CalendarError, match="it is not iCalendar"):
        read(text, HERE, NAMES, SINCE, UNTIL)


def test_a_calendar_without_events_is_one() -> None:
    """Somebody emptied it: that is what the source says."""
    assert look() == Shifts((), ())


def test_there_is_a_limit_to_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A calendar of a whole region is not a rota."""
    monkeypatch.setattr("adapters.calendars.ics.MOST_EVENTS", 1)
    with pytest.raises(CalendarError, match="more than 1 events"):
        look(EASTER, EASTER)
    monkeypatch.setattr("adapters.calendars.ics.MOST_SHIFTS", 10)
    with pytest.raises(CalendarError, match="more than 10 shifts"):
        look("DTSTART:20270315T080000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY\nSUMMARY:Anna")


LINES = st.sampled_from(
    [
        "BEGIN:VCALENDAR",
        "END:VCALENDAR",
        "BEGIN:VEVENT",
        "END:VEVENT",
        "UID:1",
        "DTSTART:20270327T080000Z",
        "DTSTART;VALUE=DATE:20270328",
        "DTEND:20270326T080000Z",
        "DTEND;TZID=Mars/Olympus:20270329T080000",
        "RRULE:FREQ=WEEKLY;COUNT=3",
        "RRULE:FREQ=DAILY;UNTIL=20270101",
        "RECURRENCE-ID:20270327T080000Z",
        "EXDATE:20270403T080000Z",
        "RDATE:20270404",
        "SUMMARY:Anna",
        "ATTENDEE:mailto:bo@example.dk",
        "BEGIN:VTIMEZONE",
        "END:VTIMEZONE",
        "X-WR-TIMEZONE:Europe/Copenhagen",
        "DURATION:-PT1H",
        ":",
        "=;",
    ]
)


@given(st.lists(LINES, max_size=14))
def test_no_calendar_is_more_than_an_error(lines: list[str]) -> None:
    """Whatever the lines and their order: shifts in order, each with people and some length, or one kind of error."""
    text = "\r\n".join(["BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR", ""]).encode()
    try:
        found = read(text, HERE, NAMES, SINCE, UNTIL)
    except CalendarError:
        return
    assert all(s.since < s.until and s.people for s in found.shifts)
    assert [s.since for s in found.shifts] == sorted(s.since for s in found.shifts)
