"""What the procedures share: the two connections, the picture of the PBX, and how to wait for what a leg does.

Channels that Bagvagt makes are named after the action that asked for them, so that a later action (stop, leave), or
the next life of the service, finds them. Legs are addressed by Uniqueid throughout: AMI and ARI take it wherever they
take a channel's name (seen on Asterisk 22.10), and a name is used again by the next call.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

import structlog

from adapters.asterisk.ami import AmiClient
from adapters.asterisk.ami_codec import Message
from adapters.asterisk.ari import AriClient
from adapters.asterisk.ari_codec import AriEvent, Bridge, Statistics, decode_bridge, decode_statistics
from adapters.asterisk.legs import LegNews
from adapters.asterisk.queues import AgentRecord
from adapters.asterisk.snippets import Media
from adapters.asterisk.tracker import Tracker
from adapters.prompts.library import PromptLibrary
from policies.model import LegId
from telephony.errors import LegGoneError, PbxError, PbxRejectedError, PbxTimeoutError

log = structlog.get_logger(__name__)

_UNSAFE = re.compile(r"[^A-Za-z0-9.-]")
_NO_NUMBER = re.compile(r"[^0-9+*#]")
EVENT_S = 5.0
"""How long the PBX's own event may lag behind its reply, in seconds."""
LOOK_S = 10.0
"""How long a lost connection may take to come back before an outcome is given up as unknown, in seconds."""

News = tuple[LegId, LegNews, str]

# Q.850 causes that people have words for.
_CAUSES = {
    "1": "no such number",
    "16": "hung up",
    "17": "busy",
    "18": "no answer",
    "19": "no answer",
    "20": "not reachable",
    "21": "rejected",
    "27": "not reachable",
    "34": "congestion",
    "38": "congestion",
    "41": "congestion",
    "42": "congestion",
}


def cause_words(cause: str) -> str:
    """Return why a leg is gone, in words."""
    return _CAUSES.get(cause, f"cause {cause}")


def shown_as_bagvagt(number: str) -> str:
    """Return the caller id of a call to somebody outside, "" for the trunk's own."""
    number = _NO_NUMBER.sub("", number)
    return f'"Bagvagt" <{number}>' if number else ""


def announcer_leg(action: str) -> LegId:
    """Return the leg that speaks for this action."""
    return LegId(f"bagvagt-say-{_UNSAFE.sub('-', action)[:100]}")


def playback_id(action: str) -> str:
    """Return the id of this action's playback."""
    return f"bagvagt-play-{_UNSAFE.sub('-', action)[:100]}"


def rung_leg(action: str) -> LegId:
    """Return the leg of the one who is rung by this action."""
    return LegId(f"bagvagt-ring-{_UNSAFE.sub('-', action)[:100]}")


async def first_of(*futures: "asyncio.Future[AriEvent]", within_s: float) -> None:
    """Wait for the first of these.

    Raises:
        PbxTimeoutError: none came, or the websocket was lost.
    """
    done, _ = await asyncio.wait(futures, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    if not done:
        raise PbxTimeoutError("ARI event", f"none within {within_s:g} s")
    for future in done:
        future.result()


@dataclass
class Desk:
    """What every procedure works with.

    Attributes:
        ami: commands, and the events behind `tracker`.
        ari: the announcer's voice, and outgoing calls.
        tracker: what the PBX shows.
        media: where the PBX finds prompts.
        prompts: which prompts there are, and how long they are.
        stamp: id and time of a new event.
        language_of: (queue, the channel's language) -> in which language prompts are played.
        agents: the policy's agents, may be none.
        outside_number: shown to somebody outside who is rung, "" for the trunk's own.
        is_connected: set while both connections are up and the PBX was read.
    """

    ami: AmiClient
    ari: AriClient
    tracker: Tracker
    media: Media
    prompts: PromptLibrary
    stamp: Callable[[], dict[str, Any]]
    language_of: Callable[[str, str], str]
    agents: tuple[AgentRecord, ...] = ()
    outside_number: str = ""
    is_connected: asyncio.Event = field(default_factory=asyncio.Event)
    _tidying: set[asyncio.Task[None]] = field(default_factory=set)

    async def statistics(self, leg: LegId) -> Statistics | PbxError:
        """Return what a leg was sent so far; an error as a value, since it is evidence that is missing."""
        try:
            return decode_statistics(await self.ari.ask("GET", f"channels/{leg}/rtp_statistics"))
        except PbxError as error:
            return error

    async def legs_on_pbx(self, bridge: str) -> frozenset[LegId]:
        """Read on the PBX who stands in a bridge now; nobody when there is no such bridge.

        ARI, though AMI answers in 0.3 ms against 0.4: in JSON no caller's name or number can pass for another field.

        Raises:
            PbxError: it could not be read.
        """
        return frozenset(LegId(leg) for leg in (await self._bridge_on_pbx(bridge)).channels)

    async def bridge_of(self, leg: LegId) -> Bridge | PbxError:
        """Read the bridge that a leg stands in by our picture; an error as a value, as in `statistics`."""
        try:
            return await self._bridge_on_pbx(self.tracker.bridge_of(leg) or "none")
        except PbxError as error:
            return error

    async def _bridge_on_pbx(self, bridge: str) -> Bridge:
        try:
            return decode_bridge(await self.ari.ask("GET", f"bridges/{bridge}"))
        except LegGoneError:
            return Bridge(bridge)

    async def is_there(self, leg: LegId) -> bool:
        """Read on the PBX whether a leg exists; one that could not be read is said not to.

        Used where it decides between two ways not to have been heard.
        """
        try:
            await self.ari.ask("GET", f"channels/{leg}")
        except PbxError:
            return False
        return True

    async def has_extension(self, context: str, extension: str) -> bool:
        """Read what the dialplan would run there: a Redirect to what is missing hangs the leg up, and says success.

        Asked each time: AMI tells of a `dialplan reload` only to users with more rights than ours.

        Raises:
            PbxError: it could not be read.
        """
        try:
            _, steps = await self.ami.send_list("ShowDialPlan", Context=context, Extension=extension)
        except PbxRejectedError:
            return False
        return any(step.get("Context") == context and step.get("Priority") == "1" for step in steps)

    def shares_bridge(self, leg: LegId, other: LegId) -> bool:
        """Tell whether two legs stand in one bridge, by our picture."""
        bridge = self.tracker.bridge_of(leg)
        return bridge is not None and bridge == self.tracker.bridge_of(other)

    async def members_on_pbx(self) -> list[Message]:
        """Read every queue member on the PBX.

        Raises:
            PbxError: it could not be read.
        """
        _, entries = await self.ami.send_list("QueueStatus")
        return [entry for entry in entries if entry.name == "QueueMember"]

    def later(self, work: Coroutine[Any, Any, object]) -> None:
        """Do this beside, also when whoever asked is cancelled: a leg of ours must not linger."""

        async def tidy() -> None:
            try:
                await work
            except PbxError as error:
                log.info("tidying_failed", error=str(error))

        task = asyncio.create_task(tidy(), name="asterisk-tidy")
        self._tidying.add(task)
        task.add_done_callback(self._tidying.discard)

    @contextlib.contextmanager
    def news_of(self, *legs: LegId) -> Iterator["asyncio.Queue[News]"]:
        """Give a queue of what happens to these legs from now on."""
        queue: asyncio.Queue[News] = asyncio.Queue()

        def teller(leg: LegId) -> Callable[[LegNews, str], None]:
            return lambda news, detail: queue.put_nowait((leg, news, detail))

        stops = [self.tracker.watch(leg, teller(leg)) for leg in legs]
        try:
            yield queue
        finally:
            for stop in stops:
                stop()

    async def connected_again(self, within_s: float = LOOK_S) -> bool:
        """Wait until the PBX was read (anew); tell whether it was."""
        try:
            async with asyncio.timeout(within_s):
                await self.is_connected.wait()
        except TimeoutError:
            return False
        return True
