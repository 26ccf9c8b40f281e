"""Screens of a `Story`: the core driven by hand, looked at by an agent or by the duty desk."""

from datetime import datetime
from typing import Any

from policies.model import AgentId, CallId, Candidate, LiveCall, Target
from telephony.screens.agent import agent_screen
from telephony.screens.asking import Moment, Seat
from telephony.screens.duty import duty_screen
from telephony.screens.model import AgentScreen, DutyScreen, NextPress, Protection
from tests.policies.story import ANNA, NOON, Story

ON = Protection(on=True)
BO_IS_FREE = (Candidate(Target("bo", "PJSIP/bo", AgentId("bo")), "", NOON),)


def moment(story: Story, protection: Protection = ON) -> Moment:
    return Moment.of(story.state, story.policy, story.now, protection)


def screen(
    story: Story,
    *calls: LiveCall,
    agent: AgentId = ANNA,
    last_call: tuple[LiveCall, datetime] | None = None,
    protection: Protection = ON,
    **more: Any,
) -> AgentScreen:
    seat = Seat(agent, calls, last_call, BO_IS_FREE)
    return agent_screen(moment(story, protection), seat, own_hotkeys=more.pop("own_hotkeys", {}), **more)


def duty(story: Story, *calls: LiveCall, protection: Protection = ON) -> DutyScreen:
    live: dict[CallId, LiveCall] = {c.id: c for c in calls}
    return duty_screen(moment(story, protection), live=live, on_call=())


def key(picture: AgentScreen, name: str) -> NextPress:
    return next(k for k in picture.keys if k.key == name)
