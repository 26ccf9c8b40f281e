"""A house to tell stories in: a lab Asterisk, the real service beside it, a broker, a carrier, phones that listen.

The stories of one test file, and those of every file that kills nothing, share a house: each story takes agents of its
own, and looks only at what the service says from its own beginning (`Words`).
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import aiomqtt
from aiohttp import web

from adapters.asterisk.from_settings import snippets
from adapters.prompts.library import PromptLibrary
from telephony.settings import load
from tests.asterisk.ears import AGENT_HZ, CALLER_HZ, PROMPTS, VOICE_DBFS, hear_each_other
from tests.conftest import _lab
from tests.lab import listening
from tests.lab.asterisk import Asterisk
from tests.lab.audio import Audio, tone, write_wav
from tests.lab.confs import FIRST_AGENT_EXTENSION, Site
from tests.lab.mosquitto import Mosquitto
from tests.lab.phone import Call, Phone
from tests.lab.service import Service, SmsGateway
from tests.lab.waiting import until

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


opened: list[Service] = []
"""Every service of this run, for what is shown when a test fails."""


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

    def write_policy(self, ami_port: int = 0) -> None:
        """Write the policy file for these ports, or with another way to AMI."""
        self.service.write(
            ami_port=ami_port or self.pbx.ami[1],
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
        # Answered is not connected: only when both are sent media does the PBX, and so the service, show a call.
        await until(lambda: min(listening.packets(at_caller), listening.packets(at_agent)) > 10, 5, "both hear media")
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

    async def metrics(self) -> dict[str, float]:
        """Return /metrics: each series with its value."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.service.url}/metrics") as answer:
            lines = [line for line in (await answer.text()).splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    async def pause_of(self, agent: str) -> str:
        """Return the reason of an agent's pause as the PBX has it, "" when there is none."""
        return await pause_of(self.pbx, agent)


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
        opened.append(service)
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
