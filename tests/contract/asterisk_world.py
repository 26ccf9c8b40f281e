"""The contract suite's world over a real Asterisk in the lab, with phones that listen."""

import asyncio
import contextlib
import itertools
import shutil
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

from adapters.asterisk.ami import AmiTiming
from adapters.asterisk.pbx import AsteriskAccess, AsteriskPbx
from adapters.asterisk.procedures_page import PageCalls
from adapters.asterisk.snippets import TONES, AsteriskSide, Media, asterisk_snippets
from adapters.paging.voice_call import PAUSE
from adapters.prompts.library import PromptLibrary
from policies.model import AgentId, LiveCall
from telephony.ports import Seen
from tests.conftest import _lab
from tests.contract.world import Answers
from tests.lab import listening
from tests.lab.asterisk import Asterisk
from tests.lab.audio import Audio, read_wav, spoken, tone, write_wav
from tests.lab.confs import MOH_HZ, Site
from tests.lab.phone import Call, Phone
from tests.lab.raw import Ami
from tests.lab.waiting import until

VOICES_HZ = {"caller": 1000.0, "agent1": 600.0, "agent2": 800.0, "colleague": 1500.0, "chief": 1900.0}
MUSIC_HZ = {"music": float(MOH_HZ)}
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
KEYS = {"warn": "*91", "acute": "*92"}
SPEED_DIALS = {"warn": "8591"}
SIDE = AsteriskSide(
    ami_secret="ami-secret",  # of the lab alone
    ari_password="ari-secret",
    keys=KEYS,
    speed_dials=SPEED_DIALS,
    key_token="key-token",
)
SECOND_QUEUE = "[second]\nstrategy=ringall\n" + "".join(
    f"member => PJSIP/{name},0,{name},PJSIP/{name}\n" for name in ("agent1", "agent2")
)
FAST = AmiTiming(ping_every_s=1.0, ping_reply_s=2.0, retry_first_s=0.1, retry_most_s=0.5, refused_s=0.5)
_PART_SCORE = 0.5


def _voice(name: str) -> Audio:
    """Quieter than a prompt, so that a prompt is recognised under it."""
    return tone(VOICES_HZ[name], level_dbfs=-30)


class RealClock:
    """The machine's time, and ids that count."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def new_id(self) -> str:
        return f"e{next(self._numbers):06d}"


class LabPerson:
    """Somebody at a lab phone; see `tests.contract.world.Person`."""

    def __init__(self, name: str, phone: Phone, prompts: dict[str, Audio], numbers: dict[str, str]) -> None:
        self.name, self.phone = name, phone
        self._prompts, self._numbers = prompts, numbers
        self._since = 0.0

    @property
    def call(self) -> Call:
        """The phone's latest call that is not over."""
        return next(call for call in reversed(self.phone.calls) if not call.ended.is_set())

    @property
    def is_in_call(self) -> bool:
        return any(call.answered.is_set() and not call.ended.is_set() for call in self.phone.calls)

    def listen_anew(self) -> None:
        self._since = time.monotonic()
        for call in self.phone.calls:
            call.rtp.keys = ""

    def has_heard(self, sound: str) -> bool:
        hz = VOICES_HZ.get(sound) or MUSIC_HZ.get(sound)
        if hz is not None:
            return any(listening.hears_tone(call, hz, self._since) for call in self.phone.calls)
        return any(listening.heard_whole(call, self._prompts[sound], self._since) for call in self.phone.calls)

    def has_heard_any(self, sound: str) -> bool:
        piece = self._prompts[sound][:4000]
        heard = (listening.audio(call, self._since) for call in self.phone.calls)
        return any(listening.find(audio, piece).score > _PART_SCORE for audio in heard)

    def has_heard_keys(self) -> bool:
        return any(call.rtp.keys for call in self.phone.calls)

    def mute(self, *, on: bool = True) -> None:
        self.call.mute(on=on)

    async def hold(self) -> None:
        await self.call.hold()

    async def resume(self) -> None:
        await self.call.resume()

    async def hang_up(self) -> None:
        await self.call.hang_up()

    async def transfer(self, to: str) -> None:
        assert await self.call.transfer(self._numbers[to]) == 202

    async def press(self, keys: str) -> None:
        await self.call.press(keys)


class AsteriskWorld:
    """See `tests.contract.world.World`.

    Attributes:
        lab: the Asterisk.
        pbx: the adapter.
        seen: what it emitted.
        prompts: name -> sound, in `da`.
    """

    def __init__(self, lab: Asterisk, folder: Path, media: Media | None = None) -> None:
        self.lab, self.folder, self._media = lab, folder, media or SIDE.media
        self.prompts = {name: spoken(11 + n, seconds) for n, (name, seconds) in enumerate(PROMPTS_S.items())}
        self.library = PromptLibrary(folder / "prompts")
        self._write_prompts()
        self.clock = RealClock()
        self.pbx = self._new_pbx()
        self._running: asyncio.Task[None] | None = None
        self.seen: list[Seen] = []
        self.numbers = {name: str(201 + n) for n, name in enumerate(lab.site.agents)}

    def _new_pbx(self) -> AsteriskPbx:
        return AsteriskPbx(
            access(self.lab),
            self.clock,
            self.library,
            self._media,
            caller_tag=lambda number: f"tag{number[-2:]}",
            language_of=lambda _queue, _language: "da",
            key_token=SIDE.key_token,
            timing=FAST,
        )

    @property
    def page_calls(self) -> PageCalls:
        return self.pbx.page_calls

    @property
    def prompts_folder(self) -> Path | None:
        return self.library.own_folder

    async def live(self) -> None:
        """The adapter connects."""
        before = len(self.seen)
        self._running = asyncio.create_task(self.pbx.run(self.seen.append))
        await until(lambda: len(self.seen) > before, 10, "the adapter is connected")

    async def die(self) -> None:
        """Bagvagt dies: connections are cut, nothing is tidied up, and nothing that it began goes on."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def live_again(self) -> None:
        """A new life, which knows nothing of the one before."""
        self.pbx = self._new_pbx()
        await self.live()

    def _write_prompts(self) -> None:
        at_pbx = self.lab.sounds / "bagvagt"
        for name, audio in self.prompts.items():
            write_wav(self.folder / "prompts" / "da" / f"{name}.wav", audio)
            write_wav(at_pbx / "da" / f"{name}.wav", audio)
        for name in (*TONES.values(), PAUSE):
            path = self.library.find_tone(name).path
            (at_pbx / "tones").mkdir(exist_ok=True)
            shutil.copy(path, at_pbx / "tones" / f"{name}.wav")
            self.prompts[name] = read_wav(path)

    async def until(self, condition: Callable[[], object], within_s: float = 5.0, what: str = "") -> None:
        await until(condition, within_s, what)

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def seat(self, name: str, answers: Answers = "at_once") -> LabPerson:
        phone = await self.lab.phone(
            name,
            audio=_voice(name),
            answer_after_s=None if answers == "never" else 0.0,
            busy=answers == "busy",
        )
        return LabPerson(name, phone, self.prompts, self.numbers)

    async def queue_call(self, agent: LabPerson) -> tuple[LabPerson, LiveCall]:
        """A caller reaches the seated agent by the queue; both hear each other, and the adapter shows the call."""
        phone = await self.lab.caller(audio=_voice("caller"))
        caller = LabPerson("caller", phone, self.prompts, self.numbers)
        calls = len(agent.phone.calls)
        agent.listen_anew()
        await phone.dial("1000")
        await until(lambda: len(agent.phone.calls) > calls and agent.is_in_call, 10, "the agent answers")
        await until(lambda: caller.has_heard(agent.name) and agent.has_heard("caller"), 5, "both hear each other")
        await until(lambda: self.calls(agent.name), 5, "the adapter shows the call")
        caller.listen_anew()
        agent.listen_anew()
        return caller, self.calls(agent.name)[-1]

    def calls(self, agent: str) -> tuple[LiveCall, ...]:
        """The agent's calls in one bridge, as the adapter shows them."""
        return tuple(c for c in self.pbx.calls_of(AgentId(agent)) if c.bridge is not None)

    async def throw_voice_out(self, call: LiveCall) -> None:
        await self.lab.cli(f"bridge kick {call.bridge} {self.voice_in(call)}")

    def voice_in(self, call: LiveCall) -> str:
        """The channel of the announcer that stands in this call's bridge."""
        tracker, bridge = self.pbx.tracker, call.bridge or ""
        names = (tracker.channel_name(leg) for leg in set(tracker.legs_in(bridge)) - set(tracker.people_in(bridge)))
        return next(name for name in names if name is not None)

    async def pauses(self, agent: str) -> dict[str, str | None]:
        async with Ami(self.lab) as ami:
            await ami.send("QueueStatus")
            await ami.event("QueueStatusComplete")
            members = [e for e in ami.events if e.get("Event") == "QueueMember" and e["Name"] == agent]
        return {e["Queue"]: e["PausedReason"] if e["Paused"] == "1" else None for e in members}

    async def pause_by_hand(self, agent: str, queue: str, reason: str) -> None:
        async with Ami(self.lab) as ami:
            paused = "true" if reason else "false"
            reply = await ami.send(
                "QueuePause", Interface=f"PJSIP/{agent}", Queue=queue, Paused=paused, Reason=reason or "none"
            )
        assert reply["Response"] == "Success"

    async def lose_connection(self) -> None:
        shown = await self.lab.cli("manager show connected")
        ours = [line.split() for line in shown.splitlines() if line.startswith(f"  {SIDE.ami_user} ")]
        for line in ours or [line.split() for line in shown.splitlines() if SIDE.ami_user in line.split()[:1]]:
            await self.lab.cli(f"manager kick session {line[4]}")

    async def kill_pbx(self) -> None:
        await self.lab.kill()

    async def start_pbx(self) -> None:
        await self.lab.start()


def access(lab: Asterisk) -> AsteriskAccess:
    """How the adapter reaches this Asterisk, with the snippets' own users."""
    host, port = lab.ami
    return AsteriskAccess(host, port, SIDE.ami_user, SIDE.ami_secret, lab.http, SIDE.ari_user, SIDE.ari_password)


def site(side: AsteriskSide = SIDE, **more: object) -> Site:
    """A lab site with the snippets in place, as a PBX engineer would put them."""
    extra = {
        **asterisk_snippets(side),
        "queues.d/second.conf": SECOND_QUEUE,
        # The lab's agents dial out by `_X.`, and a context's own pattern wins over an include.
        "extensions.d/speed-dials.conf": "[from-agent](+)\n"
        + "".join(f"exten => {e},1,Goto(bagvagt-keys,{e},1)\n" for e in side.speed_dials.values()),
    }
    wanted: dict[str, object] = {
        "extra": extra,
        "before_queue": ("Set(__DYNAMIC_FEATURES=bagvagt)",),
        "agent_includes": ("bagvagt-keys",),
        **more,
    }
    return Site(**wanted)  # type: ignore[arg-type]  # checked by Site itself


@contextlib.asynccontextmanager
async def open_world(folder: Path) -> AsyncIterator[AsteriskWorld]:
    """A fresh Asterisk with the adapter connected to it."""
    root = _lab().path
    assert root is not None
    async with open_world_at(Asterisk(root, site()), folder) as world:
        yield world


@contextlib.asynccontextmanager
async def open_world_at(lab: Asterisk, folder: Path, media: Media | None = None) -> AsyncIterator[AsteriskWorld]:
    """The same with a lab that was made before and not started."""
    world: AsteriskWorld | None = None
    try:
        await lab.start()
        world = AsteriskWorld(lab, folder, media)
        await world.live()
        yield world
    finally:
        if world is not None:
            await world.die()
        await lab.close()
