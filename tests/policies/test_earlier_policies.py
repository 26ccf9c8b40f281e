"""A policy that changes while calls are up: it may tighten, and loosens nothing under way."""

from dataclasses import replace
from datetime import timedelta

from policies.reasons import Reason
from policies.rules import KindRules, Policy
from tests.policies.story import BO, END, NOON, RULES, WARN, Story, call


def test_a_reload_does_not_loosen_a_call_under_way() -> None:
    """The policy now permits ending the kind; the call that began before is still not ended."""
    story = Story()
    story.press(replace(WARN, kind="mild"), call())
    story.announced()
    looser = replace(RULES, kinds={**RULES.kinds, "mild": KindRules("mild", may_end=True)})
    story.policy = story.policy.replaced_by(looser, story.now)
    story.wait(10)
    assert story.press(END, call()).reason is Reason.KIND_NOT_ENDED


def test_a_reload_does_not_loosen_a_call_that_was_not_yet_flagged() -> None:
    """Rules count from when the call began, not from when it was flagged."""
    story = Story()
    looser = replace(RULES, kinds={**RULES.kinds, "mild": KindRules("mild", may_end=True, warnings=0)})
    story.policy = story.policy.replaced_by(looser, story.now)
    assert story.press(replace(WARN, kind="mild"), call()).reason is Reason.WARNING_STARTED
    later = call(2, began_at=story.now + timedelta(seconds=1))
    story.wait(5)
    assert story.press(replace(WARN, kind="mild"), later).reason is Reason.ENDING


def test_a_restart_does_not_loosen_a_call_under_way() -> None:
    """Loosened, then restarted: the versions that were in force while the call lasted come back from the journal."""
    story = Story()
    looser = replace(RULES, version="looser", kinds={"mild": KindRules("mild", may_end=True, warnings=0)})
    before = ((NOON - timedelta(days=3), RULES), (NOON - timedelta(minutes=1), looser))
    story.policy = Policy.after_restart(looser, before, NOON)
    assert story.press(replace(WARN, kind="mild"), call()).reason is Reason.WARNING_STARTED
    story.wait(5)
    later = call(2, began_at=NOON - timedelta(seconds=30))
    assert story.press(replace(WARN, kind="mild"), later).reason is Reason.ENDING


def test_a_policy_that_changed_while_the_service_was_down_counts_from_the_start() -> None:
    """The file was loosened between stop and start: calls that began before the start keep the old rules."""
    looser = replace(RULES, version="looser", kinds={"mild": KindRules("mild", may_end=True)})
    policy = Policy.after_restart(looser, ((NOON - timedelta(days=3), RULES),), NOON)
    assert policy.earlier == ((NOON, RULES),)


def test_a_restart_with_the_same_policy_forgets_nothing_and_adds_nothing() -> None:
    """The latest version is the one in force; one that ended longer ago than any call is dropped."""
    old = replace(RULES, version="old")
    loaded = ((NOON - timedelta(days=9), old), (NOON - timedelta(days=3), RULES))
    assert Policy.after_restart(RULES, loaded, NOON).earlier == ()


def test_a_reload_that_tightens_holds_at_once() -> None:
    """The kind became acute by a reload: the warned call is not ended."""
    story = Story()
    story.warned()
    tighter = replace(RULES, kinds={**RULES.kinds, "abuse": replace(RULES.kinds["abuse"], may_end=False)})
    story.policy = story.policy.replaced_by(tighter, story.now)
    assert story.press(END, call()).reason is Reason.KIND_NOT_ENDED


def test_after_a_transfer_the_policy_of_the_first_minute_still_counts() -> None:
    """The call began under rules that were loosened since; that another agent has it now changes nothing."""
    story = Story()
    looser = replace(RULES, kinds={**RULES.kinds, "mild": KindRules("mild", may_end=True, warnings=0)})
    story.policy = story.policy.replaced_by(looser, story.now)
    story.wait(60)
    moved = call(agent=BO, joined_at=story.now - timedelta(seconds=30))
    assert story.press(replace(WARN, kind="mild"), moved, agent=BO).reason is Reason.WARNING_STARTED
