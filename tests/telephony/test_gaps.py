"""Gaps in who will be on call, found before they come."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from policies.pages import LAST_RESORT
from policies.rota import Shift
from policies.rules import Rules
from telephony.gaps import Gap, doubts, gaps
from telephony.settings import Settings, load, rules
from telephony.settings.rota import with_calendars
from tests.telephony.site_folder import SMALL, site

NOW = datetime(2027, 1, 4, 10, tzinfo=UTC)  # a Monday, in office hours: 08:00 to 16:00 on Mondays alone
STEPS = """steps = [
{rotas = ["day"], wait_s = 60, when = "office"},
{rotas = ["night"], wait_s = 60, when = "outside"},
]"""
ROTAS = """
[[rotas.day.rotation]]
people = ["anna"]
every = "day"
handoff = "08:00"
start = 2026-01-05

[[rotas.night.rotation]]
people = ["anna", "bo"]
handoff = "mon 08:00"
start = 2026-01-05
"""


def made(tmp_path: Path, more: str = "", steps: str = STEPS, rotas: str = ROTAS) -> tuple[Settings, Rules]:
    text = SMALL.replace('steps = [{people = ["anna"], wait_s = 60}]', steps)
    settings = load(site(tmp_path, text + rotas + more))
    return settings, rules(settings, NOW.date())


def utc(day: int, hour: int) -> datetime:
    return datetime(2027, 1, day, hour, tzinfo=UTC)


def test_a_rota_without_gaps_has_none(tmp_path: Path) -> None:
    """Nor does a rung count at a time at which it is not used: nobody is missed on the night rung by day."""
    settings, fine = made(tmp_path)
    assert gaps(fine, NOW) == ()
    assert doubts(settings, fine, NOW) == ()
    limited = 'days = ["mon"]\nhours = "08:00-16:00"\n[[rotas.night.rotation]]'
    _, by_day = made(tmp_path, rotas=ROTAS.replace("[[rotas.night.rotation]]", limited, 1))
    assert gaps(by_day, NOW) == ()


def test_a_gap_is_found_where_the_rung_counts_and_nowhere_else(tmp_path: Path) -> None:
    """Anna is away for a week: the day rung is empty only while the office is open, and then nobody is reached."""
    away = '[[rotas.day.override]]\nsince = "2027-01-10"\nuntil = "2027-01-20"\nremove = "anna"\n'
    _, policy = made(tmp_path, away)
    times = [(utc(11, 7), utc(11, 15)), (utc(18, 7), utc(18, 15))]
    assert gaps(policy, NOW) == (
        *(Gap("backup", LAST_RESORT, *t) for t in times),
        *(Gap("backup", 0, *t) for t in times),
    )


def test_a_rung_beside_which_another_counts_leaves_more_than_the_last_resort(tmp_path: Path) -> None:
    """The rung is told as a gap, the plan is not; a page would go on to Bo at once."""
    steps = 'steps = [{rotas = ["day"], wait_s = 60}, {people = ["bo"], wait_s = 60}]'
    _, policy = made(
        tmp_path, '[[rotas.day.override]]\nsince = 2027-01-10\nuntil = 2027-01-11\nremove = "anna"\n', steps
    )
    assert gaps(policy, NOW) == (Gap("backup", 0, utc(9, 23), utc(10, 23)),)


@pytest.mark.parametrize(("days", "found"), [(5, 0), (6, 1), (30, 1)])
def test_it_looks_as_far_ahead_as_it_is_told(days: int, found: int, tmp_path: Path) -> None:
    """A gap that lasts beyond the look ends with it."""
    steps = 'steps = [{rotas = ["day"], wait_s = 60}, {people = ["bo"], wait_s = 60}]'
    forever = '[[rotas.day.override]]\nsince = 2027-01-10\nuntil = 2028-01-01\nremove = "anna"\n'
    _, policy = made(tmp_path, forever, steps)
    seen = gaps(policy, NOW, days)
    assert len(seen) == found
    assert all((g.since, g.until) == (utc(9, 23), NOW + timedelta(days=days)) for g in seen)


def test_a_plan_that_nothing_uses_is_not_looked_at(tmp_path: Path) -> None:
    """A plan counts when a kind, a handoff or the watch over another Bagvagt names it."""
    unused = '[pages.other]\nlast_resort = "bo"\nsteps = [{rotas = ["gone"], wait_s = 60}]\n'
    empty = '[[rotas.gone.temporary]]\nsince = 2020-01-01\nuntil = 2020-01-02\nshifts = [{people = ["bo"]}]\n'
    _, policy = made(tmp_path, unused + empty)
    assert gaps(policy, NOW) == ()
    used = '[handoff.chief]\nthen = "page:other"\n'
    _, policy = made(tmp_path, unused + empty + used)
    assert {g.plan for g in gaps(policy, NOW)} == {"other"}
    watch = '[[watch]]\nname = "south"\nurl = "https://south.example/healthz"\nplan = "other"\n'
    settings, policy = made(tmp_path, unused + empty + watch)
    assert [d.key.partition("[")[0] for d in doubts(settings, policy, NOW)] == ["pages.other", "pages.other.steps"]


def test_a_calendar_s_shifts_fill_gaps(tmp_path: Path) -> None:
    """The rota has nobody of its own; the calendar has, until the sixth."""
    (tmp_path / "empty.ics").write_text("")
    steps = 'steps = [{rotas = ["calendar"], wait_s = 60}, {people = ["bo"], wait_s = 60}]'
    _, policy = made(tmp_path, '[rotas.calendar]\ncalendar_file = "empty.ics"\n', steps)
    assert gaps(policy, NOW) == (Gap("backup", 0, NOW, NOW + timedelta(days=30)),)
    filled = with_calendars(policy, {"calendar": (Shift(utc(1, 0), utc(6, 0), ("anna",)),)})
    assert gaps(filled, NOW) == (Gap("backup", 0, utc(6, 0), NOW + timedelta(days=30)),)


def test_a_doubt_names_the_rung_its_line_and_the_first_times(tmp_path: Path) -> None:
    """Three times in the office's zone, and how many more; over midnight with both dates."""
    nights = ROTAS.replace('handoff = "mon 08:00"', 'handoff = "mon 08:00"\nhours = "06:00-22:00"')
    settings, policy = made(tmp_path, rotas=nights)
    text = (tmp_path / "bagvagt.toml").read_text()
    plan, rung = doubts(settings, policy, NOW)
    assert (plan.key, rung.key) == ("pages.backup", "pages.backup.steps[1]")
    assert text.splitlines()[(rung.line or 0) - 1].startswith('{rotas = ["night"]')
    assert rung.severity == plan.severity == "warning"
    assert rung.message == (
        "nobody is on call on this step: Mon 2027-01-04 22:00 to Tue 2027-01-05 06:00; Tue 2027-01-05 22:00 to "
        "Wed 2027-01-06 06:00; Wed 2027-01-06 22:00 to Thu 2027-01-07 06:00, and 27 times more within 30 days"
    )
    assert plan.message.startswith("would reach nobody but the last resort, bo: Mon 2027-01-04 22:00 to ")
    assert "override with add" in rung.remedy
