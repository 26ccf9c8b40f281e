"""One call about a page, from the first ring to the last word."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog

from adapters.paging.voice_call import (
    HAS_SOMEBODY,
    PASSED,
    TAKEN,
    About,
    Caller,
    Heard,
    News,
    Words,
    alarm_words,
    length_s,
)
from adapters.prompts.errors import PromptError
from adapters.prompts.library import PromptLibrary
from policies.events import Event, MessageReported, PageAnswered, PagePassed, Report
from policies.model import LegId
from telephony.errors import LegGoneError, PbxError, PbxRejectedError
from telephony.ports import Clock

_log = structlog.get_logger(__name__)

MEANS: Final = "voice"
TAKE, PASS = "1", "3"
NO_KEY: Final = "hung up without an answer"
_SLACK_S = 10.0  # how much longer than it should the PBX may take
_GONE_S = 0.5  # how long after a playback that broke off the end of its leg may be told
_TAIL_S = 0.3  # what the PBX calls said may still be on its way to the ear


@dataclass(frozen=True, slots=True)
class VoiceConfig:
    """How people are rung.

    Attributes:
        caller_id: the number that they see, "" for the trunk's own.
        ring_s: how long a phone rings.
        repeat: how often the announcement is said.
        most_calls: how many calls may be under way when one that is not acute is placed.
        key_s: how long a key is waited for after the last repetition.
    """

    caller_id: str = ""
    ring_s: float = 30.0
    repeat: int = 3
    most_calls: int = 4
    key_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Studio:
    """What all calls share.

    Attributes:
        config: how people are rung.
        caller: the PBX.
        prompts: which there are.
        clock: time and ids of the events.
        emit: where what happened goes.
    """

    config: VoiceConfig
    caller: Caller
    prompts: PromptLibrary
    clock: Clock
    emit: Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class _StoodDown:
    by: str


class Talk:
    """One call, as seen by who follows it.

    Args:
        studio: what all calls share.
        leg: its leg.
        about: what it is about.
        is_up: it was answered already.

    Attributes:
        is_followed: somebody sees to it that `follow` is under way.
        is_up: it was answered.
        is_over: all has been said; it must only be hung up.
    """

    def __init__(self, studio: Studio, leg: LegId, about: About, *, is_up: bool = False) -> None:
        self._studio = studio
        self.leg = leg
        self.about = about
        self.is_up = is_up
        self.is_followed = self.is_over = False
        self._news: asyncio.Queue[News | _StoodDown] = asyncio.Queue()

    def tell(self, news: News) -> None:
        """Take in what has happened to the leg."""
        self._news.put_nowait(news)

    def stand_down(self, by: str) -> None:
        """End it: somebody has the page, or ("") it is taken back."""
        self._news.put_nowait(_StoodDown(by))

    async def follow(self) -> bool:
        """Follow it to its end; return False when it can't be seen any more, and may go on."""
        try:
            return await (self._hang_up() if self.is_over else self._serve())
        except PbxError as error:
            _log.warning("page_call_not_served", message=self.about.message, error=str(error))
            return False

    async def _next(self, within_s: float) -> News | _StoodDown | None:
        try:
            async with asyncio.timeout(within_s):
                return await self._news.get()
        except TimeoutError:
            return None

    async def _serve(self) -> bool:
        config, unheard = self._studio.config, ""
        patience_s = await self._announce() if self.is_up else config.ring_s + _SLACK_S
        while True:
            news = await self._next(patience_s)
            if news is None:
                self._report(Report.FAILED, unheard or (NO_KEY if self.is_up else "no answer"))
                return await self._hang_up()
            if isinstance(news, _StoodDown):
                return await self._stand_down(news.by)
            match news.what:
                case Heard.LOST:
                    return False
                case Heard.GONE:
                    self.ended(news.detail)
                    return True
                case Heard.NOT_SAID:  # also where somebody hangs up in its middle: then the end is told right after
                    unheard, patience_s = "the PBX could not play the announcement", _GONE_S
                case Heard.SAID:
                    patience_s = config.key_s
                case Heard.KEY if news.detail in (TAKE, PASS):
                    return await self._answered(is_taken=news.detail == TAKE)
                case _:  # picked up, or a key without a meaning
                    patience_s = await self._announce()

    async def _announce(self) -> float:
        """Say, from the beginning, what it is; return how long something should take to happen."""
        self.is_up = True
        self._report(Report.DELIVERED)
        return await self._say(alarm_words(self.about, self._studio.config.repeat))

    async def _answered(self, *, is_taken: bool) -> bool:
        event = PageAnswered if is_taken else PagePassed
        self._studio.emit(event(**self._stamp(), page=self.about.page, by=self.about.person, means=MEANS))
        return await self._farewell(TAKEN if is_taken else PASSED)

    async def _stand_down(self, by: str) -> bool:
        if not by or not self.is_up:
            return await self._hang_up()
        return await self._farewell(TAKEN if by == self.about.person else HAS_SOMEBODY)

    async def _farewell(self, prompt: str) -> bool:
        """Say one last thing, and hang up. Who took the page a moment after somebody else is told so."""
        self.is_over = True
        patience_s = await self._say([(prompt, self.about.language)])
        while (news := await self._next(patience_s)) is not None:
            if isinstance(news, _StoodDown):
                if prompt == TAKEN and news.by not in ("", self.about.person):
                    prompt = HAS_SOMEBODY
                    patience_s = await self._say([(prompt, self.about.language)])
            elif news.what in (Heard.GONE, Heard.LOST):
                return news.what is Heard.GONE
            elif news.what is Heard.SAID:
                await asyncio.sleep(_TAIL_S)
                break
            elif news.what is Heard.NOT_SAID:
                break
        return await self._hang_up()

    async def _say(self, words: Words) -> float:
        """Silence what plays, and play these; return how long to wait for their end."""
        self._forget_said()
        lasts_s = 0.0
        try:
            lasts_s = length_s(self._studio.prompts, words)
            await self._studio.caller.say(self.leg, words, lasts_s, is_last=self.is_over)
        except PromptError as error:
            _log.error("page_prompt_missing", error=str(error))
            self.tell(News(self.leg, Heard.NOT_SAID))
        except (LegGoneError, PbxRejectedError) as error:  # its end is told, or patience ends
            _log.info("page_call_not_spoken_to", message=self.about.message, error=str(error))
        return lasts_s + _SLACK_S

    def _forget_said(self) -> None:
        """Drop the news that something was said: it is about what was said before."""
        news = [self._news.get_nowait() for _ in range(self._news.qsize())]
        for each in news:
            if isinstance(each, _StoodDown) or each.what not in (Heard.SAID, Heard.NOT_SAID):
                self._news.put_nowait(each)

    async def _hang_up(self) -> bool:
        self.is_over = True
        await self._studio.caller.hang_up(self.leg)
        return True

    def ended(self, why: str) -> None:
        """Report that it ended without a key; `why` counts where nobody had answered."""
        self._report(Report.FAILED, NO_KEY if self.is_up else why)

    def _report(self, report: Report, detail: str = "") -> None:
        about = self.about
        _log.info("page_call", page=about.page, message=about.message, report=report.value, detail=detail)
        self._studio.emit(MessageReported(**self._stamp(), message=about.message, report=report, detail=detail))

    def _stamp(self) -> dict[str, Any]:
        return {"id": self._studio.clock.new_id(), "at": self._studio.clock.now()}
