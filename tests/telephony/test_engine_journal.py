"""Journal before act: what is not saved is not done, except an alarm."""

import tracemalloc
from dataclasses import replace

import pytest

from policies import actions as act
from policies import events as ev
from policies.actions import Verdict
from policies.guards import CallState
from policies.model import Source
from policies.reasons import Reason
from tests.policies.story import ANNA, END, SUICIDE, WARN, call
from tests.telephony.fakes import StoreDownError
from tests.telephony.running import LIVE, pressed, service, warned


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
