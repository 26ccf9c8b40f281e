"""Who is on call now, and who is next: by office hours, holidays, rotas, and when the clocks change."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from policies.rota import Rota, Rotation
from policies.rules import OfficeHours, PagePlan, Step, When
from telephony.screens.model import OnCallPicture
from telephony.screens.on_call import LOOK_AGAIN, OnCall
from tests.policies.story import NOON, RULES, contact

DAY, NIGHT = [1, 3, -1], [2, 3, -1]


def seen(at: datetime, office: OfficeHours = RULES.office) -> OnCallPicture:
    (only,) = OnCall()(replace(RULES, office=office), at)
    return only


def steps(picture: OnCallPicture) -> tuple[list[int], list[int]]:
    return [r.step for r in picture.now], [r.step for r in picture.next]


def test_by_day_the_office_is_told_and_next_are_those_outside_hours() -> None:
    """A rung with nobody to reach is not shown; the last resort ends every list."""
    picture = seen(NOON)
    assert steps(picture) == (DAY, NIGHT)
    assert [r.people for r in picture.now] == [("Chief",), ("Deputy",), ("Alarm centre",)]
    assert [r.wait_s for r in picture.now] == [60, 180, 900]
    assert picture.next_at == datetime(2026, 3, 27, 15, 0, tzinfo=UTC)  # 16:00 in Copenhagen, winter time


@pytest.mark.parametrize(
    ("at", "next_at"),
    [
        (datetime(2026, 3, 27, 15, 0, tzinfo=UTC), datetime(2026, 3, 30, 6, 0, tzinfo=UTC)),  # over a clock change
        (datetime(2026, 3, 30, 5, 59, tzinfo=UTC), datetime(2026, 3, 30, 6, 0, tzinfo=UTC)),
        (datetime(2026, 10, 24, 12, 0, tzinfo=UTC), datetime(2026, 10, 26, 7, 0, tzinfo=UTC)),  # and back
    ],
)
def test_outside_hours_the_office_is_next_when_it_opens(at: datetime, next_at: datetime) -> None:
    """Eight o'clock in the office's own zone, whatever the clocks did meanwhile."""
    picture = seen(at)
    assert steps(picture) == (NIGHT, DAY)
    assert picture.next_at == next_at


def test_holidays_are_no_office_days() -> None:
    """Thursday to Monday: Easter lies between."""
    easter = frozenset({date(2026, 4, 2), date(2026, 4, 3), date(2026, 4, 6)})
    picture = seen(datetime(2026, 4, 1, 15, 0, tzinfo=UTC), replace(RULES.office, holidays=easter))
    assert picture.next_at == datetime(2026, 4, 7, 6, 0, tzinfo=UTC)


def test_a_night_shift_office_changes_at_its_own_hours() -> None:
    """Two spans that meet at midnight are one: nothing changes there."""
    nights = OfficeHours(hours=dict.fromkeys(range(7), ((time(), time(6)), (time(22), time.max))))
    picture = seen(datetime(2026, 3, 27, 22, 0, tzinfo=UTC), nights)
    assert picture.next_at == datetime(2026, 3, 28, 5, 0, tzinfo=UTC)


def test_an_office_that_never_opens_has_no_next() -> None:
    """Nor one that is closed for longer than two weeks."""
    assert seen(NOON, OfficeHours()).next_at is None
    closed = frozenset(date(2026, 3, 27 + n) for n in range(5)) | frozenset(date(2026, 4, n) for n in range(1, 30))
    assert seen(NOON, replace(RULES.office, holidays=closed)).next == ()


def test_a_plan_that_does_not_mind_the_hours_has_no_next() -> None:
    """Each plan for itself."""
    always = PagePlan("always", (Step((contact("Kim", "sms"),), 60, When.ALWAYS),), contact("Desk", "sms"))
    by_name = {p.plan: p for p in OnCall()(replace(RULES, pages={**RULES.pages, "always": always}), NOON)}
    assert (steps(by_name["always"]), by_name["always"].next_at) == (([0, -1], []), None)
    assert by_name["backup"].next_at is not None


def test_whoever_has_the_week_by_the_rota_is_on_its_rung_and_the_next_one_is_named() -> None:
    """A weekly hand-off on Monday at eight, in a plan that does not mind the office hours."""
    rota = Rota("week", "Europe/Copenhagen", (Rotation(("kim", "lis"), date(2026, 3, 23), 7, time(8)),))
    plan = PagePlan("acute", (Step((), 60, When.ALWAYS, ("week",)),), contact("Desk", "sms"))
    people = {name: contact(name, "sms") for name in ("kim", "lis")}
    rules = replace(RULES, pages={"acute": plan}, rotas={"week": rota}, people=people)
    (picture,) = OnCall()(rules, NOON)
    assert [r.people for r in picture.now] == [("kim",), ("Desk",)]
    assert picture.next_at == datetime(2026, 3, 30, 6, 0, tzinfo=UTC)
    assert [r.people for r in picture.next] == [("lis",), ("Desk",)]


def test_what_was_found_is_kept_until_somebody_else_may_be_on_call() -> None:
    """Not beyond the next turn, nor for long, nor for another policy, nor when the clock is set back."""
    look = OnCall()
    first = look(RULES, NOON)
    assert look(RULES, NOON + LOOK_AGAIN / 2) is first
    closes = datetime(2026, 3, 27, 15, 0, tzinfo=UTC)
    by_day = look(RULES, closes - timedelta(seconds=1))
    assert [r.step for r in by_day[0].now] == DAY
    assert [r.step for r in look(RULES, closes)[0].now] == NIGHT
    assert [r.step for r in look(RULES, NOON)[0].now] == DAY
    assert look(replace(RULES, pages={}), NOON) == ()
