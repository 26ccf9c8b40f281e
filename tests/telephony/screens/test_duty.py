"""What the duty desk sees: pages, guarded calls, breaks."""

from dataclasses import replace
from datetime import timedelta

from policies import events as ev
from policies.events import Delivery
from policies.model import CallId, LegId, Target
from policies.pages import Page, PageState
from policies.rules import Severity
from telephony.screens.asking import mark
from telephony.screens.model import Mood
from tests.policies.story import ANNA, BO, RULES, SUICIDE, WARN, Story, call
from tests.telephony.screens.happened import ends
from tests.telephony.screens.seeing import duty

KIM = Target("Kim", "PJSIP/kim")


def page(story: Story) -> Page:
    (only,) = story.state.pages.values()
    return only


def test_a_page_is_shown_with_who_was_told_how_and_what_the_carrier_said() -> None:
    """Rung by rung, with the delivery; sent is not answered."""
    story = Story()
    story.press(SUICIDE, call())
    told = page(story).told[0]
    story.feed(
        ev.Notified(**story.stamp(), action=told.action, page=page(story).id, delivery=Delivery.SENT, detail="ok")
    )
    (seen,) = duty(story).pages
    assert (seen.id, seen.severity, seen.state, seen.plan, seen.step) == (
        page(story).id,
        "acute",
        "calling",
        "backup",
        1,
    )
    assert [(t.person, t.channel, t.delivery, t.step) for t in seen.told] == [("Chief", "sms", "sent", 1)]
    assert (seen.answered_by, seen.answered_at) == ("", None)


def test_no_address_is_on_the_duty_screen() -> None:
    """Whom and how, never the number."""
    story = Story()
    story.press(SUICIDE, call(caller_tag="0123456789abcdef:47"))
    text = duty(story, call(caller_tag="0123456789abcdef:47")).model_dump_json()
    assert page(story).told[0].address not in text
    assert "0123456789abcdef" not in text
    assert "…47" in text


def test_acute_pages_come_first_then_older_ones_then_those_that_were_answered() -> None:
    """The one that needs somebody most is on top."""
    story = Story()
    story.feed(ev.PageOpened(**story.stamp(), plan="backup", incident="drill", reason="drill"))
    story.wait(5)
    story.press(SUICIDE, call())
    drill, acute = story.state.pages.values()
    earlier, latest = (
        replace(
            acute, id=name, state=PageState.ANSWERED, answered_by="kim", answered_at=story.now + timedelta(minutes=n)
        )
        for n, name in enumerate(("earlier", "latest"))
    )
    story.state = replace(story.state, pages={p.id: p for p in (earlier, drill, latest, acute)})
    seen = duty(story).pages
    assert [(p.id, p.answered_by) for p in seen] == [
        (acute.id, ""),
        (drill.id, ""),
        ("latest", "kim"),
        ("earlier", "kim"),
    ]
    assert seen[1].severity == Severity.NORMAL


def test_guarded_calls_are_shown_acute_ones_first_with_agent_team_and_page() -> None:
    """Whose call, of which team, which page is about it; on hold as the PBX shows it."""
    story = Story(replace(RULES, teams={BO: "north"}))
    story.pbx_connected(call(1), call(2, agent=BO))
    story.press(WARN, call())
    story.wait(5)
    story.press(SUICIDE, call(2, agent=BO), agent=BO)
    first, second = duty(story, call(1, held=True), call(2, agent=BO)).calls
    assert (first.agent, first.team, first.mood, first.page) == (BO, "north", Mood.ACUTE, page(story).id)
    assert (second.agent, second.team, second.mood, second.page) == (ANNA, "", Mood.WARNING, "")
    assert (first.call.held, second.call.held) == (False, True)
    assert second.call.kind == "abuse"


def test_an_answered_page_is_not_the_calls_any_more() -> None:
    """The call's card leads to a page that somebody may still take, or to none."""
    story = Story()
    story.press(SUICIDE, call())
    story.feed(ev.PageAnswered(**story.stamp(), page=page(story).id, by="kim", means="http"))
    assert duty(story).calls[0].page == ""


def test_who_has_agreed_to_open_the_latch_is_shown_while_it_is_shut() -> None:
    """The first one's name, so that the second knows that one more is enough; gone once it is open."""
    story = Story()
    story.press(SUICIDE, call())
    story.feed(ev.LatchAgreed(**story.stamp(), call=CallId("c1"), by="kim"))
    assert duty(story).calls[0].agreed == ("kim",)
    story.feed(ev.LatchAgreed(**story.stamp(), call=CallId("c1"), by="lis"))
    assert duty(story).calls[0].agreed == ()


def test_a_call_says_whether_somebody_may_come_in_and_who_is_coming() -> None:
    """The button's state is the core's own answer."""
    story = Story()
    story.press(WARN, call())
    assert duty(story).calls[0].no_take_over == ""
    story.feed(ev.TakeOverAsked(**story.stamp(), call=CallId("c1"), by="kim", target=KIM))
    ringing = duty(story).calls[0]
    assert (ringing.no_take_over, ringing.mood) == ("chief_ringing", Mood.WARNING)
    assert ringing.help is not None
    assert (ringing.help.who, ringing.help.role) == ("Kim", "chief")
    (h,) = story.state.handoffs.values()
    story.feed(ev.ColleagueJoined(**story.stamp(), action=h.ring, handoff=h.id, leg=LegId("kim-leg")))
    assert duty(story).calls[0].no_take_over == "joined"


def test_a_call_that_is_over_is_gone_and_its_break_is_there() -> None:
    """Nobody takes over what has ended; who is on a break is shown, the one that ends first on top."""
    story = Story()
    ends(story)
    story.released()
    assert [c.mood for c in duty(story).calls] == [Mood.CLOSING]
    story.feed(ev.CallEnded(**story.stamp(), call=CallId("c1")))
    story.press(mark("suicide"), agent=BO, last_call=(call(2, agent=BO), story.now))
    seen = duty(story)
    assert seen.calls == ()
    assert [(b.agent, b.until - story.now) for b in seen.breaks] == [
        (ANNA, timedelta(seconds=600)),
        (BO, timedelta(seconds=1800)),
    ]
