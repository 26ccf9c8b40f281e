"""What has happened to Anna's call, for tests of screens."""

from policies import events as ev
from policies.model import CallId, LegId
from telephony.screens.asking import mark
from tests.policies.story import CHIEF, COLLEAGUE, SUICIDE, WARN, Story, call
from tests.telephony.screens.seeing import BO_IS_FREE

C1 = CallId("c1")


def nothing(story: Story) -> None:
    pass


def warns(story: Story) -> None:
    story.press(WARN, call())


def warned(story: Story) -> None:
    warns(story)
    story.announced()


def may_end(story: Story) -> None:
    story.warned()


def ends(story: Story) -> None:
    story.warned()
    story.press(WARN, call())


def acute(story: Story) -> None:
    story.press(SUICIDE, call())


def marked(story: Story) -> None:
    story.press(mark("mild"), call())


def rings(story: Story) -> None:
    story.press(COLLEAGUE, call(), candidates=BO_IS_FREE)


def chief_there(story: Story) -> None:
    story.press(CHIEF, call())
    (h,) = story.state.handoffs.values()
    story.feed(ev.ColleagueJoined(**story.stamp(), action=h.ring, handoff=h.id, leg=LegId("chief-leg")))
