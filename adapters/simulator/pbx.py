"""The simulated PBX as a port: the same procedures as on a real one, step by step over a wire that may fail."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from adapters.simulator.dialplan import Dialplan
from adapters.simulator.following import Follower
from adapters.simulator.link import Link
from adapters.simulator.page_calls import SimulatedCaller
from adapters.simulator.parts import PACKETS_PER_S, SERVICE
from adapters.simulator.world import SimWorld
from policies import actions as act
from policies import events as ev
from policies.events import Played
from policies.model import AgentId, Candidate, LegId, LiveCall, Member, Outcome
from telephony.errors import PbxError, PbxTimeoutError, PbxUnreachableError
from telephony.ports import Clock, Seen

HEARD_SHARE = 0.95  # of a prompt's packets must have gone to the caller's leg
LOOK_AGAIN_S = 1.0
RETRIEVE_FOR_S = 60.0
GONE = "gone"  # how a play ends whose voice somebody else took out of the call


class SimulatedPbx:
    """Fits `telephony.ports.Pbx` over a `SimWorld`.

    Attributes:
        world: the PBX's own truth; nothing is read from it but over the link.
        link: the wire.
        page_calls: rings people for pages (`adapters.paging.voice_call.Caller`).
    """

    def __init__(self, world: SimWorld, clock: Clock, link: Link | None = None) -> None:
        self.world = world
        self.link = link or Link(world)
        self._dialplan = Dialplan(world)
        self._follower = Follower(world, clock, self.link)
        self._seen = self._follower.seen
        self._ends = self._follower.ends
        self._stamp = self._follower.stamp
        self.page_calls = SimulatedCaller(world, self.link, self._follower)
        self._since = clock.now()
        self._to_stop: set[str] = set()

    async def run(self, emit: Callable[[Seen], None]) -> None:
        """Connect, follow, reconnect, until cancelled."""
        await self._follower.run(emit)

    def calls_of(self, agent: AgentId) -> tuple[LiveCall, ...]:
        """Return the agent's live calls with callers, from what was seen; no I/O."""
        mine = {leg.id for leg in self.world.legs_of(agent)}  # whose a leg is never changes, so it may be asked here
        return self._seen.calls_of(agent, mine)

    def last_call_of(self, agent: AgentId) -> tuple[LiveCall, datetime] | None:
        """Return the call that the agent left last, and when."""
        return self._seen.last_call_of(agent)

    def candidates(self) -> tuple[Candidate, ...]:
        """Return every queue member with the time since which it is free."""
        return self._seen.candidates(self._since)

    # --- announcements --------------------------------------------------------------------------------------

    async def announce(self, action: act.Announce) -> ev.AnnouncementFinished:
        """Play into the live call, heard by both, and measure the caller's leg."""
        end = self._ends[action.id] = asyncio.get_running_loop().create_future()
        try:
            played, packets, play_s, detail = await self._announce(action, end)
        except PbxUnreachableError as error:
            played, packets, play_s, detail = Played.FAILED, 0, 0.0, str(error)
        except PbxTimeoutError as error:
            played, packets, play_s, detail = Played.UNKNOWN, 0, 0.0, str(error)
        finally:
            self._ends.pop(action.id, None)
            self._to_stop.discard(action.id)
        return ev.AnnouncementFinished(
            **self._stamp(),
            action=action.id,
            call=action.call,
            caller=action.caller,
            played=played,
            packets=packets,
            play_s=play_s,
            detail=detail,
        )

    async def _announce(self, action: act.Announce, end: "asyncio.Future[str]") -> tuple[Played, int, float, str]:
        seen = self._seen.calls.get(action.caller)
        agent_leg = seen.agent_leg if seen is not None else None
        if agent_leg is None or not await self.link.ask(
            "bridge", lambda: self.world.share_bridge(action.caller, agent_leg)
        ):
            return Played.FAILED, 0, 0.0, "the caller stands elsewhere"
        before = await self.link.ask("statistics", lambda: self._media_of(action.caller))
        if action.id in self._to_stop:
            return Played.STOPPED, 0, 0.0, ""

        def play() -> float | None:
            return self._dialplan.announce(action.id, action.caller, action.prompt, action.language)

        length_s = await self.link.ask("play", play)
        if length_s is None or before is None:
            return Played.FAILED, 0, 0.0, "the PBX does not play it"
        if action.id in self._to_stop:
            await self._stop(action.id)
        how = await self._wait(end, length_s + LOOK_AGAIN_S)
        if how == GONE and action.id not in self._to_stop:
            return Played.NOT_HEARD, 0, length_s, "the voice is gone"
        if how not in ("done", ""):
            asked = action.id in self._to_stop
            played = Played.UNKNOWN if how == "lost" else Played.STOPPED if asked else Played.FAILED
            return played, 0, length_s, how
        after = await self.link.ask("statistics", lambda: self._media_of(action.caller))
        if after is None or after[0] != before[0]:
            return Played.FAILED, 0, length_s, "the caller stands elsewhere now"
        packets = round(after[1] - before[1])
        enough = packets >= HEARD_SHARE * length_s * PACKETS_PER_S
        return Played.HEARD if enough else Played.NOT_HEARD, packets, length_s, ""

    def _media_of(self, caller: LegId) -> tuple[str, float] | None:
        self.world.settle()
        leg = self.world.legs.get(caller)
        return (leg.bridge.id, leg.packets) if leg is not None and leg.bridge is not None else None

    async def stop_announcement(self, action: act.StopAnnouncement) -> ev.ActionFinished:
        """Silence a running announcement at once."""
        if action.announcement in self._ends:
            self._to_stop.add(action.announcement)
        return await self._simply(action, lambda: self._stop(action.announcement))

    async def _stop(self, play: str) -> bool:
        return await self.link.ask("stop", lambda: self.world.media.stop(play))

    # --- ending ---------------------------------------------------------------------------------------------

    async def release(self, action: act.Release, still_permitted: Callable[[], bool]) -> ev.ReleaseFinished:
        """Carry out a permit; see the port."""
        permit = action.permit
        outcome, detail = await self._release(permit.caller, permit.agent_leg, action, still_permitted)
        return ev.ReleaseFinished(
            **self._stamp(), action=action.id, call=permit.call, permit=permit.id, outcome=outcome, detail=detail
        )

    async def _release(
        self, caller: LegId, agent_leg: LegId, action: act.Release, still_permitted: Callable[[], bool]
    ) -> tuple[Outcome, str]:
        permit = action.permit
        try:
            together = await self.link.ask("bridge", lambda: self.world.share_bridge(caller, agent_leg))
        except PbxError as error:
            return Outcome.FAILED, str(error)
        if not together or not still_permitted():
            return Outcome.REFUSED, "not together" if not together else "latched"
        try:
            sent = await self.link.ask("redirect", lambda: self._close(permit.caller, permit.closing, permit.language))
        except PbxUnreachableError as error:
            return Outcome.FAILED, str(error)
        except PbxTimeoutError as error:
            return await self._look_whether_released(caller, agent_leg), str(error)
        if not sent:
            return Outcome.FAILED, "the caller is gone"
        with suppress(PbxError):  # with a third one in the bridge the agent's leg stays
            await self.link.ask("hang up", lambda: self._dialplan.hang_up(agent_leg))
        return Outcome.DONE, ""

    def _close(self, caller: LegId, closing: str, language: str) -> bool:
        return self._dialplan.close(caller, closing, language)

    async def _look_whether_released(self, caller: LegId, agent_leg: LegId) -> Outcome:
        """The reply was lost: look, and never send again. Still together proves nothing: it may be on its way."""
        await self.world.time.sleep(LOOK_AGAIN_S)
        with suppress(PbxError):
            if not await self.link.ask("bridge", lambda: self.world.share_bridge(caller, agent_leg)):
                return Outcome.DONE
        return Outcome.UNKNOWN

    async def retrieve(self, action: act.Retrieve) -> ev.ActionFinished:
        """Stop a closing message and ring the agent back; asked again until the PBX answers, since it is the same."""
        tries = round(RETRIEVE_FOR_S / LOOK_AGAIN_S)
        for _ in range(tries):
            try:
                back = await self.link.ask("back", lambda: self._dialplan.bring_back(action.caller, action.agent))
            except PbxError:
                await self.world.time.sleep(LOOK_AGAIN_S)
                continue
            return self._finished(action, Outcome.DONE if back else Outcome.FAILED, "" if back else "caller gone")
        return self._finished(action, Outcome.UNKNOWN, "no answer")

    # --- handoff --------------------------------------------------------------------------------------------

    async def ring(self, action: act.Ring) -> ev.ColleagueJoined | ev.ColleagueMissed:
        """Ring one person, brief them, join them to the caller's bridge."""
        leg = LegId(f"ring-{action.id}")
        end = self._ends[leg] = asyncio.get_running_loop().create_future()
        try:
            detail = await self._ring(action, leg, end)
        except PbxError as error:
            detail = str(error)
        finally:
            self._ends.pop(leg, None)
        if detail == "joined":
            return ev.ColleagueJoined(**self._stamp(), action=action.id, handoff=action.handoff, leg=leg)
        return ev.ColleagueMissed(**self._stamp(), action=action.id, handoff=action.handoff, detail=detail)

    async def _ring(self, action: act.Ring, leg: LegId, end: "asyncio.Future[str]") -> str:
        target = action.target

        def originate() -> bool:
            return self._dialplan.rung_in(
                leg,
                target.endpoint,
                action.caller,
                action.ring_s,
                action.brief,
                action.language,
                confirm=target.confirm,
            )

        with suppress(PbxTimeoutError):  # the leg's id is ours: it can be looked for
            if not await self.link.ask("originate", originate):
                return "busy, or no such phone"
        while True:
            how = await self._wait(end, LOOK_AGAIN_S)
            if how:
                return how
            stands = await self.link.ask("leg", lambda: self._rung(leg))
            if stands:
                return stands

    def _rung(self, leg_id: LegId) -> str:
        leg = self.world.legs.get(leg_id)
        if leg is None:
            return "gone"
        return "joined" if leg.bridge is not None else ""

    async def stop_ringing(self, action: act.StopRinging) -> ev.ActionFinished:
        """Hang up a leg that is being rung or briefed; never one that has joined."""
        leg = LegId(f"ring-{action.ring}")
        return await self._simply(action, lambda: self.link.ask("hang up", lambda: self._dialplan.hang_up_rung(leg)))

    async def leave(self, action: act.Leave) -> ev.LeaveFinished:
        """Hang up the agent's leg, if the caller and the colleague share its bridge."""
        outcome, detail = Outcome.REFUSED, ""
        try:
            if await self.link.ask("bridge", lambda: self._all_together(action)):
                await self.link.ask("hang up", lambda: self._dialplan.hang_up(action.agent_leg))
                outcome = Outcome.DONE
        except PbxUnreachableError as error:
            outcome, detail = Outcome.FAILED, str(error)
        except PbxTimeoutError as error:
            outcome, detail = Outcome.UNKNOWN, str(error)
        return ev.LeaveFinished(
            **self._stamp(), action=action.id, handoff=action.handoff, outcome=outcome, detail=detail
        )

    def _all_together(self, action: act.Leave) -> bool:
        world = self.world
        return world.share_bridge(action.caller, action.colleague_leg) and world.share_bridge(
            action.caller, action.agent_leg
        )

    # --- pauses, tones --------------------------------------------------------------------------------------

    async def pause(self, action: act.Pause) -> ev.PauseFinished:
        """Pause the agent in every queue where no pause stands."""
        foreign: tuple[str, ...] = ()
        try:
            for member in await self._members(action.agent):
                if not member.paused:
                    await self._set_pause(member, action.reason, paused=True)
            stand = await self._members(action.agent)
            foreign = tuple(sorted(m.queue for m in stand if m.paused and m.reason != action.reason))
            outcome = Outcome.DONE if stand and all(m.paused for m in stand) else Outcome.REFUSED
        except PbxUnreachableError:
            outcome = Outcome.FAILED
        except PbxTimeoutError:
            outcome = Outcome.UNKNOWN
        return ev.PauseFinished(
            **self._stamp(), action=action.id, break_id=action.break_id, outcome=outcome, foreign=foreign
        )

    async def unpause(self, action: act.Unpause) -> ev.UnpauseFinished:
        """Lift the pauses whose reason is ours; DONE when none of ours stands."""
        try:
            for member in await self._members(action.agent):
                if member.paused and member.reason == action.reason:
                    await self._set_pause(member, action.reason, paused=False)
            left = [m for m in await self._members(action.agent) if m.paused and m.reason == action.reason]
            outcome = Outcome.FAILED if left else Outcome.DONE
        except PbxUnreachableError:
            outcome = Outcome.FAILED
        except PbxTimeoutError:
            outcome = Outcome.UNKNOWN
        return ev.UnpauseFinished(**self._stamp(), action=action.id, break_id=action.break_id, outcome=outcome)

    async def _members(self, agent: AgentId) -> list[Member]:
        return await self.link.ask("members", lambda: [m.shown() for m in self.world.queues.of(agent)])

    async def _set_pause(self, member: Member, reason: str, *, paused: bool) -> bool:
        def do() -> bool:
            return self._dialplan.set_pause(member.agent, member.queue, paused=paused, reason=reason, by=SERVICE)

        return await self.link.ask("pause", do)

    async def signal(self, action: act.Tell) -> ev.ActionFinished:
        """Let the agent alone hear the verdict's short tone, where the agent has a leg."""
        leg = action.agent_leg
        if leg is None:
            return self._finished(action, Outcome.DONE, "no leg")
        tone = lambda: self._dialplan.tone(leg, action.verdict.value)  # noqa: E731 -- one command
        return await self._simply(action, lambda: self.link.ask("tone", tone))

    # --- ends of actions ------------------------------------------------------------------------------------

    async def _wait(self, end: "asyncio.Future[str]", for_s: float) -> str:
        """Return how it ended; "" when that was not heard of in time."""
        done, _ = await asyncio.wait({end}, timeout=self.world.time.real_s(for_s))
        return end.result() if done else ""

    async def _simply(self, action: act.Action, do: Callable[[], Any]) -> ev.ActionFinished:
        try:
            done = await do()
        except PbxUnreachableError as error:
            return self._finished(action, Outcome.FAILED, str(error))
        except PbxTimeoutError as error:
            return self._finished(action, Outcome.UNKNOWN, str(error))
        return self._finished(action, Outcome.DONE if done else Outcome.FAILED, "")

    def _finished(self, action: act.Action, outcome: Outcome, detail: str) -> ev.ActionFinished:
        return ev.ActionFinished(**self._stamp(), action=action.id, outcome=outcome, detail=detail)
