"""Rungs that name a rota: who is told when the rung's time comes."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from policies import actions as act
from policies import events as ev
from policies.model import Timer
from policies.pages import LAST_RESORT, Page, next_rung, staffed, turns
from policies.rota import Override, Rota, Rotation
from policies.rules import Rules, Step
from tests.policies.story import BACKUP_PLAN, RULES, SUICIDE, Story, call, contact

NIGHT = datetime(2026, 3, 29, 0, 58, tzinfo=UTC)  # two minutes before the clocks go from two to three
HANDOFF = NIGHT + timedelta(minutes=2)
ROTA = Rota("backup", "Europe/Copenhagen", (Rotation(("Bo", "Carl"), date(2026, 3, 28), 1, time(3)),))
PLAN = replace(BACKUP_PLAN, steps=(Step((), 120, rotas=("backup",)), Step((contact("Deputy", "sms"),), 60)))
PEOPLE = {name: contact(name, "sms") for name in ("Bo", "Carl", "Dorte")}


def rules(rota: Rota | None = ROTA) -> Rules:
    rotas = {} if rota is None else {"backup": rota}
    return replace(RULES, version="rota", pages={"backup": PLAN}, rotas=rotas, people=PEOPLE)


def paged(rota: Rota | None = ROTA) -> Story:
    story = Story(rules(rota), at=NIGHT)
    story.press(SUICIDE, call())
    return story


def told(story: Story) -> list[str]:
    return [notify.person for notify in story.all(act.Notify)]


def page(story: Story) -> Page:
    (only,) = story.state.pages.values()
    return only


def fire(story: Story, after_s: float = 120) -> None:
    story.wait(after_s)
    story.feed(ev.TimerFired(**story.stamp(), timer=Timer("page", page(story).id, "next")))


def test_a_page_that_outlasts_a_hand_off_tells_the_one_who_is_on_call_then() -> None:
    """Bo until three, and Carl in the second round, at 03:01: the rota is asked at each rung, not at the beginning."""
    story = paged()
    assert told(story) == ["Bo"]
    fire(story)
    assert told(story) == ["Deputy"]
    fire(story, 60)
    assert told(story) == ["Carl"]


def test_a_swap_in_the_night_counts_for_a_page_that_is_under_way() -> None:
    """The policy is read anew while the page runs."""
    story = paged()
    swap = Override(NIGHT, NIGHT + timedelta(hours=8), add="Dorte", remove="Carl")
    story.policy = story.policy.replaced_by(rules(replace(ROTA, overrides=(swap,))), story.now)
    fire(story)
    fire(story, 60)
    assert told(story) == ["Dorte"]


def test_a_rota_that_policy_has_lost_is_asked_as_it_was() -> None:
    """A page under way goes on by the latest version that knew the rota."""
    story = paged()
    story.policy = story.policy.replaced_by(rules(None), story.now)
    fire(story)
    fire(story, 60)
    assert told(story) == ["Carl"]


def test_a_rung_on_which_nobody_is_on_call_is_skipped_at_once() -> None:
    """A gap in the rota, a rota that nobody knows, and somebody who cannot be paged: the next rung, without a wait."""
    gap = replace(ROTA, overrides=(Override(NIGHT, HANDOFF, remove="Bo"),))
    stranger = replace(ROTA, overrides=(Override(NIGHT, HANDOFF, remove="Bo", add="Nobody"),))
    for empty in (gap, None, stranger):
        assert told(paged(empty)) == ["Deputy"]


def test_people_and_rota_of_one_rung_are_told_at_once_and_once() -> None:
    """Who stands on the rung and is on call as well gets one message."""
    both = replace(PLAN, steps=(Step((contact("Chief", "sms"), PEOPLE["Bo"]), 60, rotas=("backup",)),))
    rung = next_rung(staffed(both, NIGHT, rules()), RULES.office, NIGHT, -1, 0)
    assert [c.name for c in rung.people] == ["Chief", "Bo"]
    later = next_rung(staffed(both, HANDOFF, rules()), RULES.office, HANDOFF, -1, 0)
    assert [c.name for c in later.people] == ["Chief", "Bo", "Carl"]


def test_the_page_keeps_the_name_of_the_rota_and_not_who_was_on_call() -> None:
    """What is journaled is the plan of the policy."""
    assert page(paged()).plan == PLAN


def test_somebody_of_a_rota_may_answer_over_mqtt() -> None:
    """Carl has not been told yet, and takes it; a name that stands in no plan and no rota does not."""
    story = paged()
    for name, left in (("Fie", 1), ("carl", 0)):
        story.feed(ev.PageAnswered(**story.stamp(), page=f"{page(story).id}", by=name, means="mqtt"))
        assert page(story).is_open == bool(left)


def test_who_was_told_may_answer_when_the_rota_has_forgotten_them() -> None:
    """Bo was told, and is taken off the rota before he answers."""
    story = paged()
    without = replace(ROTA, rotations=(replace(ROTA.rotations[0], people=("Carl",)),))
    story.policy = story.policy.replaced_by(rules(without), story.now)
    story.feed(ev.PageAnswered(**story.stamp(), page=page(story).id, by="Bo", means="mqtt"))
    assert not page(story).is_open


def test_a_rota_without_anybody_leads_to_the_last_resort() -> None:
    """There is always somebody."""
    only = replace(PLAN, steps=PLAN.steps[:1])
    rung = next_rung(staffed(only, NIGHT, rules(None)), RULES.office, NIGHT, -1, 0)
    assert (rung.step, rung.people) == (LAST_RESORT, (PLAN.last_resort,))


def test_the_times_at_which_a_plan_may_reach_others() -> None:
    """Hand-offs, and the office's opening and closing."""
    monday = datetime(2026, 3, 30, 6, tzinfo=UTC)  # eight o'clock in summer time
    found = turns(rules(), NIGHT, monday + timedelta(hours=1))
    assert found == (HANDOFF, HANDOFF + timedelta(days=1), monday)
