"""Ending a call as policy permits it, taking that back, and taking an agent out after a handoff.

What can't be undone is preceded by a reading of the PBX itself, not of our picture of it, and goes out once. After a
lost reply the PBX is looked at; where that does not settle it, the outcome is unknown and stays so.
"""

import asyncio
import contextlib
from collections.abc import Callable

from adapters.asterisk.announcers import Announcers
from adapters.asterisk.legs import LegNews
from adapters.asterisk.procedures import EVENT_S, Desk, News, log
from adapters.asterisk.snippets import CLOSING, RETURN
from adapters.prompts.errors import PromptError
from policies.actions import Leave, Release, Retrieve
from policies.events import ActionFinished, LeaveFinished, ReleaseFinished
from policies.model import AgentId, LegId, Outcome
from telephony.errors import PbxError, PbxTimeoutError

Went = tuple[Outcome, str]


class Releasing:
    """Carries out `Release`, `Retrieve` and `Leave`."""

    def __init__(self, desk: Desk, announcers: Announcers) -> None:
        self._desk = desk
        self._announcers = announcers

    async def release(self, action: Release, still_permitted: Callable[[], bool]) -> ReleaseFinished:
        """Carry out a permit: caller to the closing message, agent free. See `telephony.ports.Pbx.release`."""
        permit = action.permit
        try:
            outcome, detail = await self._release(action, still_permitted)
        except PbxTimeoutError as error:
            outcome, detail = await self._look(permit.caller, permit.agent_leg), str(error)
        except PbxError as error:  # before or instead of the Redirect: nothing was done
            outcome, detail = Outcome.FAILED, str(error)
        return ReleaseFinished(
            **self._desk.stamp(), action=action.id, call=permit.call, permit=permit.id, outcome=outcome, detail=detail
        )

    async def _release(self, action: Release, still_permitted: Callable[[], bool]) -> Went:
        desk, permit = self._desk, action.permit
        if permit.closing:
            try:
                desk.prompts.find(permit.closing, permit.language)
            except PromptError as error:
                return Outcome.FAILED, str(error)
        prompt = f"p_{permit.language}_{permit.closing}" if permit.closing else "p__"
        (together, others), is_ready = await asyncio.gather(
            self._together(permit.caller, permit.agent_leg), self._has_extension(CLOSING, prompt)
        )
        if not is_ready:
            return Outcome.FAILED, f"the dialplan has no {prompt} in [{CLOSING}]"
        if not together:
            return Outcome.REFUSED, "caller and agent do not share a bridge now"
        if not still_permitted():
            return Outcome.REFUSED, "no longer permitted"
        with desk.news_of(permit.agent_leg) as news:
            others |= self._announcers.drop(permit.caller)  # on its way beside the Redirect, not before it
            await desk.ami.send("Redirect", Channel=permit.caller, Context=CLOSING, Exten=prompt, Priority=1)
            if others:  # a third leg keeps the bridge alive, and the agent in it
                with contextlib.suppress(PbxError):
                    await desk.ami.send("Hangup", Channel=permit.agent_leg)
            return await self._left(news, permit.caller, permit.agent_leg)

    async def _has_extension(self, context: str, extension: str) -> bool:
        try:
            return await self._desk.has_extension(context, extension)
        except PbxTimeoutError as error:
            raise PbxError("ShowDialPlan", f"nothing was done: {error.detail}") from None

    async def _together(self, caller: LegId, agent_leg: LegId) -> tuple[bool, bool]:
        """Read whether two legs share a bridge on the PBX, and whether people beside them do.

        Raises:
            PbxError: it could not be read; nothing was done.
        """
        bridge = self._desk.tracker.bridge_of(agent_leg)
        if bridge is None:
            return False, False
        try:
            legs = await self._desk.legs_on_pbx(bridge)
        except PbxTimeoutError as error:
            raise PbxError("GET /bridges", f"nothing was done: {error.detail}") from None
        others = {leg for leg in legs - {caller, agent_leg} if not leg.startswith("bagvagt-say-")}
        return {caller, agent_leg} <= legs, bool(others)

    async def _left(self, news: "asyncio.Queue[News]", caller: LegId, agent_leg: LegId) -> Went:
        """Wait for the PBX's own word that the agent's leg has left the bridge, or is gone."""
        try:
            async with asyncio.timeout(EVENT_S):
                while True:
                    _, what, _ = await news.get()
                    if what in (LegNews.LEFT, LegNews.GONE):
                        return Outcome.DONE, ""
                    if what is LegNews.LOST:
                        break
        except TimeoutError:
            pass
        return await self._look(caller, agent_leg), "the PBX's event did not come"

    async def _look(self, caller: LegId, agent_leg: LegId) -> Outcome:
        """Look, after a lost reply or event. Still together proves nothing: the command may be on its way yet."""
        if not await self._desk.connected_again():
            return Outcome.UNKNOWN
        try:
            together, _ = await self._together(caller, agent_leg)
        except PbxError as error:
            log.warning("look_failed", error=str(error))
            return Outcome.UNKNOWN
        return Outcome.UNKNOWN if together else Outcome.DONE

    async def retrieve(self, action: Retrieve) -> ActionFinished:
        """Bring a caller from the closing message back to the agent; music until the agent answers."""
        outcome, detail = Outcome.DONE, ""
        try:
            detail = await self._retrieve(action)
        except PbxTimeoutError as error:
            outcome, detail = Outcome.UNKNOWN, str(error)
        except PbxError as error:
            outcome, detail = Outcome.FAILED, str(error)
        return ActionFinished(**self._desk.stamp(), action=action.id, outcome=outcome, detail=detail)

    async def _retrieve(self, action: Retrieve) -> str:
        desk = self._desk
        if any(call.caller == action.caller for call in desk.tracker.calls_of(action.agent)):
            return "the caller is with the agent"
        if not await desk.has_extension(RETURN, "s"):
            raise PbxError("Redirect", f"the dialplan has no [{RETURN}]")
        call = desk.tracker.call(action.call)
        queue = call.queue if call is not None else ""
        variables = {"BAGVAGT_AGENT": self._endpoint(action.agent), "BAGVAGT_QUEUE": queue}
        for name, value in variables.items():
            await desk.ami.send("Setvar", Channel=action.caller, Variable=name, Value=value)
        await desk.ami.send("Redirect", Channel=action.caller, Context=RETURN, Exten="s", Priority=1)
        return ""

    def _endpoint(self, agent: AgentId) -> str:
        known = {c.target.agent: c.target.endpoint for c in self._desk.tracker.candidates()}
        return known.get(agent, f"PJSIP/{agent}")

    async def leave(self, action: Leave) -> LeaveFinished:
        """Hang up the agent's leg, if the caller and the colleague share its bridge."""
        try:
            outcome, detail = await self._leave(action)
        except PbxTimeoutError as error:
            outcome, detail = await self._look(action.caller, action.agent_leg), str(error)
        except PbxError as error:
            outcome, detail = Outcome.FAILED, str(error)
        return LeaveFinished(
            **self._desk.stamp(), action=action.id, handoff=action.handoff, outcome=outcome, detail=detail
        )

    async def _leave(self, action: Leave) -> Went:
        desk = self._desk
        bridge = desk.tracker.bridge_of(action.agent_leg)
        try:
            legs = await desk.legs_on_pbx(bridge) if bridge is not None else frozenset()
        except PbxTimeoutError as error:
            raise PbxError("GET /bridges", f"nothing was done: {error.detail}") from None
        if not {action.caller, action.agent_leg, action.colleague_leg} <= legs:
            return Outcome.REFUSED, "caller, agent and colleague do not share a bridge now"
        with desk.news_of(action.agent_leg) as news:
            await desk.ami.send("Hangup", Channel=action.agent_leg)
            return await self._left(news, action.caller, action.agent_leg)
