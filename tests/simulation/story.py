"""What people do in a run, drawn from the seed; then the faults stop, time passes, and everybody goes home."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from adapters.simulator.parts import Leg
from policies import events as ev
from policies.model import AgentId, CallId, Source
from tests.simulation import site
from tests.simulation.simulation import Simulation

SETTLED_S = 120.0
LONGEST_S = 4800.0
_HTTP = (Source.HTTP, Source.COMMAND, Source.ACTION_URL)


class Story:
    """Draws one thing after the other and lets it happen."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.rng = sim.rng
        self.tasks: set[asyncio.Task[None]] = set()
        self._foreign_pauses = 0
        self._jumps = [0.0]

    async def tell(self) -> None:
        """Play the whole run."""
        sim, rng = self.sim, self.rng
        sim.start_service()
        until = sim.now + rng.uniform(200.0, 800.0)
        while sim.now < until:
            await asyncio.sleep(rng.expovariate(1 / 2.5))
            self._keep_service()
            happens, weights = zip(*self._may_happen(), strict=True)
            rng.choices(happens, weights)[0]()
        await self._calm_down()
        await self._go_home()

    def _keep_service(self) -> None:
        """A killed service is started again, sooner or later; and killed at some time, whatever it is doing."""
        sim = self.sim
        if sim.process is not None and not sim.process.is_alive and self.rng.random() < 0.3:
            sim.start_service()
        elif sim.faults.kills and sim.process is not None and self.rng.random() < 0.01:
            sim.process.kill()

    def _may_happen(self) -> list[tuple[Callable[[], None], float]]:
        faults = self.sim.faults
        return [
            (self._new_caller, 6.0),
            (self._direct_call, 1.0),
            (self._abused_agent, 5.0),
            (self._any_key, 8.0),
            (self._acute_during_ending, 1.5),
            (self._hold, 2.0),
            (self._mute, 2.0),
            (self._caller_hangs_up, 1.5),
            (self._agent_hangs_up, 1.0),
            (self._transfer, 1.5),
            (self._consult, 1.0),
            (self._unseen_transfer, 1.5 * faults.events),
            (self._foreign_pause, 1.0),
            (self._foreign_unpause, 0.7),
            (self._chief_acts, 1.0),
            (self._reload, 0.4),
            (self._phone_manners, 1.0),
            (lambda: self.sim.cut_network(self.rng.uniform(0.5, 40.0)), 0.5 * faults.network),
            (lambda: self.sim.kill_pbx(self.rng.uniform(1.0, 30.0)), 0.4 * faults.pbx),
            (lambda: self.sim.stall_store(self.rng.uniform(0.5, 30.0)), 0.5 * faults.store),
            (self._jump, 0.4 * faults.clock),
            (self._deafen, 2.0 * faults.media),
        ]

    # --- callers and agents ---------------------------------------------------------------------------------

    def _talking(self) -> list[AgentId]:
        return [AgentId(a) for a in site.AGENTS if self.sim.world.talks_with(AgentId(a))]

    def _callers(self) -> list[Leg]:
        return [leg for leg in self.sim.world.callers() if leg.bridge is not None]

    def _new_caller(self) -> None:
        if self.sim.world.is_running and len(self.sim.world.callers()) < 6:
            language = self.rng.choice(("da", "en"))
            leg = self.sim.people.calls(f"+4520{self.rng.randrange(10**6):06d}", self.rng.choice(site.QUEUES), language)
            self.sim.ears[leg.id] = leg.phone.heard
            self.sim.say(f"caller {leg.id} {leg.queue} {language}")

    def _direct_call(self) -> None:
        talking = [a for a in self._talking() if len(self.sim.world.legs_of(a)) < 2]
        if self.sim.world.is_running and talking:
            leg = self.sim.people.calls_directly("+4530", self.rng.choice(talking), "da")
            self.sim.ears[leg.id] = leg.phone.heard
            self.sim.say(f"direct-caller {leg.id}")

    def _abused_agent(self) -> None:
        talking = self._talking()
        if talking:
            self._go_on(self._warns_and_ends(self.rng.choice(talking)))

    async def _warns_and_ends(self, agent: AgentId) -> None:
        """Warn, wait about long enough, end; people are hasty, and press twice."""
        key = site.KEYS[self.rng.choice(("warn", "warn", "warn", "sexual", "repeat", "spam"))]
        for _ in range(self.rng.choice((2, 2, 3, 4))):
            source = self.rng.choice((*_HTTP, Source.CODE, Source.CODE, Source.SPEED_DIAL))
            late_s = self.rng.choice((0.0, 0.0, 0.0, 0.3, 8.0))
            self.sim.press(agent, key, source, late_s=late_s)
            if self.rng.random() < 0.15:
                await asyncio.sleep(self.rng.uniform(0.0, 0.8))
                self.sim.press(agent, key, source)
            await asyncio.sleep(self.rng.choice((9.0, 9.0, 9.5, self.rng.uniform(0.1, 15.0))))
            if self.rng.random() < 0.2:
                key = site.KEYS["end"]

    def _any_key(self) -> None:
        talking = self._talking()
        agents = talking if talking and self.rng.random() < 0.9 else [AgentId(a) for a in site.AGENTS]
        name = self.rng.choice((*site.KEYS, "end", "colleague", "mark"))
        if name == "back" and self.rng.random() < 0.6:
            name = "warn"
        source = self.rng.choice((*_HTTP, Source.CODE, Source.CODE, Source.SPEED_DIAL))
        self.sim.press(self.rng.choice(agents), site.KEYS[name], source)

    def _acute_during_ending(self) -> None:
        """The flag that matters most comes while a warning or a closing runs."""
        presses = [p for p in self.sim.run.presses[-8:] if p.meant and self.sim.now - p.at < 12.0]
        if presses:
            name = self.rng.choice(("suicide", "threat"))
            self.sim.press(self.rng.choice(presses).agent, site.KEYS[name], self.rng.choice(_HTTP))

    def _hold(self) -> None:
        for leg in self.rng.sample(self._callers(), min(1, len(self._callers()))):
            self.sim.people.holds(leg, held=not leg.held)

    def _mute(self) -> None:
        legs = [leg for agent in self._talking() for leg in self.sim.world.legs_of(agent)]
        if legs:
            leg = self.rng.choice(legs)
            self.sim.people.mutes(leg, muted=not leg.muted)

    def _deafen(self) -> None:
        if self._callers():
            leg = self.rng.choice(self._callers())
            self.sim.people.deafens(leg, deaf=not leg.deaf)

    def _caller_hangs_up(self) -> None:
        if self.sim.world.callers():
            leg = self.rng.choice(self.sim.world.callers())
            self.sim.say(f"caller-hangs-up {leg.id}")
            self.sim.people.hangs_up(leg)

    def _agent_hangs_up(self) -> None:
        if self._talking():
            agent = self.rng.choice(self._talking())
            self.sim.say(f"agent-hangs-up {agent}")
            self.sim.people.hangs_up(self.rng.choice(self.sim.world.legs_of(agent)))

    def _transfer(self) -> None:
        if self._talking():
            agent = self.rng.choice(self._talking())
            to = AgentId(self.rng.choice(site.AGENTS))
            caller = self.rng.choice(self.sim.world.talks_with(agent))
            if self.sim.people.transfers(agent, caller, to):
                self.sim.say(f"transfers {caller.id} {agent} to {to}")

    def _unseen_transfer(self) -> None:
        """The caller goes to somebody else, nobody tells the service, and a key is pressed that meant this call."""
        sim, rng = self.sim, self.rng
        if self._talking() and sim.link is not None:
            sim.link.fall_silent(rng.uniform(0.5, 3.0))
            agent = rng.choice(self._talking())
            to = rng.choice([AgentId(a) for a in site.AGENTS if a != agent])
            if sim.people.transfers(agent, rng.choice(sim.world.talks_with(agent)), to):
                sim.say(f"transfers from {agent} to {to}, unseen")
                sim.press(agent, site.KEYS[rng.choice(("warn", "spam"))], rng.choice(_HTTP))

    def _consult(self) -> None:
        if self._talking():
            self._go_on(self._hands_over(self.rng.choice(self._talking()), AgentId(self.rng.choice(site.AGENTS))))

    async def _hands_over(self, agent: AgentId, other: AgentId) -> None:
        theirs = self.sim.people.consults(agent, other)
        if theirs is None:
            return
        self.sim.say(f"consults {agent} {other}")
        await asyncio.sleep(self.rng.uniform(0.5, 10.0))
        if theirs.is_up and self.sim.people.hands_over(agent, theirs):
            self.sim.say(f"hands-over {agent} to {other}")

    def _phone_manners(self) -> None:
        phone = self.sim.world.phones[self.rng.choice(list(self.sim.world.phones))]
        phone.answers_after_s = self.rng.choice((None, self.rng.uniform(0.2, 7.0), self.rng.uniform(0.2, 7.0)))
        phone.confirms_after_s = self.rng.choice((None, 1.0, 1.0))

    # --- chiefs, admins, clocks -----------------------------------------------------------------------------

    def _foreign_pause(self) -> None:
        member = self.rng.choice(list(self.sim.world.queues.members.values()))
        if self.sim.world.is_running and not member.paused:
            self._foreign_pauses += 1
            self._set(member.agent, member.queue, reason=f"{site.FOREIGN}{self._foreign_pauses}")

    def _foreign_unpause(self) -> None:
        paused = [m for m in self.sim.world.queues.members.values() if m.paused]
        if paused and self.sim.world.is_running:
            member = self.rng.choice(paused)
            self._set(member.agent, member.queue, reason="")

    def _set(self, agent: AgentId, queue: str, *, reason: str) -> None:
        self.sim.say(f"somebody-{'' if reason else 'un'}pauses {agent} {queue} {reason}")
        world = self.sim.world
        world.note("by hand", agent, "admin", f"{queue}|{reason}")
        world.queues.put(agent, queue, paused=bool(reason), reason=reason)

    def _chief_acts(self) -> None:
        engine = self.sim.engine
        if engine is None or not self.sim.is_serving:
            return
        guards, breaks = list(engine.state.guards), list(engine.state.breaks.values())
        what = self.rng.choice(("latch", "latch", "break", "drill"))
        if what == "latch" and guards:
            call, by = CallId(self.rng.choice(guards)), self.rng.choice(("olga", "per"))
            self.sim.run.agreed.append((self.sim.now, call, by))
            engine.take(ev.LatchAgreed(**engine.stamp(), call=call, by=by))
        elif what == "break" and breaks and self.rng.random() < 0.3:
            break_ = self.rng.choice(breaks)
            self.sim.run.ended_breaks.append((self.sim.now, break_.agent))
            self.sim.say(f"break-ended-by-hand {break_.agent}")
            engine.take(ev.BreakEnded(**engine.stamp(), break_id=break_.id, by="olga"))
        elif what == "drill" and self.rng.random() < 0.3:
            engine.take(ev.PageOpened(**engine.stamp(), plan="acute", incident="drill", reason="drill"))

    def _reload(self) -> None:
        self.sim.reload(self.rng.choice(("1", "2")))

    def _jump(self) -> None:
        by = timedelta(seconds=self.rng.choice((-1200.0, -30.0, 2.0, 45.0, 1200.0)))
        self.sim.clock.jumped += by
        self._jumps.append(self.sim.clock.jumped.total_seconds())
        self.sim.run.clock_spread_s = max(self._jumps) - min(self._jumps)
        self.sim.say(f"clock-jumps {by.total_seconds()}")

    # --- the end --------------------------------------------------------------------------------------------

    def _go_on(self, does: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(does)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _calm_down(self) -> None:
        """The faults stop, the service is started, the wire is whole: from here on everything must come right."""
        sim = self.sim
        for task in tuple(self.tasks):
            task.cancel()
        sim.faults.stop()
        sim.clock.jumped = timedelta(0)
        await asyncio.sleep(45.0)
        if sim.process is not None:
            sim.process.kill()
        await asyncio.sleep(5.0)
        sim.start_service()
        for leg in sim.world.callers():
            sim.people.deafens(leg, deaf=False)
        await asyncio.sleep(SETTLED_S)
        sim.look_while_calm()

    async def _go_home(self) -> None:
        sim = self.sim
        for leg in sim.world.callers():
            sim.people.hangs_up(leg)
        # A break that was taken while the service's clock was ahead lasts so much longer once the clock is right.
        await asyncio.sleep(LONGEST_S + sim.run.clock_spread_s)
        sim.run.over_at = sim.now
        if sim.process is not None:
            sim.process.kill()
        await asyncio.sleep(1.0)
