"""The engine: journal before act, alarms without a journal, timers, restarts. Over fakes, without a PBX."""

import asyncio
import tracemalloc
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from policies import actions as act
from policies import events as ev
from policies.actions import Verdict
from policies.decide import decide
from policies.events import Delivery
from policies.guards import CallState
from policies.model import AgentId, CallId, KeyUse, LegId, Member, Source
from policies.pages import PageState
from policies.reasons import Reason
from policies.state import State
from policies.tables import IllegalTransitionError
from telephony.errors import PbxTimeoutError
from telephony.ports import CodePressed, Recovered
from tests.policies.story import ANNA, END, NOON, SUICIDE, WARN, Story, call
from tests.telephony.fakes import Service, StoreDownError

LIVE = call()
CODE = CodePressed("warn", ANNA, LIVE.agent_leg, Source.CODE, NOON)


def service(**more: Any) -> Service:
    made = Service(**more)
    made.pbx.calls = (LIVE,)
    return made


async def warned(s: Service) -> None:
    """Anna's caller has heard the warning, and the wait is over."""
    assert (await s.engine.press(ANNA, WARN, Source.HTTP)).reason is Reason.WARNING_STARTED
    await s.until(lambda: s.engine.state.guards[LIVE.id].state is CallState.WARNED)
    await s.settled()
    s.clock.forward(6)


async def pressed(s: Service, key: KeyUse) -> "asyncio.Task[act.Tell]":
    """The key is taken; the task is its answer."""
    taken = len(s.engine._answers)
    answer = asyncio.create_task(s.engine.press(ANNA, key, Source.HTTP))
    await s.until(lambda: len(s.engine._answers) > taken)
    return answer


# --- journal before act -----------------------------------------------------------------------------------------------


async def test_nothing_is_done_before_the_commit_has_returned() -> None:
    """The store hangs: no warning plays and no answer is given. It comes back: both happen, journaled first."""
    async with service().running() as s:
        s.journal.stall()
        answer = await pressed(s, WARN)
        await s.until(lambda: s.journal.began == 2)
        await s.settled()
        assert s.pbx.asked(act.Announce) == []
        assert not answer.done()
        s.journal.open.set()
        assert (await answer).verdict is Verdict.ACCEPTED
        await s.until(lambda: s.pbx.asked(act.Announce))
        assert [a for e in s.journal.entries for a in e.actions][:1] == s.pbx.asked(act.Announce)


async def test_a_whole_ending_is_journaled_step_by_step() -> None:
    """Warn, wait, end: each intent and each outcome is in the journal, and none is left open."""
    async with service().running() as s:
        await warned(s)
        tell = await s.engine.press(ANNA, WARN, Source.HTTP)
        assert (tell.verdict, tell.reason) == (Verdict.ACCEPTED, Reason.ENDING)
        await s.until(lambda: not s.journal.open_actions() and s.pbx.asked(act.Pause))
        done = [e.outcome for e in s.journal.entries if e.done]
        assert done == ["heard", "done", "done"]  # warning, release, pause
        assert s.engine.state.guards[LIVE.id].state is CallState.CLOSING


async def test_without_a_journal_no_call_ends_and_the_agent_is_told() -> None:
    """The commit fails: the PBX is not asked, the answer says so, and the call goes on as warned."""
    async with service().running() as s:
        await warned(s)
        s.journal.fails = StoreDownError("disk full")
        tell = await s.engine.press(ANNA, WARN, Source.HTTP)
        assert (tell.verdict, tell.reason) == (Verdict.NOT_PERMITTED, Reason.NOT_SAVED)
        await s.until(lambda: s.saw(ev.ReleaseFinished))
        assert s.pbx.asked(act.Release) == []
        assert s.engine.state.guards[LIVE.id].state is CallState.WARNED
        await s.until(lambda: any(t.reason is Reason.NOT_SAVED for t in s.pbx.asked(act.Tell)))


@pytest.mark.parametrize("error", [StoreDownError("disk full"), RuntimeError("a bug in the store")])
async def test_without_a_journal_a_page_goes_out_all_the_same(error: Exception) -> None:
    """The commit of an acute key fails, in whatever way: the backup is told, and the agent."""
    async with service().running() as s:
        s.journal.fails = error
        tell = await s.engine.press(ANNA, SUICIDE, Source.HTTP)
        assert tell.reason is Reason.ACUTE
        await s.until(lambda: s.pager.sent)
        assert s.engine.state.guards[LIVE.id].state is CallState.ACUTE


async def test_what_failed_is_saved_by_itself_when_the_store_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """No further event is needed: the entry is tried again, in order, and nothing is missing."""
    monkeypatch.setattr("telephony.saving.RETRY_S", 0.01)
    async with service().running() as s:
        s.journal.fails = StoreDownError("locked")
        await s.engine.press(ANNA, SUICIDE, Source.HTTP)
        await s.until(lambda: s.saw(ev.Notified))
        assert s.engine.saving.unsaved == 2
        assert s.engine.saving.is_failing
        s.journal.fails = None  # the store is back
        await s.until(lambda: s.engine.saving.unsaved == 0)
        kinds = [type(e.event) for e in s.journal.entries]
        assert kinds == [ev.PbxConnected, ev.KeyPressed, ev.Notified]
        assert not bool(s.engine.saving.is_failing)
        assert s.journal.open_actions() == []


async def test_an_entry_that_the_store_refuses_for_ever_does_not_block_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One poisoned entry is set aside once the one behind it is taken; endings work again."""
    monkeypatch.setattr("telephony.saving.RETRY_S", 0.001)
    async with service().running() as s:
        s.journal.refuses = lambda entry: isinstance(entry.event, ev.PageOpened)
        s.engine.take(ev.PageOpened(**s.engine.stamp(), plan="backup", incident="i", reason="test"))
        await s.until(lambda: s.saw(ev.Notified))
        await s.until(lambda: s.engine.saving.unsaved == 0)
        await warned(s)
        assert (await s.engine.press(ANNA, WARN, Source.HTTP)).reason is Reason.ENDING


async def test_a_hanging_store_delays_a_page_by_the_patience_and_an_ending_until_it_is_back() -> None:
    """The commit hangs: the page is out before it, the ending after it."""
    async with service().running() as s:
        await warned(s)
        s.journal.stall()
        ending = await pressed(s, WARN)
        s.engine.take(ev.PageOpened(**s.engine.stamp(), plan="backup", incident="i", reason="drill"))
        await s.until(lambda: s.pager.sent)
        assert s.pbx.asked(act.Release) == []
        assert not ending.done()
        s.journal.open.set()
        assert (await ending).reason is Reason.ENDING
        await s.until(lambda: s.engine.state.guards[LIVE.id].state is CallState.CLOSING)


async def test_an_ending_that_waited_too_long_for_the_store_is_not_carried_out() -> None:
    """The agent pressed half a minute ago and the talk went on: the key is void, and the agent is told."""
    async with service().running() as s:
        await warned(s)
        s.journal.stall()
        ending = await pressed(s, WARN)
        await s.until(lambda: s.engine.state.guards[LIVE.id].state is CallState.ENDING)
        s.clock.forward(30)
        s.journal.open.set()
        tell = await ending
        assert (tell.verdict, tell.reason) == (Verdict.NOT_PERMITTED, Reason.TOO_LATE)
        await s.until(lambda: s.engine.state.guards[LIVE.id].state is CallState.WARNED)
        assert s.pbx.asked(act.Release) == []


async def test_a_key_that_waits_behind_a_stalled_store_is_decided_with_the_time_of_its_decision() -> None:
    """It is pressed in time and decided half a minute later: too late for an ending."""
    async with service(store_patience_s=60.0).running() as s:
        await warned(s)
        s.journal.stall()
        s.engine.take(ev.PageOpened(**s.engine.stamp(), plan="backup", incident="i", reason="drill"))
        await s.until(lambda: s.journal.began == len(s.journal.entries) + 1)
        ending = await pressed(s, WARN)
        await s.settled()
        s.clock.forward(30)
        s.journal.open.set()
        assert (await ending).reason is Reason.TOO_LATE
        assert s.pbx.asked(act.Release) == []


async def test_an_acute_key_behind_a_hanging_store_is_heard() -> None:
    """The store hangs over something else: the latch, the page and the answer do not wait for it."""
    async with service().running() as s:
        await warned(s)
        s.journal.stall()
        ending = await pressed(s, WARN)
        tell = await s.engine.press(ANNA, SUICIDE, Source.HTTP)
        assert tell.reason is Reason.ACUTE
        await s.until(lambda: s.pager.sent)
        assert s.engine.state.guards[LIVE.id].state is CallState.ACUTE
        s.journal.open.set()
        assert (await ending).verdict is Verdict.NOT_PERMITTED
        await s.until(lambda: s.engine.saving.unsaved == 0 and s.saw(ev.ReleaseFinished))
        assert s.pbx.asked(act.Release) == []
        assert [e.outcome for e in s.journal.entries if isinstance(e.event, ev.ReleaseFinished)] == ["refused"]
        assert s.engine.state.guards[LIVE.id].state is CallState.ACUTE


async def test_a_warning_that_was_overtaken_by_the_latch_is_not_played_when_the_store_is_back() -> None:
    """A warning waits for its commit, the call is flagged as suicide meanwhile: the caller never hears the warning."""
    async with service().running() as s:
        s.journal.stall()
        warning = await pressed(s, WARN)
        await s.engine.press(ANNA, SUICIDE, Source.HTTP)
        s.journal.open.set()
        await warning
        await s.until(lambda: s.saw(ev.AnnouncementFinished) and s.engine.saving.unsaved == 0)
        assert s.pbx.asked(act.Announce) == []


async def test_a_closing_message_is_stopped_while_the_store_hangs() -> None:
    """The caller hears the closing and says it: the retrieval waits for no store, or the line would be closed."""
    async with service().running() as s:
        await warned(s)
        await s.engine.press(ANNA, WARN, Source.HTTP)
        await s.until(lambda: s.engine.state.guards[LIVE.id].state is CallState.CLOSING)
        s.journal.stall()
        await s.engine.press(ANNA, SUICIDE, Source.HTTP)
        await s.until(lambda: s.pbx.asked(act.Retrieve))


# --- the last look ------------------------------------------------------------------------------------------------


async def test_an_acute_key_in_the_inbox_blocks_a_release_that_is_about_to_be_carried_out() -> None:
    """Between the permit and the PBX's last question the acute key arrives, undecided yet: nothing is ended."""
    async with service().running() as s:
        await warned(s)

        async def meanwhile(_release: act.Release) -> None:
            s.pbx.emit(CodePressed("suicide", ANNA, LIVE.agent_leg, Source.CODE, s.clock.now()))

        s.pbx.does[act.Release] = meanwhile
        await s.engine.press(ANNA, WARN, Source.HTTP)
        await s.until(lambda: s.saw(ev.ReleaseFinished))
        assert s.saw(ev.ReleaseFinished)[0].outcome == "refused"
        assert s.engine.state.guards[LIVE.id].state is CallState.ACUTE


async def test_an_ordinary_key_in_the_inbox_blocks_no_release() -> None:
    """The check looks at the kind: an impatient third press does not stop the ending."""
    async with service().running() as s:
        await warned(s)

        async def meanwhile(_release: act.Release) -> None:
            s.pbx.emit(replace(CODE, pressed_at=s.clock.now()))

        s.pbx.does[act.Release] = meanwhile
        await s.engine.press(ANNA, WARN, Source.HTTP)
        await s.until(lambda: s.saw(ev.ReleaseFinished))
        assert s.saw(ev.ReleaseFinished)[0].outcome == "done"


# --- keys ---------------------------------------------------------------------------------------------------------


async def test_a_key_by_phone_is_answered_by_a_tone_and_one_by_http_is_not() -> None:
    """Phone-only agents hear the verdict; who has the answer on a screen hears none."""
    async with service().running() as s:
        await s.engine.press(ANNA, END, Source.HTTP)
        await s.settled()
        assert s.pbx.asked(act.Tell) == []
        s.clock.forward(5)
        s.pbx.emit(CodePressed("end", ANNA, LIVE.agent_leg, Source.CODE, s.clock.now()))
        await s.until(lambda: s.pbx.asked(act.Tell))
        assert s.pbx.asked(act.Tell)[0].verdict is Verdict.NOT_PERMITTED
        assert s.pbx.asked(act.Tell)[0].agent_leg == LIVE.agent_leg


async def test_a_key_that_policy_does_not_have_does_nothing() -> None:
    """A feature code that was taken out of the policy is logged, and that is all."""
    async with service().running() as s:
        s.pbx.emit(replace(CODE, key="gone"))
        await s.engine.press(ANNA, END, Source.HTTP)
        assert len(s.saw(ev.KeyPressed)) == 1


async def test_a_press_that_nobody_waits_for_any_more_counts() -> None:
    """The HTTP client went away: the key was taken, and is decided."""
    async with service().running() as s:
        s.journal.stall()
        waiting = await pressed(s, WARN)
        await s.settled()
        waiting.cancel()
        s.journal.open.set()
        await s.until(lambda: s.pbx.asked(act.Announce))
        assert s.engine._answers == {}


async def test_our_own_bug_in_an_acute_key_still_wakes_the_backup(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table refuses the latch: the service lives, the page goes out as for a key without a call."""

    def broken(state: Any, event: ev.Event, policy: Any) -> Any:
        if isinstance(event, ev.KeyPressed) and event.calls:
            raise IllegalTransitionError("call", CallState.OPEN, CallState.OPEN)
        return decide(state, event, policy)

    monkeypatch.setattr("telephony.engine.decide", broken)
    async with service().running() as s:
        tell = await s.engine.press(ANNA, SUICIDE, Source.HTTP)
        assert tell.reason is Reason.ACUTE
        await s.until(lambda: s.pager.sent)


# --- what is seen -------------------------------------------------------------------------------------------------


async def test_changes_in_calls_that_nobody_guards_are_let_go() -> None:
    """They reach no decision; changes in a guarded call do."""
    async with service().running() as s:
        s.pbx.emit(ev.CallChanged(**s.engine.stamp(), call=call(7)))
        s.pbx.emit(ev.CallEnded(**s.engine.stamp(), call=CallId("c7")))
        await s.engine.press(ANNA, WARN, Source.HTTP)
        s.pbx.emit(ev.CallChanged(**s.engine.stamp(), call=replace(LIVE, agent_leg=LegId("new"))))
        await s.until(lambda: s.engine.state.guards[LIVE.id].agent_leg == "new")
        assert [e.call.id for e in s.saw(ev.CallChanged)] == [LIVE.id]
        assert s.saw(ev.CallEnded) == []


async def test_a_change_between_a_key_and_its_decision_is_not_lost() -> None:
    """The call is guarded only by a key that still waits; its end meanwhile is decided after the key."""
    async with service(store_patience_s=60.0).running() as s:
        s.journal.stall()
        s.engine.take(ev.PageOpened(**s.engine.stamp(), plan="backup", incident="i", reason="drill"))
        await s.until(lambda: s.journal.began == 2)
        pressing = await pressed(s, WARN)
        await s.settled()
        s.pbx.emit(ev.CallEnded(**s.engine.stamp(), call=LIVE.id))
        s.journal.open.set()
        await pressing
        await s.until(lambda: s.engine.state.guards[LIVE.id].state is CallState.ENDED)


async def test_memory_stays_bounded_while_the_store_hangs() -> None:
    """100,000 changes in unguarded calls behind a stalled store take no room, and a guarded call's end is seen."""
    async with service().running() as s:
        await s.engine.press(ANNA, WARN, Source.HTTP)
        s.journal.stall()
        pressing = await pressed(s, END)
        await s.until(lambda: s.engine.saving.unsaved)
        stranger = ev.CallChanged(**s.engine.stamp(), call=call(7))
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for number in range(100_000):
            s.pbx.emit(replace(stranger, id=f"x{number}"))
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert after - before < 100_000
        s.pbx.emit(ev.CallEnded(**s.engine.stamp(), call=LIVE.id))
        s.journal.open.set()
        await pressing
        await s.until(lambda: s.engine.state.guards[LIVE.id].state is CallState.ENDED)


async def test_what_is_unsaved_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is away for days: the oldest entries are given up, loudly, and never the one under way."""
    monkeypatch.setattr("telephony.saving.UNSAVED_MOST", 3)
    async with service().running() as s:
        s.journal.stall()
        for number in range(6):
            opened = ev.PageOpened(**s.engine.stamp(), plan="backup", incident=f"i{number}", reason="drill")
            s.engine.take(opened)
        await s.until(lambda: len(s.saw(ev.PageOpened)) == 6)
        assert s.engine.saving.unsaved == 3
        s.journal.open.set()
        await s.until(lambda: s.engine.saving.unsaved == 0)
        incidents = [e.event.incident for e in s.journal.entries if isinstance(e.event, ev.PageOpened)]
        assert incidents[0] == "i0"


# --- adapters that misbehave --------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError("bug"), PbxTimeoutError("play"), asyncio.CancelledError()])
async def test_whatever_an_adapter_raises_becomes_an_outcome(error: BaseException) -> None:
    """A raise, a lost reply, something cancelled inside the adapter: the warning counts as not heard, all goes on."""

    async def fail(_action: act.Announce) -> None:
        raise error

    async with service().running() as s:
        s.pbx.does[act.Announce] = fail
        await s.engine.press(ANNA, WARN, Source.HTTP)
        await s.until(lambda: s.engine.state.guards[LIVE.id].state is CallState.OPEN)
        assert s.engine.state.guards[LIVE.id].heard == ()
        assert s.journal.open_actions() == []


async def test_an_adapter_that_falls_over_is_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in the PBX adapter: protection is off until it has connected again; the service lives."""
    monkeypatch.setattr("telephony.engine.RUN_AGAIN_S", 0.01)
    async with service().running() as s:
        s.pbx.broken.set()
        await s.until(lambda: s.saw(ev.PbxLost))
        await s.until(lambda: s.engine.state.epoch == 2 and s.engine.state.connected)


async def test_a_listener_that_raises_stops_nothing() -> None:
    """Metrics with a bug: the key is answered."""

    class Broken:
        def decided(self, event: ev.Event, state: State, actions: object) -> None:  # noqa: ARG002 -- a Listener
            raise ValueError("bug")

    s = service()
    s.engine._listeners = (Broken(), s)
    async with s.running():
        assert (await s.engine.press(ANNA, WARN, Source.HTTP)).verdict is Verdict.ACCEPTED


async def test_a_hung_gateway_delays_no_warning() -> None:
    """An SMS hangs for ever: the next key's warning is played and heard."""

    async def hang(_action: act.Notify) -> None:
        await asyncio.Event().wait()

    async with service().running() as s:
        s.pager.does = hang
        s.engine.take(ev.PageOpened(**s.engine.stamp(), plan="backup", incident="i", reason="drill"))
        await s.until(lambda: s.pager.sent)
        await s.engine.press(ANNA, WARN, Source.HTTP)
        await s.until(lambda: s.engine.state.guards[LIVE.id].state is CallState.WARNED)


# --- timers -------------------------------------------------------------------------------------------------------


async def paged(s: Service) -> None:
    s.engine.take(ev.PageOpened(**s.engine.stamp(), plan="backup", incident="i", reason="drill"))
    await s.until(lambda: s.saw(ev.Notified))
    await s.settled()


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


# --- after a restart ----------------------------------------------------------------------------------------------


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


async def test_a_page_is_stood_down_when_a_person_answers() -> None:
    """The answer ends it: those who were told are told who has it, and its timer is gone."""
    async with service().running() as s:
        await paged(s)
        page = next(iter(s.engine.state.pages))
        s.engine.take(ev.PageAnswered(**s.engine.stamp(), page=page, by="Bo", means="http"))
        await s.until(lambda: s.pager.stood_down)
        assert s.pager.stood_down[0].by == "Bo"
        assert s.journal.timers == {}
        assert PageState.ANSWERED in {c.state for e in s.journal.entries for c in e.changed}


async def test_a_reloaded_policy_does_not_loosen_a_call_under_way() -> None:
    """The wait is shortened while the call is up: the longer one still holds for it."""
    async with service().running() as s:
        await s.engine.press(ANNA, WARN, Source.HTTP)
        await s.until(lambda: s.engine.state.guards[LIVE.id].state is CallState.WARNED)
        now = s.engine.policy.now
        abuse = replace(now.kinds["abuse"], wait_s=0.0)
        s.engine.reload(replace(now, version="new", kinds={**now.kinds, "abuse": abuse}))
        s.clock.forward(2)
        assert (await s.engine.press(ANNA, END, Source.HTTP)).reason is Reason.WAIT
        assert s.engine.policy.earlier[0][0] - NOON < timedelta(seconds=1)


async def test_timings_are_measured() -> None:
    """Decisions and commits are timed, for the metrics."""
    seen: list[str] = []
    async with service(measure=lambda what, s: seen.append(what) if s >= 0 else None).running() as s:
        await s.engine.press(AgentId("nobody"), END, Source.HTTP)
        await s.settled()
    assert {"decide", "commit"} == set(seen)
