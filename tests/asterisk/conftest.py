"""A house to tell stories in: a lab Asterisk, the real service beside it, a broker, a carrier, phones that listen.

The stories of one test file, and those of every file that kills nothing, share a house: each story takes agents of its
own, and looks only at what the service says from its own beginning (`Words`).
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import aiomqtt
import pytest
import pytest_asyncio
from aiohttp import web

from adapters.asterisk.from_settings import snippets
from adapters.prompts.library import PromptLibrary
from telephony.settings import load
from tests.conftest import _lab
from tests.lab import listening
from tests.lab.asterisk import Asterisk
from tests.lab.audio import Audio, from_alaw, spoken, tone, write_wav
from tests.lab.confs import FIRST_AGENT_EXTENSION, Site
from tests.lab.mosquitto import Mosquitto
from tests.lab.phone import Call, Phone
from tests.lab.rtp import Packet
from tests.lab.service import Service, SmsGateway
from tests.lab.waiting import until

AGENT_HZ, CALLER_HZ, COLLEAGUE_HZ, CHIEF_HZ = 600, 440, 800, 1000
VOICE_DBFS = -30.0
# The house's own prompts: as unlike as voices are, and short, so that a story is.
PROMPTS: dict[str, Audio] = {
    "warning": spoken(1, 2.0, level_dbfs=-3),
    "long": spoken(6, 4.0, level_dbfs=-3),
    "closing": spoken(2, 3.0, level_dbfs=-3),
    "brief-takeover": spoken(3, 1.0, level_dbfs=-3),
    "brief-takeover-warned": spoken(4, 1.25, level_dbfs=-3),
    "brief-chief": spoken(5, 1.0, level_dbfs=-3),
    "lost": spoken(7, 1.0, level_dbfs=-3),
    "gone": spoken(8, 1.0, level_dbfs=-3),
}
PROMPT_DBFS = -30.0  # a packet above this is a prompt's, not a voice's

# The lab's agents may dial any number outside (`_X.`), and Asterisk looks into included contexts only for what the
# context itself does not match. So this house sends its speed dials on by a line of its own.
SPEED_DIALS = "[from-agent](+)\nexten => _85XX,1,Goto(bagvagt-keys,${EXTEN},1)\n"

SITE = """
    [site]
    name = "Eksempel Kommune"
    zone = "Europe/Copenhagen"
    language = "da"
    country = "DK"

    [pbx]
    ami_port = {ami_port}
    ami_secret_file = "ami.secret"
    ari_url = "http://127.0.0.1:{ari_port}"
    ari_secret_file = "ari.secret"
    media_base = "http://127.0.0.1:{media_port}/prompts"

    [http]
    port = {http_port}
    tokens_file = "tokens.toml"
    action_url_from = ["127.0.0.5/32"]

    [mqtt]
    port = {mqtt_port}
    prefix = "bagvagt/test"

    [sms.gateway]
    url = "http://127.0.0.1:{sms_port}/sms"
    body = '{"to": "{to}", "text": "{text}", "id": "{id}"}'

    [prompts]
    folder = "prompts"
"""
"""What every house's policy begins with."""

POLICY = (
    SITE
    + """
    [keys.warn]
    does = "warn"
    kind = "abuse"
    code = "*91"
    speed_dial = "8591"

    [keys.end]
    does = "end"
    code = "*96"
    speed_dial = "8596"

    [keys.suicide]
    does = "flag"
    kind = "suicide"
    code = "*99"
    speed_dial = "8599"

    [keys.stern]
    does = "warn"
    kind = "stern"

    [keys.slow]
    does = "warn"
    kind = "slow"

    [keys.lost]
    does = "warn"
    kind = "lost"

    [keys.gone]
    does = "warn"
    kind = "gone"

    [keys.back]
    does = "back"
    speed_dial = "8590"

    [kinds.abuse]
    may_end = true
    wait_s = 1.5

    [kinds.stern]
    may_end = false

    [kinds.slow]
    warning = "long"
    may_end = true
    wait_s = 0.5

    [kinds.lost]
    warning = "lost"
    may_end = true
    wait_s = 0

    [kinds.gone]
    warning = "gone"
    may_end = true
    wait_s = 0

    [kinds.suicide]
    latched = true
    page = "acute"
    break_s = 60

    [people.anna]
    mqtt = "anna"
    sms = "+4520304051"

    [pages.acute]
    last_resort = "anna"

    [[pages.acute.steps]]
    people = ["anna"]
    wait_s = 600
"""
)
"""The policy of the house that the stories which kill nothing share."""


_opened: list[Service] = []


class Mobile:
    """The mobile phones of those on call: every message that the broker hands out.

    Attributes:
        messages: (topic, payload), oldest first.
        client: to answer with.
    """

    def __init__(self, port: int) -> None:
        self.messages: list[tuple[str, str]] = []
        self.client: aiomqtt.Client
        self._port = port

    async def run(self, ready: asyncio.Event) -> None:
        """Listen until cancelled, or the broker is gone."""
        async with aiomqtt.Client("127.0.0.1", self._port) as self.client:
            await self.client.subscribe("bagvagt/#", qos=1)
            ready.set()
            async for message in self.client.messages:
                payload = message.payload
                self.messages.append((str(message.topic), payload.decode() if isinstance(payload, bytes) else ""))

    def told(self, name: str) -> list[str]:
        """Return what this person was sent."""
        return [payload for topic, payload in self.messages if topic == f"bagvagt/test/person/{name}/page"]

    async def acknowledge(self, page: str, by: str) -> None:
        """Take a page, as its message says how to."""
        await self.client.publish(f"bagvagt/test/page/{page}/acknowledge", json.dumps({"by": by}), qos=1)


@asynccontextmanager
async def mobile_at(port: int) -> AsyncIterator[Mobile]:
    """Open the mobile phones of those on call."""
    mobile, listens = Mobile(port), asyncio.Event()
    reading = asyncio.create_task(mobile.run(listens))
    try:
        async with asyncio.timeout(10):
            await listens.wait()
        yield mobile
    finally:
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError, aiomqtt.MqttError):
            await reading


class Words:
    """What the service has said since this was made."""

    def __init__(self, service: Service) -> None:
        self._service, self._from = service, len(service.lines)

    def said(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """Return the log lines of this event whose fields have these values."""
        return [x for x in self._service.lines[self._from :] if x.get("event") == event and fields.items() <= x.items()]

    def moved(self, state: str, kind: str = "") -> set[str]:
        """Return what moved to this state: `guard 17.4`, `break …`, `page …`."""
        moves = [m.partition(": ") for line in self.said("decided") for m in line["moved"] if m.startswith(kind)]
        return {who for who, _, move in moves if move.endswith(f"→{state}") and move != f"{state}→{state}"}

    def told(self, reason: str) -> int:
        """Return how often agents were told this."""
        return sum(line["told"].count(reason) for line in self.said("decided"))

    def did(self, action: str) -> int:
        """Return how often this was asked of the PBX or of a carrier."""
        return sum(line["actions"].count(action) for line in self.said("decided"))

    async def until_moved(self, state: str, within_s: float = 8.0, count: int = 1, kind: str = "") -> None:
        """Wait until so many things moved to this state."""
        await until(lambda: len(self.moved(state, kind)) >= count, within_s, f"{count} of {kind or 'all'} is {state}")

    async def until_told(self, reason: str, within_s: float = 8.0) -> None:
        """Wait until an agent was told this."""
        await until(lambda: self.told(reason), within_s, f"the agent is told {reason}")

    async def until_said(self, event: str, within_s: float = 8.0, **fields: object) -> dict[str, Any]:
        """Wait for a log line; return it."""
        await until(lambda: self.said(event, **fields), within_s, f"the service says {event} {fields}")
        return self.said(event, **fields)[0]


@dataclass
class House:
    """A contact centre with Bagvagt beside its PBX.

    Attributes:
        pbx: the lab Asterisk.
        service: the real process.
        broker: for MQTT.
        carrier: for SMS.
        media_missing: prompts that the PBX is answered 404 for.
        media_port: where the PBX fetches prompts.
    """

    pbx: Asterisk
    service: Service
    broker: Mosquitto
    carrier: SmsGateway
    media_missing: set[str]
    media_port: int
    phones: dict[str, Phone] = field(default_factory=dict)

    def words(self) -> Words:
        """Begin to listen to what the service says."""
        return Words(self.service)

    def write_policy(self) -> None:
        """Write the policy file for these ports."""
        self.service.write(
            ami_port=self.pbx.ami[1],
            ari_port=self.pbx.slot.http,
            mqtt_port=self.broker.port,
            sms_port=self.carrier.port,
            media_port=self.media_port,
        )

    async def phone(self, name: str, **options: Any) -> Phone:
        """Return somebody's phone, opened at the first time."""
        if name not in self.phones:
            self.phones[name] = await self.pbx.phone(name, **options)
        return self.phones[name]

    def extension(self, agent: str) -> str:
        """Return what to dial for an agent."""
        return str(FIRST_AGENT_EXTENSION + list(self.pbx.phones).index(agent))

    async def talk(
        self, agent: str, *, agent_says: Audio | None = None, caller_says: Audio | None = None
    ) -> tuple[Call, Call]:
        """Ring an agent as a caller; return the call as the caller, and as the agent, hears it."""
        phone = await self.phone(agent, audio=agent_says)
        caller = await self.pbx.caller(audio=caller_says)
        at_caller = await caller.dial(self.extension(agent))
        at_agent = await phone.takes()
        at_agent.say(agent_says)
        await at_caller.is_answered()
        return at_caller, at_agent

    async def talk_in_tones(self, agent: str) -> tuple[Call, Call]:
        """Ring an agent; both speak, each in a tone of their own, and hear each other."""
        at_caller, at_agent = await self.talk(
            agent,
            agent_says=tone(AGENT_HZ, level_dbfs=VOICE_DBFS),
            caller_says=tone(CALLER_HZ, level_dbfs=VOICE_DBFS),
        )
        await hear_each_other(at_caller, at_agent)
        return at_caller, at_agent

    async def health(self) -> tuple[int, dict[str, Any]]:
        """Return /healthz."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.service.url}/healthz") as answer:
            return answer.status, await answer.json()

    async def pause_of(self, agent: str) -> str:
        """Return the reason of an agent's pause as the PBX has it, "" when there is none."""
        return await pause_of(self.pbx, agent)


async def hear_each_other(at_caller: Call, other: Call, *, hz: float = AGENT_HZ) -> None:
    """Wait until each hears the other's tone, from now on."""
    assert not at_caller.ended.is_set()
    assert not other.ended.is_set()
    now = time.monotonic()
    await listening.hears(at_caller, hz, now)
    await listening.hears(other, CALLER_HZ, now)


async def begins_to_hear(call: Call, within_s: float = 5.0) -> float:
    """Wait for the next packet of a prompt; return when it came."""
    loud: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def look(packet: Packet) -> None:
        if not loud.done() and listening.dbfs(from_alaw(packet.payload)) > PROMPT_DBFS:
            loud.set_result(packet.at)

    call.rtp.on_packet = look
    try:
        async with asyncio.timeout(within_s):
            return await loud
    finally:
        call.rtp.on_packet = None


def longest_silence_s(call: Call, since: float, until_at: float) -> float:
    """Return the longest time in which this call heard nothing louder than the floor, in seconds."""
    loud = [at for at, level in listening.loudness(call, since) if level > listening.LOUD_DBFS and at <= until_at]
    edges = [since, *loud, until_at]
    return max(later - earlier for earlier, later in pairwise(edges))


def heard_nothing_of(call: Call, prompt: str, since: float) -> bool:
    """Tell that a prompt is not in what this call heard."""
    return listening.find(listening.audio(call, since), PROMPTS[prompt]).score < 0.3


def heard(call: Call, prompt: str, since: float) -> bool:
    """Tell that this call heard the whole prompt."""
    return listening.heard_whole(call, PROMPTS[prompt], since)


async def pause_of(pbx: Asterisk, agent: str = "agent1") -> str:
    """Return the reason of the agent's pause as the PBX has it, "" when there is none."""
    shown = await pbx.cli("queue show support")
    line = next(x for x in shown.splitlines() if x.strip().startswith(f"{agent} ") or f"PJSIP/{agent} " in x)
    _, _, rest = line.partition("(paused:")
    return rest.partition(" was ")[0]


async def _media(folder: Path, missing: set[str]) -> tuple[web.AppRunner, int]:
    """Serve prompts to the PBX, apart from the service, so that they can be missing there."""

    async def prompt(request: web.Request) -> web.FileResponse:
        name, language = request.match_info["name"], request.match_info["language"]
        if name in missing:
            raise web.HTTPNotFound
        library = PromptLibrary(folder)
        return web.FileResponse((library.find_tone(name) if language == "tones" else library.find(name, language)).path)

    app = web.Application()
    app.router.add_get("/prompts/{language}/{name}.wav", prompt)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port: int = runner.addresses[0][1]
    return runner, port


@asynccontextmanager
async def open_house(
    folder: Path,
    policy: str,
    agents: Sequence[str],
    *,
    members: Sequence[str] | None = None,
    people: Iterable[str] = (),
    start: bool = True,
) -> AsyncIterator[House]:
    """Open a house; its log is shown when the test fails.

    Args:
        folder: for the service's files.
        policy: its policy.
        agents: who has a phone.
        members: those of them who are in the queue, for ever; all when None.
        people: those who have a token to answer pages with.
        start: start the service.
    """
    root = _lab().path
    assert root is not None
    async with AsyncExitStack() as stack:
        for name, audio in PROMPTS.items():
            write_wav(folder / "prompts" / "da" / f"{name}.wav", audio)
        missing: set[str] = set()
        runner, media_port = await _media(folder / "prompts", missing)
        stack.push_async_callback(runner.cleanup)
        broker = await Mosquitto().start()
        stack.push_async_callback(broker.close)
        carrier = await SmsGateway().start()
        stack.push_async_callback(carrier.close)
        service = Service(folder, policy)
        _opened.append(service)
        stack.push_async_callback(service.kill)
        for agent in agents:
            service.token(agent, "agent", agent=agent)
            service.token(f"{agent}-phone", "action_url", agent=agent)
        for person in people:
            service.token(person, "person", person=person)
        ports = {"mqtt_port": broker.port, "sms_port": carrier.port, "media_port": media_port}
        service.write(ami_port=5038, ari_port=8088, **ports)
        pbx = Asterisk(
            root,
            Site(
                agents=agents,
                members=agents if members is None else members,
                before_queue=("Set(__DYNAMIC_FEATURES=bagvagt)",),
                before_dial=("Set(__DYNAMIC_FEATURES=bagvagt)",),
                agent_includes=("bagvagt-keys",),
                extra={**snippets(load(service.policy_file)), "extensions.d/house.conf": SPEED_DIALS},
            ),
        )
        stack.push_async_callback(pbx.close)
        await pbx.start()
        house = House(pbx, service, broker, carrier, missing, media_port)
        house.write_policy()
        if start:
            await service.start()
        yield house


@pytest.fixture(autouse=True)
def _shown_on_failure() -> Iterator[None]:
    """Print what each service said during a test: pytest shows it when the test fails."""
    before = {id(service): len(service.lines) for service in _opened}
    yield
    for service in _opened:
        for line in service.lines[before.get(id(service), 0) :]:
            print(line)  # noqa: T201 -- as above


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """The house that all stories share that kill nothing: agents 1 to 24, `POLICY`."""
    agents = [f"agent{n}" for n in range(1, 25)]
    async with open_house(tmp_path_factory.mktemp("house"), POLICY, agents) as opened:
        yield opened


@pytest.fixture
async def broker() -> AsyncIterator[Mosquitto]:
    """A broker."""
    made = await Mosquitto().start()
    yield made
    await made.close()


@pytest.fixture
async def gateway() -> AsyncIterator[SmsGateway]:
    """A carrier for SMS."""
    made = await SmsGateway().start()
    yield made
    await made.close()


@pytest.fixture
async def mobile(broker: Mosquitto) -> AsyncIterator[Mobile]:
    """The mobile phones of those on call."""
    async with mobile_at(broker.port) as opened:
        yield opened
