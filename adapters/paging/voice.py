"""The voice channel: the PBX rings a person, says what it is, and takes a key: 1 takes the page, 3 passes it on.

Picking up is no answer, since a voicemail does it too: it is reported as delivered, and only a key counts. Who does not
press one is hung up after the announcement's last repetition; that is reported as failed, so that the next channel need
not wait.

A call goes on without Bagvagt for as long as its announcement lasts, and the PBX ends it soon after. When the PBX can
be seen again, or by the next life of the service, its calls are found there by their legs' names: who still listens
hears the announcement anew.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from adapters.paging.pager import DeliveryUncertainError
from adapters.paging.voice_call import About, Caller, Heard, News, announcement, page_leg, spoken_language
from adapters.paging.voice_talk import MEANS, Studio, Talk, VoiceConfig
from adapters.prompts.library import PromptLibrary
from policies.actions import Notify, ReplyTo, StandDown
from policies.events import ChannelConnected, Event
from policies.model import LegId
from policies.rules import Severity
from telephony.errors import (
    DeliveryDeferredError,
    DeliveryRefusedError,
    PbxError,
    PbxRejectedError,
    PbxUnreachableError,
)
from telephony.ports import Clock

__all__ = ["VoiceChannel", "VoiceConfig"]

_log = structlog.get_logger(__name__)

_PBX_S: Final = 4.0  # with the PBX's own 5 s within the pager's deadline
_BUSY_AGAIN_S: Final = 10.0
_AGAIN_S: Final = 1.0
_PAGES_REMEMBERED: Final = 256
_RINGS: Final = "rings"
_RINGS_ALREADY: Final = "is being rung for it already"


class VoiceChannel:
    """Fits `adapters.paging.pager.Channel`.

    Args:
        config: how people are rung.
        caller: the PBX.
        prompts: which there are.
        clock: time and ids of the events.
    """

    def __init__(self, config: VoiceConfig, caller: Caller, prompts: PromptLibrary, clock: Clock) -> None:
        self._config = config
        self._caller = caller
        self._prompts = prompts
        self._clock = clock
        self._studio: Studio
        self._talks: dict[LegId, Talk] = {}
        self._stood_down: dict[str, str] = {}  # page -> who has it
        self._is_read = asyncio.Event()
        self._tasks: asyncio.TaskGroup

    @property
    def is_connected(self) -> bool:
        """Tell whether the PBX can be seen, and our calls on it were read."""
        return self._is_read.is_set()

    async def run(self, emit: Callable[[Event], None]) -> None:
        """Follow every call to its end, until cancelled."""
        self._studio = Studio(self._config, self._caller, self._prompts, self._clock, emit)
        for talk in self._talks.values():
            talk.is_followed = False
        try:
            with self._caller.follow(self._on_news):
                async with asyncio.TaskGroup() as self._tasks:
                    await self._keep_watch()
        finally:
            self._is_read.clear()

    async def tell(self, action: Notify) -> str:
        """Ring a person; returns when the PBX has taken it, and what becomes of it is reported later."""
        leg = page_leg(action.message)
        await self._until_read()
        if action.page in self._stood_down:
            raise DeliveryRefusedError(MEANS, "somebody has it already")
        if leg in self._talks:
            return _RINGS_ALREADY
        if action.severity is not Severity.ACUTE:
            self._refuse_when_busy(action.address)
        first = announcement(action.reason, action.severity)
        language = spoken_language(self._prompts, action.language, first)
        if language is None:
            raise DeliveryRefusedError(MEANS, f"the prompts of {first} are missing or damaged")
        about = About(action.message, action.page, action.person, action.address, language, first)
        talk = self._talks[leg] = Talk(self._studio, leg, about)
        # By a task of its own: a call that is being placed when this is cancelled is followed all the same.
        placed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        talk.is_followed = True
        self._start(self._place(talk, placed))
        return await placed

    async def tell_answered(self, action: StandDown, address: str, language: str) -> str:  # noqa: ARG002 -- the port's
        """End the calls of this page to this address; nobody is rung to be told."""
        self._stood_down[action.page] = action.by
        if len(self._stood_down) > _PAGES_REMEMBERED:
            del self._stood_down[next(iter(self._stood_down))]
        ours = [t for t in self._talks.values() if (t.about.page, t.about.address) == (action.page, address)]
        for talk in ours:
            talk.stand_down(action.by)
        return "the call is ended" if ours else "no call to end"

    async def reply(self, action: ReplyTo) -> str:  # noqa: ARG002 -- the port's
        """Refuse: nobody replies by voice but in the call itself."""
        raise DeliveryRefusedError(MEANS, "there is nothing to reply to")

    # Placing.

    async def _until_read(self) -> None:
        try:
            async with asyncio.timeout(_PBX_S):
                await self._is_read.wait()
        except TimeoutError:
            raise _failure(PbxUnreachableError("place")) from None

    def _refuse_when_busy(self, address: str) -> None:
        if len(self._talks) >= self._config.most_calls:
            raise DeliveryDeferredError(MEANS, "as many calls as may be are under way", _BUSY_AGAIN_S)
        if any(talk.about.address == address for talk in self._talks.values()):
            raise DeliveryDeferredError(MEANS, "is being rung for something else", _BUSY_AGAIN_S)

    async def _place(self, talk: Talk, placed: "asyncio.Future[str]") -> None:
        config, failure, said = self._config, None, _RINGS
        try:
            if not await self._caller.place(talk.leg, talk.about, ring_s=config.ring_s, caller_id=config.caller_id):
                said = _RINGS_ALREADY
        except PbxError as error:
            failure = _failure(error)
        if not placed.done():  # else whoever asked has gone
            if failure is None:
                placed.set_result(said)
            else:
                placed.set_exception(failure)
        if isinstance(failure, (DeliveryDeferredError, DeliveryRefusedError)):
            del self._talks[talk.leg]
        else:
            await self._follow(talk)

    # Following.

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.create_task(work, name="page-call")

    def _on_news(self, news: News) -> None:
        talk = self._talks.get(news.leg)
        if talk is not None:
            talk.tell(news)

    async def _follow(self, talk: Talk) -> None:
        """Follow a call to its end; one that can't be seen stays among ours, and is taken up again."""
        talk.is_followed = True
        try:
            while not await talk.follow():
                if not self._is_read.is_set():
                    return
                await asyncio.sleep(_AGAIN_S)
        finally:
            talk.is_followed = False
        self._talks.pop(talk.leg, None)

    async def _keep_watch(self) -> None:
        while True:
            lost = await self._caller.connected()
            try:
                await self._take_up()
            except PbxError as error:
                _log.warning("page_calls_not_read", error=str(error))
                await asyncio.sleep(_AGAIN_S)
                continue
            self._is_read.set()
            self._studio.emit(ChannelConnected(id=self._clock.new_id(), at=self._clock.now(), channel=MEANS))
            await lost.wait()
            self._is_read.clear()
            for talk in self._talks.values():
                if talk.is_followed:
                    talk.tell(News(talk.leg, Heard.LOST))

    async def _take_up(self) -> None:
        """Go on with the calls that the PBX has; report those that ended unseen."""
        standing = await self._caller.standing()
        for talk in [t for t in self._talks.values() if not t.is_followed and t.leg not in standing]:
            del self._talks[talk.leg]
            if not talk.is_over:
                talk.ended("the call ended while the PBX could not be seen")
        for leg, seen in standing.items():
            if leg not in self._talks:
                if seen.about is None:
                    await self._caller.hang_up(leg)
                    continue
                self._talks[leg] = Talk(self._studio, leg, seen.about)
            talk = self._talks[leg]
            if talk.is_followed:
                continue
            _log.info("page_call_taken_up", page=talk.about.page, message=talk.about.message, is_up=seen.is_up)
            talk.is_up = seen.is_up
            if talk.about.page in self._stood_down:
                talk.stand_down(self._stood_down[talk.about.page])
            talk.is_followed = True
            self._start(self._follow(talk))


def _failure(error: PbxError) -> Exception:
    """Return what the pager is told; of the PBX's own words only those of a refusal, which hold no number."""
    match error:
        case PbxUnreachableError():
            return DeliveryDeferredError(MEANS, "the PBX cannot be reached")
        case PbxRejectedError():
            return DeliveryRefusedError(MEANS, error.detail)
        case _:  # it may ring, so it is followed
            return DeliveryUncertainError("the PBX did not say whether it rings")
