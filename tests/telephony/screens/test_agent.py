"""What an agent sees of the call, of who is coming, of the break."""

from dataclasses import replace
from datetime import timedelta

from policies import events as ev
from policies.actions import Tell
from policies.model import CallId, LegId, LiveCall, Outcome
from policies.reasons import Reason
from policies.rules import BreakRules
from telephony.screens.asking import mark
from telephony.screens.model import Mood
from tests.policies.story import ANNA, BO, RULES, Story, call
from tests.telephony.screens.happened import acute, ends, rings
from tests.telephony.screens.seeing import key, screen

C1 = CallId("c1")


def test_the_call_is_shown_with_two_digits_and_no_number() -> None:
    """The caller's tag is a hash and two digits; the screen has the digits, and nothing for one that withholds."""
    story = Story()
    story.warned()
    seen = screen(story, call(caller_tag="0123456789abcdef:47", queue="support", held=True)).call
    assert seen is not None
    assert (seen.caller, seen.queue, seen.held, seen.kind, seen.warned) == ("…47", "support", True, "abuse", 1)
    assert seen.incident == story.guard().incident
    hidden = screen(story, call(caller_tag="withheld")).call
    assert hidden is not None
    assert hidden.caller == ""


def test_several_calls_show_as_a_number_and_in_the_gravest_mood() -> None:
    """Nobody can tell which call is meant: none is shown, and an acute one colours the screen."""
    story = Story()
    story.pbx_connected(call(1), call(2))
    acute(story)
    seen = screen(story, call(2), call(1))
    assert (seen.mood, seen.call, seen.calls) == (Mood.ACUTE, None, 2)
    assert key(seen, "warn").reason == Reason.SEVERAL_CALLS


def test_the_call_may_be_marked_with_what_the_core_would_take() -> None:
    """Every kind in a plain call; its own kind alone in an acute one."""
    story = Story()
    assert screen(story, call()).kinds == tuple(RULES.kinds)
    acute(story)
    violence = replace(RULES.kinds["suicide"], kind="violence")
    story.policy = replace(story.policy, now=replace(RULES, kinds={**RULES.kinds, "violence": violence}))
    assert screen(story, call()).kinds == ("suicide",)


def test_the_call_just_over_is_shown_while_it_may_be_marked() -> None:
    """Until `late_flag_s`, and not while there is another call."""
    story = Story()
    story.press(mark("abuse"), call())
    story.feed(ev.CallEnded(**story.stamp(), call=C1))
    last: tuple[LiveCall, ...] = (call(),)
    over_at = story.now
    story.wait(119)
    seen = screen(story, last_call=(last[0], over_at))
    assert seen.over is not None
    assert (seen.over.kind, "suicide" in seen.kinds, seen.call) == ("abuse", True, None)
    assert screen(story, call(2), last_call=(last[0], over_at)).over is None
    story.wait(2)
    late = screen(story, last_call=(last[0], over_at))
    assert (late.over, late.kinds) == (None, ())


def test_after_the_ending_the_closing_is_shown_then_the_break() -> None:
    """The agent is free, the caller hears the closing; then the break, with its end and whether it may be ended."""
    story = Story()
    ends(story)
    story.released(Outcome.DONE)
    closing = screen(story)
    assert closing.mood is Mood.CLOSING
    story.feed(ev.CallEnded(**story.stamp(), call=C1))
    seen = screen(story)
    assert seen.mood is Mood.BREAK
    assert seen.break_ is not None
    assert (seen.break_.until, seen.break_.state, seen.break_.may_end) == (
        story.now + timedelta(seconds=600),
        "asked",
        True,
    )
    assert key(seen, "back").would == "end_break"
    story.policy = replace(story.policy, now=replace(RULES, breaks=BreakRules(agent_may_end=False)))
    kept = screen(story)
    assert kept.break_ is not None
    assert not kept.break_.may_end
    assert (key(kept, "back").reason, key(kept, "back").rule) == (Reason.BREAK_NOT_YOURS, "breaks.agent_may_end")


def test_who_is_coming_is_shown_with_how_far_they_are() -> None:
    """Ringing, then joined; for the colleague whose agent it is, their own screen has the call too."""
    story = Story()
    rings(story)
    ringing = screen(story, call()).help
    assert ringing is not None
    assert (ringing.role, ringing.who, ringing.state) == ("colleague", "bo", "ringing")
    (h,) = story.state.handoffs.values()
    story.feed(ev.ColleagueJoined(**story.stamp(), action=h.ring, handoff=h.id, leg=LegId("bo-leg")))
    shared = call(agent=BO, agent_leg=LegId("bo-leg"), others=(LegId("anna-1"),))
    seen = screen(story, shared, agent=BO)
    assert seen.help is not None
    assert seen.help.state == "leaving"


def test_the_last_answer_is_shown_with_its_name_and_time() -> None:
    """What was told last stays on the screen until something else is told."""
    story = Story()
    rings(story)
    tell = next(a for a in story.last if isinstance(a, Tell))
    seen = screen(story, call(), last=(tell, story.now))
    assert (seen.last, seen.last_who, seen.last_at) == (Reason.RINGING, "bo", story.now)


def test_another_agents_trouble_is_not_on_this_screen() -> None:
    """Anna's acute call and break do not colour Bo's screen."""
    story = Story()
    ends(story)
    story.released(Outcome.DONE)
    assert screen(story, agent=BO).mood is Mood.FREE
    assert screen(story, agent=ANNA).mood is Mood.CLOSING
