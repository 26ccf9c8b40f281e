"""The contract suite's world over the simulator: the same small contact centre, some ten times as fast."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

from adapters.simulator.dialplan import Dialplan
from adapters.simulator.page_calls import PagePhones, SimulatedCaller
from adapters.simulator.parts import Leg, Phone, Place, Role, Sound
from adapters.simulator.pbx import GONE, SimulatedPbx
from adapters.simulator.people import People
from adapters.simulator.timing import LoopTime
from adapters.simulator.world import SimWorld
from policies.model import AgentId, LiveCall
from telephony.ports import Seen
from tests.contract.world import Answers

SPEED = 10.0
PROMPTS_S = {
    "warning": 2.0,
    "closing": 3.0,
    "brief-takeover": 1.5,
    "brief-confirm": 1.0,
    "page-acute": 1.5,
    "page-keys": 1.25,
    "page-taken": 1.0,
    "page-passed": 1.0,
    "page-has-somebody": 1.25,
}
KEYS = {"*91": "warn", "*92": "acute"}
_PART_S = 0.5
_VOICE_S = 0.2


class CountingClock:
    """The machine's time, and ids that count."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def new_id(self) -> str:
        return f"e{next(self._numbers):06d}"


class SimPerson:
    """Somebody at a simulated phone; see `tests.contract.world.Person`."""

    def __init__(self, name: str, phone: Phone, world: SimWorld) -> None:
        self.name, self.phone = name, phone
        self._world = world
        self._people = People(world)
        self._since = world.time.now()

    @property
    def legs(self) -> list[Leg]:
        """The phone's legs that are answered."""
        return [x for x in self._world.legs.values() if x.phone is self.phone and x.place is not Place.RINGING]

    @property
    def is_in_call(self) -> bool:
        return bool(self.legs)

    def listen_anew(self) -> None:
        self._world.settle()
        self._since = self._world.time.now()
        self.phone.voices.clear()

    def has_heard(self, sound: str) -> bool:
        self._world.settle()
        if f"{sound}:da" not in self._world.prompts:
            voice = sound if sound in ("caller", "music") else f"PJSIP/{sound}"
            return self.phone.voices.get(voice, 0.0) >= _VOICE_S
        return any(x.is_whole for x in self._heard(sound))

    def has_heard_any(self, sound: str) -> bool:
        self._world.settle()
        return any(x.heard_s >= _PART_S for x in self._heard(sound))

    def _heard(self, prompt: str) -> list[Sound]:
        return [x for x in self.phone.heard if x.what == f"prompt:{prompt}:da" and x.began >= self._since]

    def has_heard_keys(self) -> bool:
        """Feature codes are taken out by the PBX: no phone ever hears one."""
        return any(x.what.startswith("key:") for x in self.phone.heard)

    def mute(self, *, on: bool = True) -> None:
        for leg in self.legs:
            self._people.mutes(leg, muted=on)

    async def hold(self) -> None:
        for caller in self._callers():
            self._people.holds(caller, held=True)

    async def resume(self) -> None:
        for caller in self._callers():
            self._people.holds(caller, held=False)

    def _callers(self) -> list[Leg]:
        return [x for leg in self.legs if leg.bridge for x in leg.bridge.legs if x.phone.endpoint == "caller"]

    async def hang_up(self) -> None:
        for leg in self.legs:
            self._people.hangs_up(leg)

    async def transfer(self, to: str) -> None:
        assert self.phone.agent is not None
        assert self._people.transfers(self.phone.agent, self._callers()[0], AgentId(to))

    async def press(self, keys: str) -> None:
        paged = [leg for leg in self.legs if leg.role is Role.PAGED]
        if paged:
            for key in keys:
                PagePhones(self._world).presses(paged[0], key)
        elif keys in KEYS and self.phone.agent is not None:
            self._world.code(self.phone.agent, KEYS[keys], self.legs[0].id)
        elif keys == "1":
            Dialplan(self._world).confirms(self.phone)


class SimulatorWorld:
    """See `tests.contract.world.World`."""

    def __init__(self) -> None:
        time = LoopTime(speed=SPEED)
        self.sim = SimWorld(time, {f"{name}:da": length_s for name, length_s in PROMPTS_S.items()})
        self.people = People(self.sim)
        self.people.agent("agent1", "support", "second", static=True)
        self.people.agent("agent2", "second", static=True)
        for name in ("colleague", "chief"):
            self.people.phone(f"PJSIP/{name}", confirms_after_s=None)
        self.pbx = SimulatedPbx(self.sim, CountingClock())
        self.seen: list[Seen] = []

    @property
    def page_calls(self) -> SimulatedCaller:
        return self.pbx.page_calls

    @property
    def prompts_folder(self) -> Path | None:
        return None

    async def until(self, condition: Callable[[], object], within_s: float = 5.0, what: str = "") -> None:
        before = self.sim.time.now()
        while not condition():
            if (self.sim.time.now() - before).total_seconds() > within_s:
                raise TimeoutError(what)
            await self.sim.time.sleep(0.02)

    async def pass_time(self, seconds: float) -> None:
        await self.sim.time.sleep(seconds)

    async def seat(self, name: str, answers: Answers = "at_once") -> SimPerson:
        phone = self.sim.phones[f"PJSIP/{name}"]
        phone.answers_after_s = 0.05 if answers == "at_once" else None
        phone.is_busy = answers == "busy"
        return SimPerson(name, phone, self.sim)

    async def queue_call(self, agent: SimPerson) -> tuple[SimPerson, LiveCall]:
        leg = self.people.calls("caller", "support", "da")
        caller = SimPerson("caller", leg.phone, self.sim)
        agent.listen_anew()
        await self.until(lambda: caller.has_heard(agent.name) and agent.has_heard("caller"), what="both hear")
        caller.listen_anew()
        agent.listen_anew()
        return caller, self.pbx.calls_of(AgentId(agent.name))[-1]

    async def throw_voice_out(self, call: LiveCall) -> None:
        for play in [p for p in self.sim.media.plays.values() if p.bridge is not None and p.bridge.id == call.bridge]:
            self.sim.media.stop(play.id, GONE)

    async def pauses(self, agent: str) -> dict[str, str | None]:
        return {m.queue: m.reason if m.paused else None for m in self.sim.queues.of(AgentId(agent))}

    async def pause_by_hand(self, agent: str, queue: str, reason: str) -> None:
        self.sim.queues.put(AgentId(agent), queue, paused=bool(reason), reason=reason)

    async def lose_connection(self) -> None:
        self.pbx.link.go_down()
        await self.pass_time(0.3)
        self.pbx.link.come_up()

    async def kill_pbx(self) -> None:
        self.pbx.link.go_down()
        self.sim.stop()

    async def start_pbx(self) -> None:
        self.sim.start()
        self.pbx.link.come_up()


@contextlib.asynccontextmanager
async def open_world(folder: Path) -> AsyncIterator[SimulatorWorld]:
    """A fresh world with the adapter connected to it."""
    world = SimulatorWorld()
    running = asyncio.create_task(world.pbx.run(world.seen.append))
    try:
        await world.until(lambda: world.seen, what="the adapter is connected")
        yield world
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
