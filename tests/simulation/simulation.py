"""One run: a world, a service that is killed and started again, people who do things, and faults."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from adapters.simulator.parts import CallGone, CallShown, Notice, Sound
from adapters.simulator.pbx import SimulatedPbx
from adapters.simulator.people import People
from adapters.simulator.timing import LoopTime
from adapters.simulator.world import SimWorld
from policies import actions as act
from policies.model import AgentId, KeyUse, LegId, Source
from policies.rules import Policy, Rules
from telephony.engine import Engine
from tests.simulation import site
from tests.simulation.faults import Carriers, FakePager, Faults, FaultyLink
from tests.simulation.process import START, Disk, FakeJournal, Process, WallClock


@dataclass
class Press:
    """A key that a person pressed, with the world's truth at that instant.

    Attributes:
        at: the loop's time.
        agent: who.
        key: which.
        leg: the leg it was pressed in, for a feature code.
        talks: every caller the agent was connected with.
        meant: the one caller that an onlooker would say the key was for; "" when nobody could say.
        answer: what the agent was told, for keys whose answer comes back.
        late: it took long to arrive.
        by_phone: it came through the PBX, so that no answer comes back.
    """

    at: float
    agent: AgentId
    key: KeyUse
    leg: LegId | None
    talks: tuple[LegId, ...]
    meant: str
    answer: act.Tell | None = None
    late: bool = False
    by_phone: bool = False


@dataclass
class Run:
    """Everything of one run that the oracle may look at.

    Attributes:
        presses: what people pressed.
        life: (from, until) of each life of the service.
        left_up: for each kill, the legs that were up right before it.
        policies: (from, rules) of each version in force.
        trouble: (from, until) in which the wire was cut, the PBX dead, or the store stalled.
        calm_at: when the faults were over and time had passed.
        over_at: the end.
        agreed: (when, call, by) of each who agreed to open a latch.
        clock_spread_s: how far apart the service's clock ever was from itself; by so much a break may be short.
        ended_breaks: (when, agent) of each break ended by hand.
    """

    seed: int
    faults: Faults
    drawn: str
    presses: list[Press] = field(default_factory=list)
    life: list[tuple[float, float]] = field(default_factory=list)
    left_up: list[tuple[float, tuple[LegId, ...]]] = field(default_factory=list)
    policies: list[tuple[float, Rules]] = field(default_factory=list)
    trouble: list[tuple[float, float]] = field(default_factory=list)
    agreed: list[tuple[float, str, str]] = field(default_factory=list)
    ended_breaks: list[tuple[float, str]] = field(default_factory=list)
    clock_spread_s: float = 0.0
    calm_at: float = 0.0
    over_at: float = 0.0
    paused_when_calm: dict[str, list[tuple[bool, str]]] = field(default_factory=dict)
    talks_when_calm: dict[str, tuple[LegId, ...]] = field(default_factory=dict)
    died: list[str] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)


class Simulation:
    """The stage of one run: what `story` moves about."""

    def __init__(self, seed: int, faults: Faults | None = None) -> None:
        self.rng = Random(seed)
        drawn = Faults.drawn(self.rng)
        self.faults = drawn if faults is None else faults
        self.run = Run(seed, self.faults, repr(self.faults))
        self.world = SimWorld(LoopTime(START), dict(site.PROMPTS), keep=None)
        self.people = People(self.world)
        self.clock = WallClock()
        self.disk = Disk()
        self.disk.works.set()
        self.carriers = Carriers(self.rng, self.faults)
        self.policy = Policy(site.rules())
        self.network_up = True
        self.process: Process | None = None
        self.engine: Engine | None = None
        self.link: FaultyLink | None = None
        self.ears: dict[str, list[Sound]] = {}
        self.company: list[tuple[str, str, float, float]] = []
        self._together: dict[tuple[str, str], float] = {}
        self._awaited: set[asyncio.Task[None]] = set()
        self._started_at = 0.0
        for number, name in enumerate(site.AGENTS):
            queues = site.QUEUES if number % 2 else site.QUEUES[:1]
            self.people.agent(name, *queues, static=number % 3 == 0, answers_after_s=self.rng.uniform(0.5, 4.0))
        self.people.phone(site.CHIEF, answers_after_s=3.0)
        self.world.listen(self._watch)
        self.world.refuses_pause = lambda _a, _q: self.faults.pauses and self.rng.random() < 0.5
        self.run.policies.append((0.0, self.policy.now))

    @property
    def now(self) -> float:
        """The loop's time."""
        return asyncio.get_running_loop().time()

    def say(self, what: str) -> None:
        """Write a line of the trace."""
        self.run.trace.append(f"{self.now:10.3f} {what}")
        self.run.seen[what.partition(" ")[0]] += 1

    def _watch(self, notice: Notice) -> None:
        """Keep book of who was connected with whom, by the world itself."""
        match notice:
            case CallShown(call):
                caller, leg = call.caller, self.world.legs.get(call.caller)
            case CallGone(caller):
                leg = None
            case _:
                return
        here = {x.phone.agent for x in leg.bridge.legs if x.phone.agent} if leg is not None and leg.bridge else set()
        for agent, with_ in [pair for pair in self._together if pair[1] == caller and pair[0] not in here]:
            self.company.append((agent, with_, self._together.pop((agent, with_)), self.now))
        for agent in sorted(here):
            self._together.setdefault((agent, caller), self.now)

    # --- the service ----------------------------------------------------------------------------------------

    def start_service(self) -> None:
        """Start the service, or start it again."""
        kill_at = self.rng.randint(1, 400) if self.faults.kills else -1
        self.process = process = Process(kill_at, self._killed)
        self.link = FaultyLink(self.world, process, self.faults, self.rng)
        if not self.network_up:
            self.link.go_down()
        engine = self.engine = Engine(
            policy=self.policy,
            pbx=SimulatedPbx(self.world, self.clock, self.link),
            pager=FakePager(self.carriers, process, self.clock),
            journal=FakeJournal(self.disk, process),
            clock=self.clock,
        )
        self._started_at = self.now
        self.say("service-starts")
        process.task = asyncio.get_running_loop().create_task(self._live(engine, process))

    async def _live(self, engine: Engine, process: Process) -> None:
        try:
            await engine.run()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 -- the service died of it: that is a finding
            if process.is_alive:
                self.run.died.append(f"{self.now:.3f} {error!r} {getattr(error, 'exceptions', '')!r}")
                self.say(f"service-died {error!r}")
                process.kill()

    def _killed(self, process: Process) -> None:
        self.run.life.append((self._started_at, self.now))
        self.run.left_up.append((self.now, tuple(self.world.legs)))
        for task in self._awaited:
            task.cancel()
        self._awaited.clear()
        self.say(f"service-killed after {process.steps} steps")

    @property
    def is_serving(self) -> bool:
        """Tell whether the service is there to take keys."""
        alive = self.process is not None and self.process.is_alive
        return alive and self.engine is not None and self.engine.ready.is_set()

    # --- keys -----------------------------------------------------------------------------------------------

    def press(self, agent: AgentId, key: KeyUse, source: Source, *, late_s: float = 0.0) -> Press:
        """Let an agent press a key now."""
        talks = self.world.talks_with(agent)
        up = [caller for caller in talks if not caller.held]
        leg = None
        meant = talks[0] if len(talks) == 1 else up[0] if len(up) == 1 else None
        if source is Source.CODE and talks:
            meant = self.rng.choice(talks)
            leg = next(x.id for x in self.world.legs_of(agent) if x.bridge is meant.bridge)
        pressed = Press(
            self.now, agent, key, leg, tuple(caller.id for caller in talks), meant.id if meant is not None else ""
        )
        pressed.late, pressed.by_phone = late_s > 0, source in (Source.CODE, Source.SPEED_DIAL)
        self.run.presses.append(pressed)
        self.say(f"press {agent} {key.name} {source} in {pressed.meant or '-'} of {list(pressed.talks)}")
        if source in (Source.CODE, Source.SPEED_DIAL):
            self.world.code(agent, key.name, leg)
        elif self.is_serving:
            self._await(self._press_over_http(pressed, source, late_s))
        return pressed

    async def _press_over_http(self, pressed: Press, source: Source, late_s: float) -> None:
        if self.engine is None:
            return
        at = self.clock.now()
        await asyncio.sleep(late_s)
        with suppress(TimeoutError):
            answering = self.engine.press(pressed.agent, pressed.key, source, pressed_at=at)
            pressed.answer = await asyncio.wait_for(answering, 60.0)
            self.say(f"answered {pressed.agent} {pressed.key.name}: {pressed.answer.reason}")
            self.run.seen[f"told {pressed.answer.reason}"] += 1

    def _await(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._awaited.add(task)
        task.add_done_callback(self._awaited.discard)

    # --- the world's troubles -------------------------------------------------------------------------------

    def cut_network(self, for_s: float) -> None:
        """Cut the wire for a while."""
        if self.network_up:
            self.network_up = False
            self.say("network-cut")
            if self.link is not None:
                self.link.go_down()
            self._trouble(for_s, self._mend_network)

    def _mend_network(self) -> None:
        self.network_up = True
        if self.link is not None:
            self.link.come_up()
        self.say("network-mended")

    def kill_pbx(self, for_s: float) -> None:
        """Let the PBX die with all its calls, for a while."""
        if self.world.is_running and self.network_up:
            self.network_up = False
            if self.link is not None:
                self.link.go_down()
            self.say("pbx-dies")
            self.world.stop()
            self._trouble(for_s, self._start_pbx)

    def _start_pbx(self) -> None:
        self.world.start()
        self.say("pbx-back")
        self._mend_network()

    def stall_store(self, for_s: float) -> None:
        """Let the store stall, or fail, for a while."""
        if self.disk.works.is_set():
            self.disk.works.clear()
            self.disk.fails = self.rng.random() < 0.3
            self.say("store-stalls")
            self._trouble(for_s, self._heal_store)

    def _heal_store(self) -> None:
        self.disk.works.set()
        self.say("store-works")

    def _trouble(self, for_s: float, over: Callable[[], None]) -> None:
        self.run.trouble.append((self.now, self.now + for_s))
        self.world.time.after(for_s, over)

    def reload(self, version: str) -> None:
        """Put a version of the policy in force."""
        rules = site.rules(version)
        self.policy = Policy(rules)  # its earlier versions are in the journal
        self.run.policies.append((self.now, rules))
        self.say(f"policy-reloaded {version}")
        if self.process is not None and self.process.is_alive and self.engine is not None:
            self.engine.reload(rules)

    def close_books(self) -> None:
        """End the books that are still open."""
        for (agent, caller), since in self._together.items():
            self.company.append((agent, caller, since, float("inf")))

    def look_while_calm(self) -> None:
        """Note what the world shows now, for the oracle."""
        self.run.calm_at = self.now
        for agent in site.AGENTS:
            members = self.world.queues.of(AgentId(agent))
            self.run.paused_when_calm[agent] = [(m.paused, m.reason) for m in members]
            self.run.talks_when_calm[agent] = tuple(c.id for c in self.world.talks_with(AgentId(agent)))
