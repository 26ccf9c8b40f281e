"""Everything of the demo in one place: the world and its people, the service beside them, and those on call."""

import asyncio
import contextlib
import tempfile
import tomllib
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console

import adapters.prompts
from adapters.demo.deciding import Decisions
from adapters.demo.failing import DemoError
from adapters.demo.outside import OnCallPhones, broker, sms_gateway
from adapters.demo.service import Service
from adapters.demo.steady import SteadyClock, SteadyTime
from adapters.demo.telling import Narrator
from adapters.demo.watching import Chronicle, WatchedWorld
from adapters.from_settings import prompt_library, prompts_missing
from adapters.paging.mqtt_codec import AnsweredPage, PersonPage
from adapters.simulator.parts import SERVICE, Leg
from adapters.simulator.people import People, hears
from adapters.store.chain import Head
from policies.model import AgentId
from telephony.settings import Settings, load

POLICY = Path(__file__).with_name("demo.toml")
QUEUE = "helpline"
_BEGINS = datetime(2027, 3, 14, 2, 30)  # noqa: DTZ001 -- the site's wall clock: a Sunday night
_PATIENCE_S = 15.0


class Stage:
    """What the stories need.

    Attributes:
        narrator: speaks.
        time: the world's.
        world: the PBX's own truth.
        people: move the world.
        chronicle: names of who takes part.
        decisions: what the service decided so far, over all its lives.
        service: its present life.
        phones: of those on call.
        words: what each prompt says, by name.
        shown: (person, what the person's phone showed), oldest first.
        texts: (number, text) of each SMS.
        head_at_death: end of the audit chain when the service was killed.
        alive: set while the service is there, with its screens.
        turn: set once a person wants to act: at the agent's screen, at the duty desk, or by a key in the terminal.
        is_desk_taken: a person is at the duty desk in a browser.
        invitation: where the screens are; "" when there is nobody to look at them.
    """

    def __init__(self, console: Console, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.time = SteadyTime(_BEGINS.replace(tzinfo=ZoneInfo(settings.site.zone)))
        self.clock = SteadyClock(self.time)
        self.narrator = Narrator(console, settings.site.zone, self.time.now)
        self.words, lengths = _prompts(settings)
        self.world = WatchedWorld(self.time, lengths)
        self.people = People(self.world)
        self.chronicle = Chronicle(self.world, self.narrator, self.words)
        self.decisions = Decisions(self.narrator, {n: k.code or k.speed_dial for n, k in settings.keys.items()})
        self.folder = folder
        self.shown: list[tuple[str, PersonPage | AnsweredPage]] = []
        self.texts: list[tuple[str, str]] = []
        self.phones: OnCallPhones
        self.service: Service
        self.stack: contextlib.AsyncExitStack
        self.head_at_death: Head | None = None
        self.alive, self.turn = asyncio.Event(), asyncio.Event()
        self.decisions.by_hand = self.turn.set
        self.is_desk_taken = False
        self.invitation = ""
        self._is_over = False

    # --- what people do -------------------------------------------------------------------------------------

    def says(self, who: Leg | AgentId, words: str) -> None:
        """Let a person in the play speak."""
        name = self.chronicle.of(who) if isinstance(who, Leg) else who.capitalize()
        self.narrator.line("says", f"{name[:1].upper()}{name[1:]}: “{words}”")

    def call(self, who: str, number: str, queue: str = QUEUE) -> Leg:
        """Let a caller ring."""
        self.chronicle.introduce(number, who)
        return self.people.calls(number, queue)

    async def answered(self, caller: Leg, within_s: float = 20.0) -> AgentId:
        """Wait until an agent has the caller; returns who."""
        who = self.chronicle.of(caller)
        await self.until(lambda: self.agent_of(caller) is not None, f"an agent answers {who}", within_s)
        agent = self.agent_of(caller)
        if agent is None:
            raise DemoError(f"nobody talks with {who}")
        return agent

    def agent_of(self, caller: Leg) -> AgentId | None:
        """Return who talks with a caller, as the PBX has it."""
        return self.world.shown(caller).agent if caller.is_up and caller.bridge is not None else None

    def press(self, agent: AgentId, key: str) -> None:
        """Let an agent press a key in the call; the back key is a speed dial."""
        legs = [leg.id for leg in self.world.legs_of(agent) if leg.bridge is not None]
        self.world.code(agent, key, legs[0] if legs and key != "back" else None)

    def send_home(self) -> None:
        """Let every caller put the phone down."""
        for caller in self.world.callers():
            self.people.hangs_up(caller)

    # --- waiting, and promises ------------------------------------------------------------------------------

    async def until(self, happened: Callable[[], bool], what: str, within_s: float = 20.0) -> None:
        """Wait until something has happened in the world.

        Raises:
            DemoError: it did not, within so many seconds of the world's time.
        """
        loop = asyncio.get_running_loop()
        began, began_real_s = self.time.now(), loop.time()
        while not happened():
            self.service.look()
            late = (self.time.now() - began).total_seconds() > within_s
            if late and loop.time() - began_real_s > _PATIENCE_S:  # a slow machine is no broken promise
                raise DemoError(f"did not happen: {what}")
            await asyncio.sleep(0.005)
        self.chronicle.sounds()

    def kept(self, promise: str, *, is_kept: bool) -> None:
        """Say that a promise was kept.

        Raises:
            DemoError: it was not.
        """
        if not is_kept:
            raise DemoError(f"not so: {promise}")
        self.narrator.line("kept", promise)

    def heard_whole(self, leg: Leg, prompt: str) -> bool:
        """Tell whether a phone heard a prompt to its end, as the world's record has it."""
        return any(sound.is_whole for sound in hears(leg.phone, f"prompt:{prompt}:{leg.language}"))

    def touched(self, leg: Leg) -> list[str]:
        """Return what the service did to a leg, as the world's record has it."""
        return [r.what for r in self.world.history if r.leg == leg.id and r.by == SERVICE]

    # --- the service ----------------------------------------------------------------------------------------

    async def begin(self, folder: Path) -> None:
        """Start the service on the journal in `folder`."""
        self.service = Service(self.settings, folder, self.stack)
        await self.service.start(self.world, self.time, self.clock, self.decisions)
        self.settings = _listening(self.settings, self.service.web.server.port)  # also in its next life
        self.alive.set()

    async def kill(self, keep: Path) -> None:
        """Kill the service; what was on the disk at that moment is in `keep`."""
        self.alive.clear()
        self.head_at_death = await self.service.die(keep)

    def take_shown(self, person: str, page: PersonPage | AnsweredPage) -> None:
        """A phone of those on call shows something."""
        self.shown.append((person, page))
        self.narrator.line("phone", f"{person.capitalize()}'s phone, by MQTT: “{page.text}”")

    def fall_silent(self) -> None:
        """What happens while everything is put away is not told."""
        self._is_over = True

    def take_status(self, status: str) -> None:
        """The broker says whether the service is there."""
        if not self._is_over:
            self.narrator.line("MQTT", f"Status of the service, for every screen: {status}.")

    def take_text(self, number: str, text: str) -> None:
        """An SMS has reached the gateway."""
        self.texts.append((number, text))
        name = next((n for n, p in self.settings.people.items() if p.sms == number), number)
        self.narrator.line("SMS", f"To {name.capitalize()}: “{text}”")


@contextlib.asynccontextmanager
async def stage(console: Console, pace: float) -> AsyncIterator[Stage]:
    """Set everything up, on loopback and in a folder of its own that is removed at the end."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bagvagt-demo-")))
        settings = load(POLICY, prompts_missing)
        made = Stage(console, settings, folder)
        made.stack = stack
        broker_port = await stack.enter_async_context(broker())
        gateway_port = await stack.enter_async_context(sms_gateway(made.take_text))
        made.settings = _at(settings, broker_port, gateway_port)
        prefix = made.settings.mqtt.prefix if made.settings.mqtt else ""
        made.phones = OnCallPhones(broker_port, prefix, made.take_shown, made.take_status)
        await stack.enter_async_context(made.phones.on())
        passing = asyncio.create_task(made.time.run(), name="time")
        stack.push_async_callback(_end, passing)
        listening = asyncio.create_task(_listen(made), name="sounds")
        stack.push_async_callback(_end, listening)
        first = folder / "first"
        first.mkdir()
        await made.begin(first)
        stack.push_async_callback(lambda: made.service.stop())  # noqa: PLW0108 -- the one that lives then
        stack.callback(made.fall_silent)
        made.time.speed = pace
        yield made


async def _listen(made: Stage) -> None:
    """What was heard is told soon, also while nothing else happens."""
    while True:
        await made.time.sleep(0.1)
        made.chronicle.sounds()


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _at(settings: Settings, broker_port: int, gateway_port: int) -> Settings:
    """Return the policy with the ports that were free."""
    mqtt, sms = settings.mqtt, settings.sms
    if mqtt is None or sms is None or sms.gateway is None:
        raise DemoError(f"{POLICY.name} needs the sections [mqtt] and [sms.gateway]")
    gateway = sms.gateway.model_copy(update={"url": f"http://127.0.0.1:{gateway_port}/sms"})
    changed = {
        "mqtt": mqtt.model_copy(update={"port": broker_port}),
        "sms": sms.model_copy(update={"gateway": gateway}),
    }
    return _listening(settings.kept(changed, ()), 0)


def _listening(settings: Settings, port: int) -> Settings:
    """Return the policy with the panel's port, 0 for any free one."""
    return settings.kept({"http": settings.http.model_copy(update={"port": port})}, ())


def _prompts(settings: Settings) -> tuple[dict[str, str], dict[str, float]]:
    """Return what the prompts say, and how long they are: the recordings' own lengths."""
    library, language = prompt_library(settings), settings.site.language
    file = Path(adapters.prompts.__file__).with_name("texts.toml")
    words = {name: texts[language] for name, texts in tomllib.loads(file.read_text(encoding="utf-8")).items()}
    return words, {f"{name}:{language}": library.find(name, language).duration_s for name in words}
