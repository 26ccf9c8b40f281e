"""A page under way, for tests of what people and carriers say of it."""

from dataclasses import replace
from datetime import UTC, datetime

from policies import actions as act
from policies import events as ev
from policies.events import Delivery, Report, Says
from policies.model import Timer
from policies.pages import Page
from policies.rules import Contact, PagePlan, Severity, Step
from tests.policies.story import RULES, Story

NIGHT = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
BAGVAGT = Contact("Bagvagt", (("mqtt", "bagvagt"), ("sms", "+4520304050"), ("voice", "PJSIP/bagvagt")), "da")
DEPUTY = Contact("Deputy", (("sms", "+4520304051"),), "da")
LAST = Contact("Alarm centre", (("sms", "+4520304052"),), "da")


def plan(in_turn_s: float = 0.0, name: str = "night") -> PagePlan:
    """Return a plan: the bagvagt on three channels, then the deputy, then the alarm centre."""
    return PagePlan(name, (Step((BAGVAGT,), 120, in_turn_s=in_turn_s), Step((DEPUTY,), 180)), LAST, rounds=1)


class Night(Story):
    """A night in which plans are followed."""

    def __init__(self, in_turn_s: float = 0.0) -> None:
        plans = {p.name: p for p in (plan(in_turn_s), plan(in_turn_s, "other"))}
        super().__init__(replace(RULES, pages=plans), at=NIGHT)

    def open(self, incident: str = "i1", plan: str = "night") -> Page:
        """Open a page."""
        self.feed(ev.PageOpened(**self.stamp(), plan=plan, incident=incident, reason="call", severity=Severity.ACUTE))
        return self.page(self.all(act.Notify)[0].page)

    def page(self, id_: str) -> Page:
        """Return a page as it is now."""
        return self.state.pages[id_]

    def carried(self, notify: act.Notify, delivery: Delivery) -> None:
        """Let a carrier answer."""
        self.feed(ev.Notified(**self.stamp(), action=notify.id, page=notify.page, delivery=delivery))

    def reported(self, notify: act.Notify, report: Report) -> None:
        """Let a carrier report."""
        self.feed(ev.MessageReported(**self.stamp(), message=notify.message, report=report))

    def fire(self, page: Page, what: str) -> None:
        """Let a timer of a page come due."""
        self.feed(ev.TimerFired(**self.stamp(), timer=Timer("page", page.id, what)))

    def replied(self, says: Says, code: int = 0, address: str = "+4520304050") -> None:
        """Let an SMS come in."""
        self.feed(ev.PageReplied(**self.stamp(), channel="sms", address=address, says=says, code=code))

    def sent(self) -> list[tuple[str, str]]:
        """Return who was told by the last event, and how."""
        return [(n.person, n.channel) for n in self.all(act.Notify)]
