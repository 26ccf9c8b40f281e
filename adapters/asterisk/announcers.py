"""The voice that speaks into a call: one announcer leg for each caller, which joins once and stays.

It stays because a leg can go deaf when announcers join and leave one call again and again: from the second join on, no
packet reaches the phone, and every event says success (seen on Asterisk 22.10). See ADR 4.

A third leg in the bridge must never keep a call alive: with three in it, an agent who hangs up by hand leaves the
caller alone with a silent announcer. So it leaves with the agent, at once; and, should Bagvagt have died, by itself:
the dialplan gives it `ALIVE_S` to live, and only Bagvagt renews that. `TIMEOUT(absolute)` works on the half that runs
the dialplan; ARI refuses to set it there (that half is not in Stasis) and AMI's Setvar does.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from weakref import WeakValueDictionary

from adapters.asterisk.ami_codec import Message
from adapters.asterisk.legs import LegNews
from adapters.asterisk.procedures import EVENT_S, Desk, announcer_leg, first_of, log
from adapters.asterisk.snippets import ALIVE_S, JOIN
from policies.model import LegId
from telephony.errors import LegGoneError, PbxError, PbxRejectedError, PbxUnreachableError

RENEW_S = 8.0
"""Two renewals may be lost before an announcer leaves a call that is being served."""
_AGAIN_S = 0.5
_TWO = 2
_NAME = f"Local/join@{JOIN}-"


@dataclass(eq=False)
class Announcer:
    """One announcer leg.

    Attributes:
        caller: whose call it stands in.
        leg: the half that plays.
        is_gone: it was hung up, or is being so.
        has_music: it plays music for one who is held.
    """

    caller: LegId
    leg: LegId
    is_gone: bool = False
    has_music: bool = False
    watches: list[Callable[[], None]] = field(default_factory=list)
    renewing: asyncio.Task[None] | None = None

    @property
    def other_half(self) -> LegId:
        """The half that stands in the call's bridge."""
        return LegId(f"{self.leg}-2")


class Announcers:
    """All announcers of one PBX.

    Args:
        desk: the connections and the picture.
        renew_s: seconds between two signs of life.
    """

    def __init__(self, desk: Desk, renew_s: float = RENEW_S) -> None:
        self._desk = desk
        self._renew_s = renew_s
        self._standing: dict[LegId, Announcer] = {}
        self._turns: WeakValueDictionary[LegId, asyncio.Lock] = WeakValueDictionary()
        self._numbers = itertools.count(1)

    @contextlib.asynccontextmanager
    async def turn(self, caller: LegId) -> AsyncIterator[None]:
        """Wait until nobody else speaks to this caller: two prompts at once could not be told apart by packets."""
        async with self._turns.setdefault(caller, asyncio.Lock()):
            yield

    async def beside(self, caller: LegId, action: str) -> Announcer:
        """Return the announcer that stands with this caller; it joins if none does.

        Raises:
            LegGoneError: there is no conversation to join.
            PbxError: it could not join, or nobody knows.
        """
        standing = self._standing.get(caller)
        if standing is not None and self._desk.shares_bridge(caller, standing.other_half):
            return standing
        self.drop(caller)
        if not self._is_needed(caller):
            raise LegGoneError("join", "the caller is in no conversation now")
        name = announcer_leg(action)
        return await self._join(Announcer(caller, LegId(f"{name}-{next(self._numbers)}")))

    async def _join(self, announcer: Announcer) -> Announcer:
        desk = self._desk
        for leg in (announcer.leg, announcer.other_half):
            desk.tracker.ours(leg)
        self._standing[announcer.caller] = announcer
        self._watch(announcer)
        try:
            async with (
                desk.ari.expecting("StasisStart", announcer.leg) as joined,
                desk.ari.expecting("ChannelDestroyed", announcer.leg) as gone,
            ):
                await desk.ari.ask("POST", "channels", _channel(desk, announcer))
                await first_of(joined, gone, within_s=EVENT_S)
                has_joined = joined.done()
        except BaseException:
            self.drop(announcer.caller)
            desk.later(self._hang_up(announcer, after_s=_AGAIN_S))  # the PBX may have been making it just then
            raise
        if announcer.is_gone or not has_joined:
            self.drop(announcer.caller)
            desk.later(self._hang_up(announcer))
            raise LegGoneError("join", "the announcer could not join")
        announcer.renewing = asyncio.create_task(self._renew(announcer), name="announcer-alive")
        return announcer

    def drop(self, caller: LegId) -> bool:
        """Let the caller's announcer go, at once; return whether there was one."""
        announcer = self._standing.pop(caller, None)
        if announcer is None:
            return False
        announcer.is_gone = True
        for stop in announcer.watches:
            stop()
        if announcer.renewing is not None:
            announcer.renewing.cancel()
        self._desk.later(self._hang_up(announcer))
        return True

    def drop_all(self) -> None:
        """Let every announcer go: the PBX is not seen any more. What does not reach it, its dialplan does."""
        for caller in list(self._standing):
            self.drop(caller)

    async def tidy(self, channels: Iterable[Message]) -> None:
        """Hang up what an earlier life of the service, or of the connection, left in calls.

        Args:
            channels: `CoreShowChannel` entries.
        """
        ours = {a.other_half for a in self._standing.values()}
        for message in channels:
            leg = message.last("Uniqueid")
            if message.get("Channel").startswith(_NAME) and message.get("Channel").endswith(";2") and leg not in ours:
                log.info("announcer_left_over", leg=leg)
                with contextlib.suppress(PbxRejectedError):
                    await self._desk.ami.send("Hangup", Channel=leg)

    # Who is left in the call.

    def _is_needed(self, caller: LegId) -> bool:
        """Tell whether somebody but us is in a bridge with the caller."""
        bridge = self._desk.tracker.bridge_of(caller)
        return bridge is not None and len(self._desk.tracker.people_in(bridge)) > 1

    def _watch(self, announcer: Announcer) -> None:
        tracker = self._desk.tracker
        for stop in announcer.watches:
            stop()
        people = tracker.people_in(tracker.bridge_of(announcer.caller) or "")
        announcer.watches = [
            tracker.watch(leg, partial(self._on_news, announcer)) for leg in {announcer.caller, *people}
        ]
        announcer.watches.append(tracker.watch(announcer.other_half, partial(self._on_own_news, announcer)))

    def _on_news(self, announcer: Announcer, news: LegNews, _detail: str) -> None:
        if announcer.is_gone or news in (LegNews.ANSWERED, LegNews.ENTERED):
            return
        if news in (LegNews.HELD, LegNews.RESUMED):
            self._desk.later(self.music(announcer, on=news is LegNews.HELD))
            return
        if news is LegNews.LOST or not self._is_needed(announcer.caller):
            self.drop(announcer.caller)
        else:
            self._watch(announcer)

    def _on_own_news(self, announcer: Announcer, news: LegNews, _detail: str) -> None:
        if news in (LegNews.LEFT, LegNews.GONE) and not announcer.is_gone:
            self.drop(announcer.caller)

    async def music(self, announcer: Announcer, *, on: bool) -> None:
        """Play the music that one who is held hears: with three legs in the bridge Asterisk itself plays none (22.10).

        Raises:
            PbxError: it did not begin, or end.
        """
        if on == announcer.has_music or announcer.is_gone:
            return
        bridge = self._desk.tracker.bridge_of(announcer.caller) or ""
        if on and (len(self._desk.tracker.people_in(bridge)) != _TWO or not self._desk.tracker.is_held(bridge)):
            return  # the others can talk, or it is over already
        announcer.has_music = on
        await self._desk.ari.ask("POST" if on else "DELETE", f"channels/{announcer.leg}/moh")

    # Signs of life.

    async def _renew(self, announcer: Announcer) -> None:
        while not announcer.is_gone:
            try:
                await self._desk.ami.send(
                    "Setvar", Channel=announcer.other_half, Variable="TIMEOUT(absolute)", Value=ALIVE_S
                )
            except PbxRejectedError:
                if not announcer.is_gone:
                    self.drop(announcer.caller)
            except PbxError as error:
                log.info("announcer_not_renewed", error=str(error))
            await asyncio.sleep(self._renew_s)

    async def _hang_up(self, announcer: Announcer, after_s: float = 0.0) -> None:
        await asyncio.sleep(after_s)
        try:
            await self._desk.ari.ask("DELETE", f"channels/{announcer.leg}")
        except LegGoneError:
            log.debug("announcer_gone_already", leg=announcer.leg)
        except PbxUnreachableError:
            await self._desk.ami.send("Hangup", Channel=announcer.other_half)


def _channel(desk: Desk, announcer: Announcer) -> dict[str, object]:
    return {
        "endpoint": f"Local/join@{JOIN}/n",
        "app": desk.ari.app,
        "channelId": announcer.leg,
        "otherChannelId": announcer.other_half,
        "variables": {"BAGVAGT_LEG": announcer.caller},
    }
