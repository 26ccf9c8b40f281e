"""Figures of pages: counted right, drills apart, no name, and no hour from which somebody could be told."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from policies.events import Delivery
from policies.pages import LAST_RESORT, Page, PageState, Told
from policies.rules import Severity
from telephony.report import FEWEST, Figures, Report, Took, percentile, report
from tests.policies.story import BACKUP_PLAN

ZONE = ZoneInfo("Europe/Copenhagen")
SINCE, UNTIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
NIGHT = datetime(2026, 3, 10, 1, 30, tzinfo=UTC)  # 02:30 in Copenhagen


def told(channel: str = "sms", step: int = 0, attempt: int = 1, **more: Any) -> Told:
    made = Told("m", "kim", channel, "+45", "da", step, 0, attempt, "a", Delivery.SENT, NIGHT)
    return replace(made, **more)


def page(took_s: float | None = 60, at: datetime = NIGHT, **more: Any) -> Page:
    made = Page("p", "i", "call", BACKUP_PLAN, Severity.ACUTE, PageState.CALLING, 0, 0, at)
    if took_s is not None:
        answered = at + timedelta(seconds=took_s)
        made = replace(made, state=PageState.ANSWERED, answered_by="kim", answered_at=answered, means="sms")
    return replace(made, **more)


def of(pages: Iterable[Page], **more: Any) -> Report:
    return report(pages, SINCE, UNTIL, ZONE, **more)


def only(pages: Iterable[Page]) -> Figures:
    (sort,) = of(pages).sorts
    return sort


def groups(took: Iterable[Took]) -> list[tuple[int | None, int | None, int]]:
    return [(t.step, t.hour, t.pages) for t in took]


def test_percentiles_are_linear_between_the_two_nearest() -> None:
    """R's type 7, which spreadsheets call PERCENTILE.INC; of one value it is that one."""
    assert percentile([7.0], 90) == 7.0
    assert percentile([1.0, 2.0], 50) == 1.5
    assert percentile([float(n) for n in range(1, 12)], 90) == pytest.approx(10.0)
    assert percentile([10.0, 0.0, 40.0, 20.0, 30.0], 90) == pytest.approx(36.0)


def test_how_long_it_took_by_rung_and_by_hour() -> None:
    """From the page's beginning; the hour is the site's when it began; rungs in order, the last resort last."""
    at_night = [page(n, step=0) for n in (10, 20, 30, 40, 50)]
    by_day = [page(600, NIGHT + timedelta(hours=8), step=LAST_RESORT) for _ in range(5)]
    took = only([*by_day, *at_night]).took
    assert groups(took) == [
        (None, None, 10),
        (0, None, 5),
        (LAST_RESORT, None, 5),
        (None, 2, 5),
        (None, 10, 5),
        (0, 2, 5),
        (LAST_RESORT, 10, 5),
    ]
    assert [took[1].p50_s, took[1].p90_s] == pytest.approx([30.0, 46.0])


def test_the_hour_is_the_clocks_on_the_wall_in_summer_and_winter() -> None:
    """Half past one UTC is half past two before the clocks change, and half past three after."""
    summer = datetime(2026, 3, 30, 1, 30, tzinfo=UTC)
    took = only([page(at=at) for at in (NIGHT, summer) for _ in range(FEWEST)]).took
    assert [t.hour for t in took if t.hour is not None and t.step is None] == [2, 3]


def test_four_pages_are_not_broken_down_by_hour() -> None:
    """With so few the rota would tell whose they are; one more, and the hour is there."""
    assert groups(only([page()] * (FEWEST - 1)).took) == [(None, None, 4), (0, None, 4)]
    assert groups(only([page()] * FEWEST).took) == [(None, None, 5), (0, None, 5), (None, 2, 5), (0, 2, 5)]


def test_a_rungs_hour_is_hidden_where_all_rungs_of_that_hour_are_enough() -> None:
    """Each figure for itself: five pages of an hour, of which four were answered on the first step."""
    took = only([*[page(step=0)] * 4, page(step=1)]).took
    assert groups(took) == [(None, None, 5), (0, None, 4), (1, None, 1), (None, 2, 5)]


def test_drills_tests_and_another_bagvagts_silence_stand_apart() -> None:
    """A drill that everybody expects makes no alarm look faster. An acute key without a call is an alarm."""
    reasons = ("call", "no_call", "watch", "drill", "drill", "test")
    sorts = of([page(reason=reason) for reason in reasons]).sorts
    assert [(s.sort, s.pages) for s in sorts] == [("alarm", 2), ("watch", 1), ("drill", 2), ("test", 1)]


def test_a_plans_pages_its_late_ones_and_its_last_resort() -> None:
    """Late is what nobody had in time, answered later or never; by severity."""
    pages = [
        page(60),
        page(601),
        page(None, told=(told(step=0), told(step=LAST_RESORT))),
        page(None, UNTIL - timedelta(seconds=300)),  # still open, and not late yet
        page(5, severity=Severity.NORMAL),
    ]
    plans = only(pages).plans
    assert [(p.plan, p.severity, p.pages, p.answered, p.late, p.last_resort) for p in plans] == [
        ("backup", "acute", 4, 2, 2, 1),
        ("backup", "normal", 1, 1, 0, 0),
    ]
    assert of(pages, late_after_s=30).sorts[0].plans[0].late == 4


def test_messages_by_channel_and_answers_by_means() -> None:
    """Refused or reported lost is failed, unless it arrived after all; what was never sent is not counted."""
    messages = (
        told(delivered_at=NIGHT),
        told(read_at=NIGHT, failed_at=NIGHT),
        told(failed_at=NIGHT),
        told(delivery=Delivery.REFUSED),
        told(),
        told(attempt=0),
        told("voice"),
    )
    figures = only([page(told=messages), page(means="voice"), page(means="voice"), page(None)])
    assert [(c.channel, c.messages, c.delivered, c.failed) for c in figures.channels] == [
        ("sms", 5, 2, 2),
        ("voice", 1, 0, 0),
    ]
    assert [(m.means, m.pages) for m in figures.means] == [("voice", 2), ("sms", 1)]


def test_pages_of_another_time_are_left_out() -> None:
    """From the first instant on, and before the last."""
    edges = [SINCE - timedelta(microseconds=1), SINCE, UNTIL - timedelta(microseconds=1), UNTIL]
    assert only([page(at=at) for at in edges]).pages == 2


def test_nobodys_name_is_in_it() -> None:
    """Neither of who answered, nor of whom was told, nor an address: not as data and not as text."""
    found = of([page(told=(told(),), passed=("lis",))] * 6)
    for text in (found.json(), "\n".join(found.lines())):
        assert "sms" in text
        for name in ("kim", "lis", "+45"):
            assert name not in text


def test_for_people_and_for_machines() -> None:
    """The same figures; and the text says what is left out."""
    found = of([*[page(30)] * 5, page(700, reason="drill", step=LAST_RESORT)])
    assert Report.model_validate_json(found.json()) == found
    assert json.loads(found.json())["zone"] == "Europe/Copenhagen"
    text = "\n".join(found.lines())
    assert text.startswith("Pages from 2026-03-01 01:00 until 2026-04-01 02:00 (Europe/Copenhagen)\n\nAlarms: 5\n")
    assert "  taken, step 1, 02:00-02:59: 5, half within 30 s, nine of ten within 30 s" in text
    assert "  taken, last resort: 1, half within 700 s" in text
    assert "5 pages or more" in text
    assert "None." in "\n".join(of([]).lines())
