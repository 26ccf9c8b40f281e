"""What the voice channel's tests stand on: a PBX that does as it is told, by hand."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

from adapters.paging.voice import VoiceChannel, VoiceConfig
from adapters.paging.voice_call import About, Heard, News, Standing, Words, page_leg
from adapters.prompts.library import PromptLibrary
from policies.actions import Notify, StandDown
from policies.events import Event, MessageReported, Report
from policies.model import LegId
from telephony.errors import PbxError
from tests.adapters.paging.stage import HandClock, alarm
from tests.lab.waiting import until

ADDRESS = "PJSIP/+4520304051@trunk"
LEG = page_leg("p-1-backup.0")
OTHER_LEG = page_leg("p-2-backup.0")


class HandCaller:
    """Fits `adapters.paging.voice_call.Caller`; a test says what happens.

    Attributes:
        placed: (leg, ring_s, caller_id) of each call that was asked for.
        said: (leg, the prompts), oldest first.
        hung_up: legs.
        there: what the PBX has.
        fails: raised by the command of this name.
        blocks: while this is not set, `place` waits.
    """

    def __init__(self) -> None:
        self.placed: list[tuple[LegId, float, str]] = []
        self.said: list[tuple[LegId, tuple[str, ...]]] = []
        self.hung_up: list[LegId] = []
        self.there: dict[LegId, Standing] = {}
        self.fails: dict[str, PbxError] = {}
        self.blocks = asyncio.Event()
        self.blocks.set()
        self._told: Callable[[News], None] = lambda _news: None
        self._up, self._lost = asyncio.Event(), asyncio.Event()

    def come_up(self) -> None:
        self._lost = asyncio.Event()
        self._up.set()

    def go_down(self) -> None:
        self._up.clear()
        self._lost.set()

    def happens(self, what: Heard, detail: str = "", leg: LegId = LEG) -> None:
        self._told(News(leg, what, detail))

    async def connected(self) -> asyncio.Event:
        await self._up.wait()
        return self._lost

    @contextlib.contextmanager
    def follow(self, told: Callable[[News], None]) -> Iterator[None]:
        self._told = told
        yield

    async def standing(self) -> Mapping[LegId, Standing]:
        self._fail("standing")
        return dict(self.there)

    async def place(self, leg: LegId, about: About, *, ring_s: float, caller_id: str) -> bool:
        await self.blocks.wait()
        self.placed.append((leg, ring_s, caller_id))
        self._fail("place")
        self.there[leg] = Standing(leg, about, is_up=False)
        return True

    async def say(self, leg: LegId, words: Words, lasts_s: float, *, is_last: bool = False) -> None:
        assert lasts_s > 0
        self._fail("say")
        if is_last:
            self.there[leg] = Standing(leg, None, is_up=True)
        self.said.append((leg, tuple(name for name, _language in words)))

    async def hang_up(self, leg: LegId) -> None:
        self._fail("hang_up")
        self.hung_up.append(leg)
        self.there.pop(leg, None)

    def _fail(self, what: str) -> None:
        if what in self.fails:
            raise self.fails.pop(what)


class VoiceStage:
    """A voice channel over such a PBX, up from the beginning.

    Attributes:
        caller: the PBX.
        channel: what is tested.
        events: what it said.
    """

    def __init__(self, prompts: Path | None = None, **config: float) -> None:
        self.caller = HandCaller()
        self.caller.come_up()
        self.events: list[Event] = []
        made = VoiceConfig(caller_id="70200300", **config)  # type: ignore[arg-type]  # numbers all
        self.channel = VoiceChannel(made, self.caller, PromptLibrary(prompts), HandClock())

    @property
    def reports(self) -> list[tuple[Report, str]]:
        return [(e.report, e.detail) for e in self.events if isinstance(e, MessageReported)]

    async def tell(self, address: str = ADDRESS, **changed: object) -> str:
        return await self.channel.tell(a_call(address, **changed))

    async def answered(self) -> None:
        """The person picks up, and the announcement begins."""
        before = len(self.caller.said)
        self.caller.happens(Heard.ANSWERED)
        await until(lambda: len(self.caller.said) > before)

    async def stand_down(self, by: str, address: str = ADDRESS) -> str:
        told = StandDown(id="a-9", page="p-1-backup", incident="i-7", by=by, told=(("voice", address, "da"),))
        return await self.channel.tell_answered(told, address, "da")


def a_call(address: str = ADDRESS, **changed: object) -> Notify:
    return alarm("voice", address, **changed)


@contextlib.asynccontextmanager
async def running(stage: VoiceStage) -> AsyncIterator[VoiceStage]:
    """Run the channel."""
    task = asyncio.create_task(stage.channel.run(stage.events.append))
    try:
        yield stage
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
