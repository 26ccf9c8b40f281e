"""Ringing somebody into a call: rung, briefed alone, joined. The dialplan does it; here it is asked for and followed.

Once asked for, it goes on without Bagvagt: the leg joins, or ends when the caller has gone, by the dialplan alone.
"""

import asyncio
import math
import re
from dataclasses import dataclass

from adapters.asterisk.announcers import Announcers
from adapters.asterisk.deafness import cure_after_join
from adapters.asterisk.legs import LegNews
from adapters.asterisk.procedures import Desk, News, cause_words, rung_leg, shown_as_bagvagt
from adapters.asterisk.snippets import BRIEF
from adapters.prompts.errors import PromptError
from policies.actions import Ring, StopRinging
from policies.events import ActionFinished, ColleagueJoined, ColleagueMissed
from policies.model import LegId, Outcome
from telephony.errors import LegGoneError, PbxError, PbxTimeoutError

CONFIRM_PROMPT = "brief-confirm"
_CONFIRM_S = 10.0  # `Read(…,2,5)`: two tries of 5 s
_SLACK_S = 3.0
_NAME = re.compile(r"[^\w .@+-]")


@dataclass(frozen=True, slots=True)
class _Brief:
    file: str
    confirm: str
    takes_s: float


class Ringing:
    """Carries out `Ring` and `StopRinging`."""

    def __init__(self, desk: Desk, announcers: Announcers) -> None:
        self._desk = desk
        self._announcers = announcers

    async def ring(self, action: Ring) -> ColleagueJoined | ColleagueMissed:
        """Ring one person; return when they share the caller's bridge, or will not."""
        desk, leg = self._desk, rung_leg(action.id)
        missed = ""
        try:
            missed = await self._ring(action, leg)
        except PromptError as error:
            missed = str(error)
        except PbxError as error:
            missed = str(error)
            desk.later(self._hang_up(leg))
        base = {**desk.stamp(), "action": action.id, "handoff": action.handoff}
        if missed:
            return ColleagueMissed(**base, detail=missed)
        desk.later(cure_after_join(desk, self._announcers, action.caller, leg))
        return ColleagueJoined(**base, leg=leg)

    async def _ring(self, action: Ring, leg: LegId) -> str:
        """Return why it did not come to a join, "" when it did."""
        desk, brief = self._desk, self._brief(action)
        desk.tracker.colleague(leg)
        deadline = asyncio.get_running_loop().time() + action.ring_s + brief.takes_s + _SLACK_S
        asked = False
        while True:
            with desk.news_of(leg, action.caller) as news:
                if not asked:
                    asked = True
                    await desk.ari.ask("POST", "channels", self._body(action, leg, brief))
                elif (there := self._where(leg, action.caller)) is not None:
                    return there
                how = await self._follow(news, leg, action.caller, deadline)
            if how is not None:
                return how
            # The connection was lost. The dialplan goes on; look again when the PBX can be seen again.
            if not await desk.connected_again(deadline - asyncio.get_running_loop().time()):
                raise PbxTimeoutError("Ring", "the connection was lost meanwhile")

    async def _follow(self, news: "asyncio.Queue[News]", leg: LegId, caller: LegId, deadline: float) -> str | None:
        """Return as `_ring`, or None when the connection was lost."""
        try:
            async with asyncio.timeout_at(deadline):
                while True:
                    who, what, detail = await news.get()
                    if what is LegNews.LOST:
                        return None
                    if who == caller and what is LegNews.GONE:
                        self._desk.later(self._hang_up(leg))
                        return "the call is over"
                    if who == leg and what is LegNews.GONE:
                        return cause_words(detail)
                    if self._has_joined(leg, caller):
                        return ""
        except TimeoutError:
            self._desk.later(self._hang_up(leg))
            return "no answer"

    def _has_joined(self, leg: LegId, caller: LegId) -> bool:
        bridge = self._desk.tracker.bridge_of(leg)
        return bridge is not None and bridge == self._desk.tracker.bridge_of(caller)

    def _where(self, leg: LegId, caller: LegId) -> str | None:
        """After the PBX was read anew: as `_ring`, or None when it is still under way."""
        if self._has_joined(leg, caller):
            return ""
        return "gone" if self._desk.tracker.channel_name(leg) is None else None

    def _brief(self, action: Ring) -> _Brief:
        """Return what is played to the one who answers.

        Raises:
            PromptError: there is no such prompt; nobody is rung for a call that could not be explained.
        """
        desk, takes_s, file, confirm = self._desk, 0.0, "", ""
        if action.brief:
            takes_s += desk.prompts.find(action.brief, action.language).duration_s
            file = desk.media.file(action.brief, action.language)
        if action.target.confirm:
            takes_s += 2 * desk.prompts.find(CONFIRM_PROMPT, action.language).duration_s + _CONFIRM_S
            confirm = desk.media.file(CONFIRM_PROMPT, action.language)
        return _Brief(file, confirm, takes_s)

    def _body(self, action: Ring, leg: LegId, brief: _Brief) -> dict[str, object]:
        variables = {"BAGVAGT_LEG": action.caller, "BAGVAGT_BRIEF": brief.file, "BAGVAGT_CONFIRM": brief.confirm}
        body: dict[str, object] = {
            "endpoint": action.target.endpoint,
            "context": BRIEF,
            "extension": "s",
            "priority": 1,
            "channelId": leg,
            "timeout": math.ceil(action.ring_s),
            "variables": variables,
        }
        shown = self._caller_id(action)
        if shown:
            body["callerId"] = shown
        return body

    def _caller_id(self, action: Ring) -> str:
        """Return what the phone shows: the agent who asks for help. Somebody outside sees the site's number."""
        if action.target.confirm:
            return shown_as_bagvagt(self._desk.outside_number)
        call = self._desk.tracker.call(action.call)
        agent = _NAME.sub("", call.agent) if call is not None and call.agent is not None else ""
        return f'"{agent}" <{agent}>' if agent else ""

    async def stop(self, action: StopRinging) -> ActionFinished:
        """Hang up a leg that is being rung or briefed; never one that has joined."""
        desk, leg = self._desk, rung_leg(action.ring)
        outcome, detail = Outcome.DONE, ""
        if desk.tracker.bridge_of(leg) is not None:
            outcome, detail = Outcome.REFUSED, "has joined"
        else:
            try:
                await self._hang_up(leg)
            except PbxTimeoutError as error:
                outcome, detail = Outcome.UNKNOWN, str(error)
            except PbxError as error:
                outcome, detail = Outcome.FAILED, str(error)
        return ActionFinished(**desk.stamp(), action=action.id, outcome=outcome, detail=detail)

    async def _hang_up(self, leg: LegId) -> None:
        try:
            await self._desk.ari.ask("DELETE", f"channels/{leg}")
        except LegGoneError:
            return
