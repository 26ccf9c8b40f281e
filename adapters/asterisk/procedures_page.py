"""Ringing somebody for a page: the one kind of call that is Bagvagt's own, and so the one that may stand in Stasis.

All that a later life of the service needs stands in the leg's variables. A leg that nobody speaks to is hung up by the
PBX: `TIMEOUT(absolute)` holds in Stasis too, and is set anew with whatever is said. Calls in Stasis stay when the
websocket is lost, what plays goes on, and keys pressed after the reconnect arrive (all seen on Asterisk 22.10). Only
who picks up while it is away is hung up at once, since nobody serves the application then.
"""

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from adapters.asterisk.ari_codec import AriEvent, decode_channels, decode_variable
from adapters.asterisk.procedures import Desk, cause_words, shown_as_bagvagt
from adapters.paging.voice_call import PAGE_LEGS, About, Heard, News, Standing, Words
from policies.model import LegId
from telephony.errors import LegGoneError, PbxRejectedError

ALIVE_S: Final = 20
"""Seconds for which a call stays without a word from Bagvagt, after what is being said."""
_ABOUT, _SAID, _ENDS = "BAGVAGT_PAGE", "BAGVAGT_SAID", "TIMEOUT(absolute)"
_NOTHING_MORE: Final = "over"  # not "": to Asterisk that is no variable, and no variable is no leg
_SAYING = ".say-"
_EXISTS = "409"
_REFUSED: Final = {"400": "the PBX cannot read the address", "500": "the PBX has no such endpoint, or cannot reach it"}
_about = msgspec.json.Decoder(About)


class PageCalls:
    """Fits `adapters.paging.voice_call.Caller`; needs ARI alone.

    Args:
        desk: the connections and the picture.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._told: Callable[[News], None] | None = None
        self._up = asyncio.Event()
        self._lost = asyncio.Event()
        self._said: dict[LegId, int] = {}  # leg -> number of what is said now, or was last

    # The connection, as `AsteriskPbx` sees it.

    def on_up(self) -> None:
        """Note that ARI is up."""
        self._lost = asyncio.Event()
        self._up.set()

    def on_lost(self) -> None:
        """Note that it is not."""
        self._up.clear()
        self._lost.set()
        self._said.clear()

    def on_event(self, event: AriEvent) -> None:
        """Tell what happened to a leg of a page."""
        if self._told is None or not event.subject.startswith(PAGE_LEGS):
            return
        leg = LegId(event.subject)
        match event.type:
            case "StasisStart":
                self._told(News(leg, Heard.ANSWERED))
            case "ChannelDtmfReceived":
                self._told(News(leg, Heard.KEY, event.digit))
            case "ChannelDestroyed":
                self._said.pop(leg, None)
                self._told(News(leg, Heard.GONE, cause_words(str(event.cause))))
            case "PlaybackFinished" if event.playback is not None:
                name, _, number = event.subject.rpartition(_SAYING)
                if str(self._said.get(LegId(name))) == number:  # else it was silenced
                    heard = Heard.SAID if event.playback.state == "done" else Heard.NOT_SAID
                    self._told(News(LegId(name), heard))

    # The port.

    async def connected(self) -> asyncio.Event:
        """Wait until ARI is up; return what is set when it is lost."""
        await self._up.wait()
        return self._lost

    @contextlib.contextmanager
    def follow(self, told: Callable[[News], None]) -> Iterator[None]:
        """Have `told` called with what happens."""
        self._told = told
        try:
            yield
        finally:
            self._told = None

    async def standing(self) -> Mapping[LegId, Standing]:
        """Read our calls, and what they are about."""
        channels = decode_channels(await self._desk.ari.ask("GET", "channels"))
        found = {}
        for channel in channels:
            leg = LegId(channel.id)
            if leg.startswith(PAGE_LEGS):
                self._desk.tracker.ours(leg)
                with contextlib.suppress(LegGoneError):
                    found[leg] = Standing(leg, _read(await self._variable(leg, _ABOUT)), channel.state == "Up")
        return found

    async def place(self, leg: LegId, about: About, *, ring_s: float, caller_id: str) -> bool:
        """Ring somebody into our application; False when this leg is there already."""
        self._desk.tracker.ours(leg)
        kept = msgspec.json.encode(about).decode()
        body: dict[str, object] = {
            "endpoint": about.address,
            "app": self._desk.ari.app,
            "channelId": leg,
            "timeout": math.ceil(ring_s),
            "variables": {_ABOUT: kept, _SAID: "0", _ENDS: str(math.ceil(ring_s) + ALIVE_S)},
        }
        if shown := shown_as_bagvagt(caller_id):
            body["callerId"] = shown
        try:
            await self._desk.ari.ask("POST", "channels", body)
        except PbxRejectedError as error:
            status = error.fields.get("status", "")
            if status == _EXISTS:
                return False
            refused = _REFUSED.get(status, f"the PBX refuses the call (HTTP {status})")
            raise PbxRejectedError(error.action, refused, error.fields) from None
        return True

    async def say(self, leg: LegId, words: Words, lasts_s: float, *, is_last: bool = False) -> None:
        """Silence what plays, and play these."""
        desk = self._desk
        before = self._said[leg] if leg in self._said else int(await self._variable(leg, _SAID))
        self._said[leg] = before + 1
        if before:
            with contextlib.suppress(LegGoneError):
                await desk.ari.ask("DELETE", f"playbacks/{leg}{_SAYING}{before}")
        await self._keep(leg, _SAID, str(before + 1))
        await self._keep(leg, _ENDS, str(math.ceil(lasts_s) + ALIVE_S))
        media = [desk.media.uri(name, language) for name, language in words]
        await desk.ari.ask("POST", f"channels/{leg}/play/{leg}{_SAYING}{before + 1}", {"media": media})
        if is_last:
            await self._keep(leg, _ABOUT, _NOTHING_MORE)

    async def hang_up(self, leg: LegId) -> None:
        """End a call, ringing or up."""
        with contextlib.suppress(LegGoneError):
            await self._desk.ari.ask("DELETE", f"channels/{leg}")

    async def _keep(self, leg: LegId, name: str, value: str) -> None:
        await self._desk.ari.ask("POST", f"channels/{leg}/variable", {"variable": name, "value": value})

    async def _variable(self, leg: LegId, name: str) -> str:
        """Return a leg's variable.

        Raises:
            LegGoneError: there is no such leg, or it has none of this name.
        """
        return decode_variable(await self._desk.ari.ask("GET", f"channels/{leg}/variable?variable={name}"))


def _read(text: str) -> About | None:
    try:
        return _about.decode(text)
    except msgspec.MsgspecError:
        return None
