"""The engine's timers, and what it does with what a restart reads back."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from policies import actions as act
from policies import events as ev
from policies.events import Delivery
from policies.guards import CallState
from policies.model import Member, Source, Timer
from policies.state import State
from telephony.ports import Recovered
from tests.policies.story import ANNA, WARN, Story
from tests.telephony.fakes import Service, StoreDownError
from tests.telephony.running import LIVE, paged, service, warned


def rungs(s: Service) -> list[str]:
    return [n.person for n in s.pager.sent]


async def test_a_timer_fires_once() -> None:
    """However often the timers are looked at before the decision, the page goes up one rung."""
    async with service().running() as s:
        await paged(s)
        s.clock.forward(61)
        await asyncio.gather(*(s.engine.run_due() for _ in range(5)))
        await s.until(lambda: rungs(s) == ["Chief", "Deputy"])
        await s.engine.run_due()
        await s.settled()
        assert rungs(s) == ["Chief", "Deputy"]
        assert len(s.saw(ev.TimerFired)) == 1


async def test_a_timer_is_seen_by_itself_after_the_wall_clock_jumped() -> None:
    """Nobody calls `run_due`: the engine looks by itself, also when the clock leaps by an hour."""
    async with service().running() as s:
        await paged(s)
        s.clock.forward(3600)
        await s.until(lambda: len(rungs(s)) >= 2)
        s.clock.forward(-7200)
        s.clock.forward(3 * 3600)
        await s.until(lambda: len(rungs(s)) >= 3)


async def test_a_timer_survives_a_restart() -> None:
    """The service dies between two rungs; the one that comes after it goes on with the next rung."""
    async with service().running() as first:
        await paged(first)
    second = service()
    second.journal.timers = dict(first.journal.timers)
    second.journal.recovered = Recovered(first.engine.state, ())
    second.clock.forward(61)
    async with second.running():
        await second.until(lambda: rungs(second) == ["Deputy"])


@pytest.mark.parametrize("how", ["fails", "hangs"])
async def test_a_page_climbs_its_rungs_without_a_store_and_each_only_once(how: str) -> None:
    """The store is away for the whole night: the next rung is told when its time comes, and not again and again."""
    async with service().running() as s:
        if how == "fails":
            s.journal.fails = StoreDownError("disk full")
        else:
            s.journal.stall()
        s.engine.take(ev.PageOpened(**s.engine.stamp(), plan="backup", incident="i", reason="drill"))
        await s.until(lambda: rungs(s) == ["Chief"])
        s.clock.forward(61)
        await s.engine.run_due()
        await s.until(lambda: rungs(s) == ["Chief", "Deputy"])
        for _ in range(5):
            await s.engine.run_due()
            await s.settled()
        assert rungs(s) == ["Chief", "Deputy"]


async def test_a_stored_timer_that_fired_while_the_store_fails_does_not_fire_again() -> None:
    """The timer stands in the store, its firing cannot be saved: nobody is called in an endless loop."""
    async with service().running() as s:
        await paged(s)
        s.journal.fails = StoreDownError("disk full")
        s.clock.forward(61)
        await s.until(lambda: rungs(s) == ["Chief", "Deputy"])
        for _ in range(5):
            await s.engine.run_due()
            await s.settled()
        assert len(s.saw(ev.TimerFired)) == 1


def an_open_page() -> tuple[State, act.Notify]:
    story = Story()
    story.feed(ev.PageOpened(**story.stamp(), plan="backup", incident="i", reason="drill"))
    return story.state, story.one(act.Notify)


async def test_an_alarm_of_unknown_fate_is_sent_again_at_once() -> None:
    """Before the PBX is there: the message goes out under its old id, and its outcome closes the intent."""
    state, notify = an_open_page()
    s = service()
    s.pbx.connects_itself = False
    s.journal.recovered = Recovered(replace(state, connected=False), (notify,))
    async with s.running():
        await s.until(lambda: s.pager.sent == [notify])
        await s.until(lambda: any(e.done == notify.id for e in s.journal.entries))
        assert s.engine.state.pages[notify.page].told[0].delivery is Delivery.SENT


async def test_an_ending_of_unknown_fate_is_never_tried_again_and_is_told_once_the_pbx_was_read() -> None:
    """A release was cut short by a crash. The call still stands: nothing is sent, and the key works anew."""
    story = Story()
    story.warned()
    story.press(WARN, LIVE)
    release = story.one(act.Release)
    s = service()
    s.pbx.connects_itself = False
    state = State(guards=story.state.guards)
    s.journal.recovered = Recovered(state, (s.lost_release(LIVE.id, release.permit.id),))
    async with s.running():
        await s.settled()
        assert s.saw(ev.ReleaseFinished) == []
        s.pbx.connect()
        await s.until(lambda: s.saw(ev.ReleaseFinished))
        told = s.saw(ev.ReleaseFinished)[0]
        assert (told.outcome, told.permit) == ("unknown", release.permit.id)
        assert [type(e) for e in s.decided_events] == [ev.PbxConnected, ev.ReleaseFinished]
        assert s.pbx.asked(act.Release) == []
        assert s.engine.state.guards[LIVE.id].state is not CallState.ENDING


async def test_an_announcement_that_a_crash_cut_short_does_not_count_as_heard() -> None:
    """Its outcome is unknown: no evidence comes of it."""
    story = Story()
    story.press(WARN, LIVE)
    announce = story.one(act.Announce)
    s = service()
    s.journal.recovered = Recovered(State(guards=story.state.guards), (announce,))
    async with s.running():
        await s.until(lambda: s.saw(ev.AnnouncementFinished))
        guard = s.engine.state.guards[LIVE.id]
        assert (guard.state, guard.heard) == (CallState.OPEN, ())
        assert s.pbx.asked(act.Announce) == []


async def test_a_break_that_was_lost_with_the_pbx_is_asked_for_again() -> None:
    """A running break meets a PBX that shows no pause: it is painted again."""
    async with service().running() as first:
        await warned(first)
        await first.engine.press(ANNA, WARN, Source.HTTP)
        await first.until(lambda: any(b.state == "on" for b in first.engine.state.breaks.values()))
    second = service()
    second.journal.recovered = Recovered(State(breaks=first.engine.state.breaks), ())
    second.pbx.members = (Member(ANNA, "support", paused=False, static=True),)
    async with second.running():
        await second.until(lambda: second.pbx.asked(act.Pause))
        assert second.pbx.asked(act.Pause)[0].agent == ANNA


async def test_alarms_that_are_under_way_are_waited_for_and_nothing_else() -> None:
    """Who must end lets them reach their carriers, for a while; a carrier that hangs is not waited for longer."""
    go_on = asyncio.Event()

    async def hangs(action: act.Notify) -> ev.Notified:
        await go_on.wait()
        return ev.Notified(id="n", at=action_at, action=action.id, page=action.page, delivery=ev.Delivery.SENT)

    async with service().running() as s:
        action_at = s.clock.now()
        await s.engine.alarms_out(5.0)
        s.pager.does = hangs
        s.engine.take(ev.PageOpened(**s.engine.stamp(), plan="backup", incident="i", reason="drill"))
        await s.until(lambda: s.pager.sent)
        await s.engine.alarms_out(0.01)
        assert not s.saw(ev.Notified)
        out = asyncio.create_task(s.engine.alarms_out(5.0))
        await s.settled()
        assert not out.done()
        go_on.set()
        await out
        await s.until(lambda: s.saw(ev.Notified))


async def test_a_timer_that_was_set_anew_while_it_waited_does_not_fire() -> None:
    """A rung's time ends while the person passes: the next rung has its own time, and is not skipped."""
    async with service().running() as s:
        await paged(s)
        page = next(iter(s.engine.state.pages.values()))
        timer = Timer("page", page.id, "next")
        before = len(s.pager.sent)
        s.engine._fired.add(timer)
        s.engine.take(ev.PagePassed(**s.engine.stamp(), page=page.id, by=page.told[0].person, means="sms"))
        s.engine.take(ev.TimerFired(**s.engine.stamp(), timer=timer))
        await s.until(lambda: len(s.pager.sent) > before)
        told = len(s.pager.sent)
        await s.settled()
        assert len(s.pager.sent) == told
        assert s.engine.state.pages[page.id].step == 3  # the deputy, in the first round


async def test_a_timer_of_something_that_has_none_ends_nothing() -> None:
    """A damaged row of the store names a handoff's timer: nothing follows, and the engine goes on."""
    async with service().running() as s:
        timer = Timer("handoff", "h", "over")
        s.engine._fired.add(timer)
        s.engine.take(ev.TimerFired(**s.engine.stamp(), timer=timer))
        await s.until(lambda: timer not in s.engine._fired)
        await paged(s)


async def test_a_break_is_not_made_shorter_by_a_clock_that_went_ahead_and_came_back() -> None:
    """Pages come earlier then, breaks keep the time that they were set for."""
    async with service().running() as s:
        at = s.clock.now()
        rung, rest = Timer("page", "p", "next"), Timer("break", "b", "over")
        s.journal.timers |= {timer: at + timedelta(minutes=90) for timer in (rung, rest)}
        await s.engine.saving.put_back(timedelta(hours=1))
        assert await s.engine.saving.due(at + timedelta(minutes=31), 9) == [rung]
