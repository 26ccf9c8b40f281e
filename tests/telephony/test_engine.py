"""The engine: keys, the last look, what is seen, adapters that misbehave. Over fakes, without a PBX."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from policies import actions as act
from policies import events as ev
from policies.actions import Verdict
from policies.decide import decide
from policies.guards import CallState
from policies.model import AgentId, CallId, LegId, Source
from policies.pages import PageState
from policies.reasons import Reason
from policies.state import State
from policies.tables import IllegalTransitionError
from telephony.errors import PbxTimeoutError
from telephony.ports import CodePressed
from tests.policies.story import ANNA, END, NOON, SUICIDE, WARN, call
from tests.telephony.running import CODE, LIVE, paged, pressed, service, warned


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


async def test_a_page_is_stood_down_when_a_person_answers() -> None:
    """The answer ends it: those who were told are told who has it, and no rung will follow."""
    async with service().running() as s:
        await paged(s)
        page = next(iter(s.engine.state.pages))
        s.engine.take(ev.PageAnswered(**s.engine.stamp(), page=page, by="Bo", means="http"))
        await s.until(lambda: s.pager.stood_down)
        assert s.pager.stood_down[0].by == "Bo"
        assert [timer.what for timer in s.journal.timers] == ["forget"]
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
