"""The scripted shift: five stories. Each waits for what really happened, and says at its end which promise was kept.

What callers say is acted. Everything else that is told comes from the simulated PBX's record, from the phones of those
on call, or from the service's own decisions.
"""

from collections.abc import Mapping
from datetime import datetime

from adapters.demo.cues import Cues
from adapters.demo.stage import QUEUE
from adapters.paging.mqtt_codec import PersonPage
from adapters.simulator.parts import SERVICE, Leg, Place
from policies import events as ev
from policies.guards import CallState
from policies.model import AgentId
from policies.reasons import Reason

IDA, JONAS, KARLA = AgentId("ida"), AgentId("jonas"), AgentId("karla")


class Shift(Cues):
    """The five stories, one after the other; later ones go on with the people of earlier ones."""

    async def run(self) -> None:
        """Tell all of it.

        Raises:
            DemoError: something that was promised did not happen.
        """
        self._people()
        await self._ordinary()
        waiting, other = await self._abuse()
        await self._take_over(waiting, other)
        agent = await self._acute()
        await self._death(agent)

    def _people(self) -> None:
        people = self.stage.people
        for name in (IDA, JONAS):
            people.agent(name, QUEUE, answers_after_s=1.0)
        people.phone("PJSIP/mette", answers_after_s=2.0)
        self.stage.chronicle.introduce("PJSIP/mette", "Mette (chief)")

    # --- 1 --------------------------------------------------------------------------------------------------

    async def _ordinary(self) -> None:
        s = self.stage
        self.heading(1, "an ordinary call", "Bagvagt stands beside the telephone system and keeps out of calls.")
        caller = s.call("citizen", "+4520101017")
        await s.answered(caller)
        s.says(caller, "Good evening. Until when can I hand in the form?")
        await s.time.sleep(3)
        s.people.hangs_up(caller)
        await s.time.sleep(1)
        s.kept(
            "Bagvagt did nothing: no line of the telephone system's record has its name, nothing was written down.",
            is_kept=not s.touched(caller) and not s.decisions.actions,
        )

    # --- 2 --------------------------------------------------------------------------------------------------

    async def _abuse(self) -> tuple[Leg, Leg]:
        """Returns the caller who talks with Ida at its end, and another one who talks with Jonas."""
        s = self.stage
        self.heading(2, "the right to hang up, after a warning", "One key: first it warns, then it ends the call.")
        caller = s.call("rude caller", "+4520101066")
        agent = await s.answered(caller)
        mine = next(leg for leg in s.world.legs_of(agent) if leg.bridge is not None)
        s.says(caller, "Are you stupid, or do they pay you to be useless?")
        await s.time.sleep(2)
        await self._warn(caller, mine, agent)
        refused = await self.answer(agent, "warn", Reason.WAIT)
        s.says(caller, "You can stick your warning …")
        await s.time.sleep(refused.wait_s + 0.2)
        await self.answer(agent, "warn", Reason.ENDING)
        await s.until(lambda: not mine.is_up, f"{agent} is let go")
        s.kept("The agent is free while the caller still hears the closing.", is_kept=caller.place is Place.CLOSING)
        await s.until(lambda: self.paused(agent), f"{agent} is paused")
        await s.time.sleep(1)
        next_caller = s.call("second caller", "+4520101021")
        other = await s.answered(next_caller)
        s.kept(f"The queue gave the next call to {other.capitalize()}.", is_kept=other != agent)
        await s.until(lambda: not caller.is_up, "the rude caller is disconnected")
        s.kept(
            "The rude caller heard the whole warning and the whole closing before the line went dead.",
            is_kept=caller.cause == "closing" and s.heard_whole(caller, "warning") and s.heard_whole(caller, "closing"),
        )
        return await self._break_ends(agent), next_caller

    async def _warn(self, caller: Leg, mine: Leg, agent: AgentId) -> None:
        s = self.stage
        await self.answer(agent, "warn", Reason.WARNING_STARTED)
        await s.until(
            lambda: s.heard_whole(caller, "warning") and s.heard_whole(mine, "warning"), "both hear the warning"
        )
        await s.until(
            lambda: any(isinstance(e, ev.AnnouncementFinished) for e in s.decisions.events), "there is evidence"
        )
        s.says(caller, "Oh, now I am scared!")

    async def _break_ends(self, agent: AgentId) -> Leg:
        s = self.stage
        waiting = s.call("third caller", "+4520101033")
        name = agent.capitalize()
        await s.time.sleep(1)
        s.narrator.line("PBX", f"The third caller waits: {self.why_nobody()}.")
        await s.until(lambda: not self.paused(agent), f"{name}'s break ends", 30)
        served = await s.answered(waiting)
        s.kept(f"{name}'s phone rang only when the break was over; nobody had to ask.", is_kept=served == agent)
        return waiting

    # --- 3 --------------------------------------------------------------------------------------------------

    async def _take_over(self, caller: Leg, earlier: Leg) -> None:
        s = self.stage
        self.heading(3, "one key to a colleague", "The caller is never alone: the agent stays until somebody is there.")
        s.people.hangs_up(earlier)
        s.people.agent(KARLA, QUEUE)  # and Karla is away from her desk
        agent = await s.answered(caller)
        mine = next(leg for leg in s.world.legs_of(agent) if leg.bridge is not None)
        s.says(caller, "My case is with you since May, and it is your fault!")
        await s.time.sleep(2)
        await self.answer(agent, "colleague", Reason.RINGING)
        await s.until(lambda: self.told(Reason.JOINED) is not None, "a colleague joins", 30)
        await s.until(lambda: not mine.is_up, f"{agent} leaves")
        taker = await s.answered(caller)
        s.says(taker, "Good evening, I take over here. What can I do for you?")
        await s.time.sleep(3)
        rung = [s.chronicle.name(r.leg) for r in s.world.history if r.what == "rung in"]
        moved = [r for r in s.world.history if r.what == "bridged" and r.leg == caller.id]
        s.kept(
            f"{rung[0]} did not answer, {rung[-1]} did, and was briefed; the caller was never moved or left alone.",
            is_kept=rung[0] != rung[-1] == taker.capitalize() and len(moved) == 1 and not s.touched(caller),
        )
        s.people.hangs_up(caller)
        s.world.phones[f"PJSIP/{KARLA}"].answers_after_s = 1.0

    # --- 4 --------------------------------------------------------------------------------------------------

    async def _acute(self) -> AgentId:
        s = self.stage
        self.heading(
            4,
            "an acute call, at night",
            "No key ends it. The office is closed, so its rung is skipped: those on call are told, until one answers.",
        )
        caller = s.call("desperate caller", "+4520101054")
        agent = await s.answered(caller)
        s.says(caller, "I can't go on. I have the pills here in front of me.")
        await s.time.sleep(2)
        await self.answer(agent, "suicide", Reason.ACUTE)
        await self.shown("anna")
        await s.until(lambda: len(s.texts) > 0, "Anna gets an SMS")
        s.says(agent, "I am here. I stay with you. Tell me where you are.")
        await s.time.sleep(2)
        told = await self.answer(agent, "warn", Reason.LATCHED)
        s.kept(
            "In an acute call the key that warns and ends does neither.",
            is_kept=told.rule.endswith(".latched") and not s.touched(caller),
        )
        await self.shown("bo")
        page = await self.shown("mette")
        await s.time.sleep(2)
        await s.phones.take(page, "mette")
        for person in ("anna", "bo"):
            await s.until(lambda who=person: self.knows(who), f"{person} is told who has it")  # type: ignore[misc]
        s.kept(
            "Unanswered, the alarm went up two rungs; sent and delivered did not count, Mette's answer did.",
            is_kept=self.went_up_and_was_answered(),
        )
        await s.time.sleep(2)
        s.says(caller, "There is somebody at the door. I'll open. Thank you.")
        s.people.hangs_up(caller)
        await s.until(lambda: self.paused(agent), f"{agent} is paused")
        s.kept("The call ended when the caller wanted, by nobody else.", is_kept=caller.cause == "caller")
        return agent

    # --- 5 --------------------------------------------------------------------------------------------------

    async def _death(self, on_break: AgentId) -> None:
        s = self.stage
        self.heading(5, "the service dies", "In the middle of a break, an acute call and an unanswered alarm.")
        threat, other = s.call("threatening caller", "+4520101098"), s.call("quiet caller", "+4520101012")
        agent, helper = await s.answered(threat), await s.answered(other)
        s.says(threat, "I know when your shift ends. I'll be waiting outside.")
        await s.time.sleep(1)
        since = len(s.shown)
        await self.answer(agent, "threat", Reason.ACUTE)
        first = await self.shown("anna", since)
        await s.time.sleep(1)
        state = s.service.engine.state
        breaks = {b.agent: b.until for b in state.breaks.values()}
        s.narrator.line("Bagvagt", "KILLED. Of all that it knew, what its journal had on the disk is left.")
        await s.kill(s.folder / "second")
        s.people.hangs_up(other)
        newcomer = s.call("new caller", "+4520101077")
        await self._without_service(threat, newcomer, helper)
        await s.begin(s.folder / "second")
        await self._back(threat, agent, on_break, breaks, first)

    async def _without_service(self, threat: Leg, newcomer: Leg, helper: AgentId) -> None:
        s = self.stage
        await s.time.sleep(6)  # an open screen notices within five
        s.kept(
            f"Without Bagvagt calls go on, and {helper.capitalize()} has got a new one.",
            is_kept=threat.bridge is not None and s.agent_of(newcomer) == helper,
        )

    async def _back(
        self, threat: Leg, agent: AgentId, on_break: AgentId, breaks: Mapping[AgentId, datetime], first: PersonPage
    ) -> None:
        s = self.stage
        state = s.service.engine.state
        guard = state.guards.get(s.world.shown(threat).id)
        s.narrator.line("Bagvagt", "Started again: reads its journal, then the telephone system.")
        s.kept(
            f"Nothing is lost: {on_break.capitalize()}'s break ends when it was to end, the alarm is open, "
            "the call is still acute.",
            is_kept={b.agent: b.until for b in state.breaks.values()} == breaks
            and state.pages[first.page].is_open
            and guard is not None
            and guard.state is CallState.ACUTE,
        )
        since, tells = len(s.shown), len(s.decisions.tells)
        await self.answer(agent, "warn", Reason.LATCHED)
        page = await self.shown("bo", since)
        await s.time.sleep(1)
        await s.phones.take(page, "bo")
        await s.until(lambda: not s.service.engine.state.pages[first.page].is_open, "the alarm is answered")
        s.says(threat, "Fine. Fine! Forget it.")
        s.people.hangs_up(threat)
        await s.until(lambda: not self.paused(on_break), f"{on_break}'s break ends", 40)
        await s.until(lambda: self.told(Reason.BREAK_OVER, tells) is not None, f"{on_break} is told")
        lifted = next(r for r in reversed(s.world.history) if r.what == "unpaused" and r.leg == on_break)
        s.kept(
            "The alarm went on to its next rung, and the break ended by itself, as if nothing had been.",
            is_kept=lifted.by == SERVICE and page.page == first.page,
        )
