"""What a rota means: rotations, hours, overrides, temporary schedules."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from policies.hours import OfficeHours, When
from policies.rota import Override, Rota, Rotation, Shift, Temporary, next_change, on_call_at, shifts

HERE = ZoneInfo("Europe/Copenhagen")
OFFICE = OfficeHours(
    hours=dict.fromkeys(range(5), ((time(8), time(16)),)), holidays=frozenset({date(2027, 1, 1), date(2027, 1, 6)})
)
MONDAY = date(2027, 1, 4)
WEEKLY = Rotation(("anna", "bo", "carl"), MONDAY, 7, time(8))


def at(text: str) -> datetime:
    """Return a local time of January 2027, as "5 08:30"."""
    day, clock = text.split()
    return datetime.combine(date(2027, 1, int(day)), time.fromisoformat(clock), HERE).astimezone(UTC)


def rota(*rotations: Rotation, **more: tuple[object, ...]) -> Rota:
    return Rota("backup", HERE.key, rotations, **more)  # type: ignore[arg-type]


def on_call(of: Rota, text: str) -> str:
    return " ".join(on_call_at(of, at(text), OFFICE))


@pytest.mark.parametrize(
    ("when", "who"),
    [
        ("4 07:59", ""),  # before it began
        ("4 08:00", "anna"),
        ("11 07:59", "anna"),
        ("11 08:00", "bo"),
        ("18 08:00", "carl"),
        ("25 08:00", "anna"),  # and round again
    ],
)
def test_a_weekly_rotation_goes_round(when: str, who: str) -> None:
    """The first one's turn begins at the start, and each hand-off is at its minute."""
    assert on_call(rota(WEEKLY), when) == who


def test_a_rotation_ends_and_another_takes_over_at_that_hand_off() -> None:
    """A new order of people from a date on: no gap and no overlap between the two."""
    until = Rotation(("anna", "bo"), MONDAY, 7, time(8), until=date(2027, 1, 18))
    since = Rotation(("carl",), date(2027, 1, 18), 7, time(8))
    assert [on_call(rota(until, since), when) for when in ("18 07:59", "18 08:00")] == ["bo", "carl"]


@pytest.mark.parametrize(
    ("when", "who"),
    [
        ("4 07:59", ""),
        ("4 08:00", "office"),
        ("4 16:00", "outside"),
        ("5 07:59", "outside"),
        ("6 10:00", "outside"),  # a holiday
        ("9 12:00", "outside"),  # Saturday
    ],
)
def test_rotations_for_office_hours_and_for_the_rest(when: str, who: str) -> None:
    """The office's own hours and holidays decide."""
    office = Rotation(("office",), MONDAY, 1, time(8), when=When.OFFICE)
    outside = Rotation(("outside",), MONDAY, 1, time(8), when=When.OUTSIDE)
    assert on_call(rota(office, outside), when) == who


@pytest.mark.parametrize(
    ("when", "who"),
    [
        ("8 21:59", ""),
        ("8 22:00", "anna"),  # Friday night
        ("9 05:59", "anna"),  # it began on Friday, so it goes on until six
        ("9 06:00", ""),
        ("9 22:00", "anna"),
        ("10 06:00", ""),
        ("10 22:00", ""),  # Sunday is not among the days
        ("11 01:00", ""),
    ],
)
def test_hours_over_midnight_belong_to_the_day_on_which_they_begin(when: str, who: str) -> None:
    """Friday and Saturday nights, each until six the next morning."""
    nights = Rotation(("anna",), MONDAY, 7, time(8), days=(4, 5), opens=time(22), closes=time(6))
    assert on_call(rota(nights), when) == who


def test_days_without_hours_are_whole_days() -> None:
    """From midnight to midnight."""
    weekend = Rotation(("anna",), MONDAY, 7, time(8), days=(5, 6))
    assert shifts(rota(weekend), at("8 00:00"), at("12 00:00"), OFFICE) == (
        Shift(at("8 00:00"), at("9 00:00"), ()),
        Shift(at("9 00:00"), at("11 00:00"), ("anna",)),
        Shift(at("11 00:00"), at("12 00:00"), ()),
    )


def test_all_rotations_count_and_nobody_counts_twice() -> None:
    """In the order of the rota."""
    both = rota(WEEKLY, Rotation(("dorte", "anna"), MONDAY, 1, time(8)))
    assert [on_call(both, "4 09:00"), on_call(both, "5 09:00")] == ["anna dorte", "anna"]


@pytest.mark.parametrize(
    ("override", "who"),
    [
        (Override(at("5 00:00"), at("6 00:00"), add="erik"), "anna dorte erik"),
        (Override(at("5 00:00"), at("6 00:00"), add="anna"), "anna dorte"),
        (Override(at("5 00:00"), at("6 00:00"), remove="anna"), "dorte"),
        (Override(at("5 00:00"), at("6 00:00"), remove="erik"), "anna dorte"),
        (Override(at("5 00:00"), at("6 00:00"), add="erik", remove="anna"), "erik dorte"),
        (Override(at("5 00:00"), at("6 00:00"), add="dorte", remove="anna"), "dorte"),
        (Override(at("5 00:00"), at("6 00:00"), add="erik", remove="bo"), "anna dorte"),  # bo is not on call
        (Override(at("5 00:00"), at("5 12:00"), add="erik"), "anna dorte"),  # it has just ended
        (Override(at("5 12:01"), at("6 00:00"), add="erik"), "anna dorte"),  # it has not begun
        (Override(at("5 12:00"), at("5 12:01"), add="erik"), "anna dorte erik"),
    ],
)
def test_an_override_adds_removes_or_replaces(override: Override, who: str) -> None:
    """From its beginning until its end; one who is not on call is not replaced."""
    both = rota(WEEKLY, Rotation(("dorte",), MONDAY, 1, time(8)), overrides=(override,))
    assert on_call(both, "5 12:00") == who


def test_overrides_are_applied_in_their_order() -> None:
    """Bo stands in for Anna, and then Carl for Bo."""
    day = (at("5 00:00"), at("6 00:00"))
    chain = (Override(*day, add="bo", remove="anna"), Override(*day, add="carl", remove="bo"))
    assert on_call(rota(WEEKLY, overrides=chain), "5 12:00") == "carl"
    assert on_call(rota(WEEKLY, overrides=chain[::-1]), "5 12:00") == "bo"


def test_a_temporary_schedule_wins_over_all_and_its_gaps_are_gaps() -> None:
    """Rotation, fixed shift and override are silent while it holds; where it names nobody, nobody is on call."""
    all_day = (at("5 00:00"), at("6 00:00"))
    schedule = Temporary(at("5 08:00"), at("5 20:00"), (Shift(at("5 08:00"), at("5 12:00"), ("erik",)),))
    full = rota(
        WEEKLY,
        shifts=(Shift(*all_day, ("dorte",)),),
        overrides=(Override(*all_day, add="bo"),),
        temporary=(schedule,),
    )
    assert [on_call(full, f"5 {t}") for t in ("07:59", "08:00", "11:59", "12:00", "19:59", "20:00")] == [
        "anna dorte bo",
        "erik",
        "erik",
        "",
        "",
        "anna dorte bo",
    ]


def test_the_next_change_sees_through_hand_offs_that_change_nothing() -> None:
    """One person alone never changes; an override a hundred days ahead does."""
    alone = rota(Rotation(("anna",), MONDAY, 1, time(8)))
    assert next_change(alone, at("5 12:00"), OFFICE) is None
    far = at("5 12:00") + timedelta(days=100)
    away = rota(*alone.rotations, overrides=(Override(far, far + timedelta(hours=1), remove="anna"),))
    assert next_change(away, at("5 12:00"), OFFICE) == far


@pytest.mark.parametrize("hours", [1, 16 * 24, 16 * 24 + 12, 40 * 24 + 7, 399 * 24])
def test_the_next_change_is_found_at_any_distance(hours: int) -> None:
    """It is looked for piece by piece, and nothing falls between the pieces."""
    since = at("5 12:00")
    away = Override(since + timedelta(hours=hours), since + timedelta(hours=hours + 1), remove="anna")
    alone = rota(Rotation(("anna",), MONDAY, 1, time(8)), overrides=(away,))
    assert next_change(alone, since, OFFICE) == away.since


def test_a_rotation_that_ends_between_two_hand_offs_ends_then() -> None:
    """On a Thursday, at the hand-off's time of day."""
    ending = rota(Rotation(("anna", "bo"), MONDAY, 7, time(8), until=date(2027, 1, 7)))
    assert shifts(ending, at("5 00:00"), at("9 00:00"), OFFICE) == (
        Shift(at("5 00:00"), at("7 08:00"), ("anna",)),
        Shift(at("7 08:00"), at("9 00:00"), ()),
    )


def test_everybody_who_may_be_on_call_is_known() -> None:
    """Also those of overrides and temporary schedules; one who is only taken off is not among them."""
    span = (at("5 00:00"), at("6 00:00"))
    full = rota(
        WEEKLY,
        shifts=(Shift(*span, ("dorte",)),),
        overrides=(Override(*span, add="erik", remove="fie"),),
        temporary=(Temporary(*span, (Shift(*span, ("gry",)),)),),
    )
    assert full.everybody == {"anna", "bo", "carl", "dorte", "erik", "gry"}
