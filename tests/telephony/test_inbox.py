"""What comes first when much waits for its decision, and how a flood of timers is taken in."""

import asyncio
from datetime import timedelta

import pytest

from policies import events as ev
from policies.events import Delivery, Event, Report
from policies.model import Outcome, Source, Timer
from policies.pages import Page, PageState
from policies.rules import Severity
from telephony.engine import TIMERS_AT_ONCE
from telephony.inbox import Inbox
from tests.policies.story import ANNA, BACKUP_PLAN, NOON, SUICIDE, call
from tests.telephony.fakes import Service
from tests.telephony.running import paged, service


def page(id_: str, severity: Severity) -> Page:
    return Page(id_, f"i-{id_}", "call", BACKUP_PLAN, severity, PageState.CALLING, 0, 0, NOON)


NOTHING = timedelta(0)
PAGES = {"p1": page("p1", Severity.NORMAL), "p2": page("p2", Severity.ACUTE)}


def notified(page_id: str) -> Event:
    return ev.Notified(id="e", at=NOON, action="a", page=page_id, delivery=Delivery.SENT)


def reported(page_id: str) -> Event:
    return ev.MessageReported(id="e", at=NOON, message=f"{page_id}.0", report=Report.FAILED)


def fired(entity: str, id_: str) -> Event:
    return ev.TimerFired(id="e", at=NOON, timer=Timer(entity, id_, "next"))


FIRST = [
    ev.CallChanged(id="e", at=NOON, call=call()),
    ev.PageAnswered(id="e", at=NOON, page="p1", by="Bo", means="link"),
    fired("call", "c1"),
    fired("break", "b1"),
    ev.PbxLost(id="e", at=NOON, epoch=1),
]
ACUTE = [notified("p2"), reported("p2"), fired("page", "p2")]
LAST = [
    notified("p1"),
    reported("p1"),
    fired("page", "p1"),
    notified("gone"),
    reported("nonsense"),
    fired("proof", "a/sms"),
    ev.ActionFinished(id="e", at=NOON, action="a", outcome=Outcome.DONE),
]


async def taken(events: list[Event]) -> list[Event]:
    inbox = Inbox(lambda: PAGES)
    for event in events:
        inbox.put_nowait(event)
    return [await inbox.get() for _ in events]


@pytest.mark.parametrize("first", FIRST, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("last", ACUTE + LAST, ids=lambda e: type(e).__name__)
async def test_people_and_the_pbx_come_before_what_moves_a_page_by_itself(first: Event, last: Event) -> None:
    """Whoever came first, and however many wait."""
    assert await taken([last] * 100 + [first]) == [first] + [last] * 100


@pytest.mark.parametrize("acute", ACUTE, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("other", LAST, ids=lambda e: type(e).__name__)
async def test_acute_pages_come_before_the_rest(acute: Event, other: Event) -> None:
    """Their timers, and what carriers say of their messages."""
    assert await taken([other, other, acute]) == [acute, other, other]


@pytest.mark.parametrize("same", [FIRST, ACUTE, LAST], ids=["first", "acute", "last"])
async def test_the_order_holds_among_equals(same: list[Event]) -> None:
    """What concerns one call or one page is decided in the order in which it came."""
    assert await taken(same) == same
    assert await taken(same[::-1]) == same[::-1]


def flooded(number: int, entity: str = "page") -> Service:
    s = service()
    for n in range(number):
        s.journal.timers[Timer(entity, f"gone{n:05d}", "next")] = NOON - timedelta(hours=1) + timedelta(seconds=n / 100)
    return s


@pytest.mark.parametrize("entity", ["page", "call"])
async def test_overdue_timers_fire_a_few_at_a_time_each_once_and_in_order(entity: str) -> None:
    """After a night without power: the flood stays in the store, urgent or not, and nothing of it is forgotten."""
    s = flooded(1000, entity)
    most = 0
    async with s.running():
        while len(s.saw(ev.TimerFired)) < 1000:
            most = max(most, len(s.engine._fired))
            await asyncio.sleep(0)
        await s.settled()
    assert 1 < most <= 2 * TIMERS_AT_ONCE
    assert [e.timer.entity_id for e in s.saw(ev.TimerFired)] == [f"gone{n:05d}" for n in range(1000)]


async def test_an_acute_key_in_a_flood_is_decided_next() -> None:
    """Not after what waits already: one decision may be under way, and then it is the key's turn."""
    s = flooded(2000)
    async with s.running():
        await s.until(lambda: len(s.saw(ev.TimerFired)) > 100)
        before = len(s.saw(ev.TimerFired))
        answer = await s.engine.press(ANNA, SUICIDE, Source.HTTP)
        assert answer.reason.value == "acute"
        key = next(n for n, event in enumerate(s.decided_events) if isinstance(event, ev.KeyPressed))
        assert sum(isinstance(event, ev.TimerFired) for event in s.decided_events[:key]) <= before + 1
        await s.until(lambda: s.pager.sent)
        assert s.pager.sent[0].severity is Severity.ACUTE


async def test_timers_of_acute_pages_find_room_in_a_flood_of_others() -> None:
    """The others may wait for long behind what carriers say: that must not keep an acute page from its next rung."""
    s = flooded(TIMERS_AT_ONCE)
    async with s.running():
        await s.until(lambda: not s.journal.timers)
        s.engine._fired |= {Timer("page", f"waits{n}", "next") for n in range(TIMERS_AT_ONCE)}
        s.engine.take(
            ev.PageOpened(**s.engine.stamp(), plan="backup", incident="i", reason="call", severity=Severity.ACUTE)
        )
        await s.until(lambda: s.pager.sent)
        s.clock.forward(61)
        s.journal.timers[Timer("page", "gone", "next")] = s.clock.now()
        await s.until(lambda: [n.person for n in s.pager.sent] == ["Chief", "Deputy"])
        assert Timer("page", "gone", "next") in s.journal.timers


async def test_a_flood_goes_on_while_the_store_hangs_and_none_fires_twice() -> None:
    """What was fired and is not saved is not asked for again; what comes after it is."""
    s = flooded(200)
    async with s.running():
        await s.until(lambda: len(s.saw(ev.TimerFired)) > 10)
        s.journal.stall()
        await s.until(lambda: len(s.saw(ev.TimerFired)) == 200)
        s.journal.open.set()
        await s.until(lambda: not s.journal.timers)
        await s.engine.run_due()
        await s.settled()
    assert len(s.saw(ev.TimerFired)) == 200


async def test_a_clock_that_is_put_back_delays_no_timer() -> None:
    """It was an hour ahead: what was to fire in a minute does, and what is set from then on fires at its time."""
    async with service().running() as s:
        await paged(s)
        s.clock.forward(-3600)
        await s.until(lambda: s.engine.saving._ahead)
        s.clock.forward(61)
        await s.until(lambda: [n.person for n in s.pager.sent] == ["Chief", "Deputy"])
        assert not s.engine.saving._ahead
        s.clock.forward(179)
        await s.engine.run_due()
        await s.settled()
        assert len(s.pager.sent) == 2
        s.clock.forward(2)
        await s.until(lambda: len(s.pager.sent) >= 3)


async def test_a_clock_that_is_put_back_twice_and_a_store_that_hangs_delay_no_timer() -> None:
    """Timers that are not saved yet count as well; so does each time by which the clock was put back."""
    async with service().running() as s:
        await paged(s)
        s.clock.forward(-3600)
        await s.until(lambda: s.engine.saving._ahead)
        s.clock.forward(61)
        s.journal.stall()
        await s.until(lambda: len(s.pager.sent) == 2)  # its next rung is set, in three minutes, and not saved
        for back_s in (7200, 14400):
            s.clock.forward(-7200)
            by = timedelta(seconds=back_s)
            await s.until(lambda by=by: max(s.engine.saving._ahead.values(), default=NOTHING) >= by)  # type: ignore[misc]
        s.clock.forward(181)
        await s.until(lambda: len(s.pager.sent) >= 3)
