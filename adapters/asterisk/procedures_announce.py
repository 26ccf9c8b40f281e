"""Speaking into a live call: the announcement, the evidence that it was heard, and the agent's own short tones.

An announcer leg (a Local channel) joins the bridge that caller and agent stand in and plays the prompt there; the call
is not moved. `whisper` would be one channel less, but is not heard where the agent's phone sends nothing.
"""

import asyncio
from dataclasses import dataclass

from adapters.asterisk.ari_codec import AriEvent, Statistics
from adapters.asterisk.legs import LegNews
from adapters.asterisk.procedures import EVENT_S, Desk, News, announcer_leg, log, playback_id
from adapters.asterisk.snippets import ANSWER, JOIN, TONES
from adapters.prompts.errors import PromptError
from policies.actions import Announce, StopAnnouncement, Tell, Verdict
from policies.events import ActionFinished, AnnouncementFinished, Played
from policies.model import AgentId, LegId, Outcome
from policies.reasons import Reason
from telephony.errors import LegGoneError, PbxError, PbxTimeoutError

HEARD_SHARE = 0.9
"""Of the packets that the prompt takes; the first and last 20 ms belong to nobody for sure."""
_PLAY_SLACK_S = 10.0
# "Finished" means handed to the bridge: its last 20 ms or more are still in the mixer, and are lost with the leg.
_TAIL_S = 0.2
# Bytes of one packet -> its length: G.711 and G.722, G.729, GSM, iLBC (RFC 3551 §4.5; RFC 3952).
_PACKET_S = {
    160: 0.02,
    240: 0.03,
    320: 0.04,
    480: 0.06,
    20: 0.02,
    30: 0.03,
    40: 0.04,
    33: 0.02,
    66: 0.04,
    38: 0.02,
    50: 0.03,
}


def packet_s(packets: int, octets: int) -> float:
    """Return the length of one packet in seconds, from what was sent; 0.02 where the codec does not show it."""
    return _PACKET_S.get(round(octets / packets), 0.02) if packets > 0 else 0.02


def was_sent(before: Statistics, after: Statistics, play_s: float) -> tuple[int, bool]:
    """Return how many packets the leg was sent between two readings, and whether that is the whole prompt."""
    anew = after.local_ssrc != before.local_ssrc or after.txcount < before.txcount
    packets = after.txcount if anew else after.txcount - before.txcount
    octets = after.txoctetcount if anew else after.txoctetcount - before.txoctetcount
    return packets, packets >= HEARD_SHARE * play_s / packet_s(packets, octets)


@dataclass(frozen=True, slots=True)
class _Went:
    played: Played
    detail: str = ""
    packets: int = 0


class Announcing:
    """Carries out `Announce`, `StopAnnouncement` and `Tell`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._running: set[str] = set()
        self._stopped: set[str] = set()
        self._waiting: dict[AgentId, LegId] = {}

    async def announce(self, action: Announce) -> AnnouncementFinished:
        """Play into the live call, heard by both, and measure what the caller's leg was sent."""
        play_s = 0.0
        self._running.add(action.id)
        try:
            play_s = self._desk.prompts.find(action.prompt, action.language).duration_s
            went = await self._announce(action, play_s)
        except PromptError as error:
            went = _Went(Played.FAILED, str(error))
        except PbxTimeoutError as error:
            went = _Went(Played.UNKNOWN, str(error))
        except PbxError as error:
            went = _Went(Played.FAILED, str(error))
        finally:
            was_stopped = action.id in self._stopped
            self._running.discard(action.id)
            self._stopped.discard(action.id)
        if was_stopped and went.played is not Played.UNKNOWN:
            went = _Went(Played.STOPPED, went.detail, went.packets)
        return AnnouncementFinished(
            **self._desk.stamp(),
            action=action.id,
            call=action.call,
            caller=action.caller,
            played=went.played,
            packets=went.packets,
            play_s=play_s,
            detail=went.detail,
        )

    async def _announce(self, action: Announce, play_s: float) -> _Went:
        desk, announcer = self._desk, announcer_leg(action.id)
        other_half, playback = LegId(f"{announcer}-2"), playback_id(action.id)
        desk.tracker.ours(announcer)
        desk.tracker.ours(other_half)
        with desk.news_of(action.caller) as caller_news:
            async with (
                desk.ari.expecting("StasisStart", announcer) as joined,
                desk.ari.expecting("ChannelDestroyed", announcer) as gone,
                desk.ari.expecting("PlaybackFinished", playback) as finished,
            ):
                # Read while the announcer is on its way: nothing waits for it before the caller hears something.
                reading = asyncio.create_task(desk.statistics(action.caller), name="before-announcement")
                try:
                    await desk.ari.ask("POST", "channels", _announcer(desk, action.caller, announcer, other_half))
                    await _first(joined, gone, within_s=EVENT_S)
                    if action.id in self._stopped or not joined.done():
                        return _Went(Played.FAILED, "the announcer could not join")
                    media = desk.media.uri(action.prompt, action.language)
                    await desk.ari.ask("POST", f"channels/{announcer}/play/{playback}", {"media": media})
                    await _first(finished, gone, within_s=play_s * 2 + _PLAY_SLACK_S)
                    state = finished.result().playback if finished.done() else None
                    if state is None or state.state != "done":
                        return _Went(Played.FAILED, f"playback of {media}: {state.state if state else 'leg gone'}")
                    after = await desk.statistics(action.caller)
                    here, there = desk.tracker.bridge_of(action.caller), desk.tracker.bridge_of(other_half)
                    together = here is not None and here == there
                    return _judge(await reading, after, play_s, _drained(caller_news), together=together)
                finally:
                    reading.cancel()
                    desk.later(_hang_up_announcer(desk, announcer, after_s=_TAIL_S))

    async def stop(self, action: StopAnnouncement) -> ActionFinished:
        """Silence an announcement: its playback, and its leg, wherever it has come to."""
        if action.announcement in self._running:
            self._stopped.add(action.announcement)
        desk, outcome, detail = self._desk, Outcome.DONE, ""
        try:
            try:
                await desk.ari.ask("DELETE", f"playbacks/{playback_id(action.announcement)}")
            except LegGoneError:
                await _hang_up_announcer(desk, announcer_leg(action.announcement))
        except PbxTimeoutError as error:
            outcome, detail = Outcome.UNKNOWN, str(error)
        except PbxError as error:
            outcome, detail = Outcome.FAILED, str(error)
        return ActionFinished(**desk.stamp(), action=action.id, outcome=outcome, detail=detail)

    # The agent's own tones.

    def waits_for_answer(self, agent: AgentId, leg: LegId) -> None:
        """Note that this leg pressed a key by speed dial and waits two seconds for its tone."""
        self._waiting[agent] = leg

    async def signal(self, action: Tell) -> ActionFinished:
        """Let the agent alone hear a short tone: in the speed dial's own call, else in the call; best effort."""
        outcome, detail = Outcome.DONE, ""
        speed_dial = self._waiting.pop(action.agent, None)
        try:
            if speed_dial is not None and self._desk.tracker.leg_is_up(speed_dial):
                await self._desk.ami.send(
                    "Redirect", Channel=speed_dial, Context=ANSWER, Exten=action.verdict.value, Priority=1
                )
            elif action.agent_leg is None:
                outcome, detail = Outcome.REFUSED, "the agent has no leg"
            elif action.verdict is Verdict.ACCEPTED and action.reason is Reason.WARNING_STARTED:
                detail = "the warning itself is the answer"
            else:
                await self._whisper(action.id, action.agent_leg, TONES[action.verdict.value])
        except PbxTimeoutError as error:
            outcome, detail = Outcome.UNKNOWN, str(error)
        except PbxError as error:
            outcome, detail = Outcome.FAILED, str(error)
        return ActionFinished(**self._desk.stamp(), action=action.id, outcome=outcome, detail=detail)

    async def _whisper(self, action: str, leg: LegId, tone: str) -> None:
        desk, snoop, playback = self._desk, announcer_leg(action), playback_id(action)
        desk.tracker.ours(snoop)
        async with (
            desk.ari.expecting("StasisStart", snoop) as begun,
            desk.ari.expecting("PlaybackFinished", playback) as finished,
        ):
            try:
                body = {"spy": "none", "whisper": "out", "app": desk.ari.app}
                await desk.ari.ask("POST", f"channels/{leg}/snoop/{snoop}", body)
                await _first(begun, within_s=EVENT_S)
                media = desk.media.uri(tone, "tones")
                await desk.ari.ask("POST", f"channels/{snoop}/play/{playback}", {"media": media})
                await _first(finished, within_s=EVENT_S)
            finally:
                desk.later(_hang_up_announcer(desk, snoop, after_s=_TAIL_S))


def _drained(news: "asyncio.Queue[News]") -> set[LegNews]:
    found = set()
    while not news.empty():
        found.add(news.get_nowait()[1])
    return found


def _judge(
    before: Statistics | PbxError, after: Statistics | PbxError, play_s: float, news: set[LegNews], *, together: bool
) -> _Went:
    """Decide what the caller heard of a prompt that ran to its end. Missing evidence means: not heard."""
    if LegNews.LOST in news:
        return _Went(Played.UNKNOWN, "the connection was lost meanwhile")
    if not together or news & {LegNews.LEFT, LegNews.GONE}:
        return _Went(Played.FAILED, "the caller stands elsewhere now")
    if isinstance(before, PbxError) or isinstance(after, PbxError):
        missing = before if isinstance(before, PbxError) else after
        return _Went(Played.NOT_HEARD, f"the caller's leg could not be measured: {missing}")
    packets, whole = was_sent(before, after, play_s)
    return _Went(Played.HEARD if whole else Played.NOT_HEARD, "", packets)


def _announcer(desk: Desk, caller: LegId, announcer: LegId, other_half: LegId) -> dict[str, object]:
    return {
        "endpoint": f"Local/join@{JOIN}/n",
        "app": desk.ari.app,
        "channelId": announcer,
        "otherChannelId": other_half,
        "variables": {"BAGVAGT_LEG": caller},
    }


async def _first(*futures: "asyncio.Future[AriEvent]", within_s: float) -> None:
    """Wait for the first of these.

    Raises:
        PbxTimeoutError: none came, or the websocket was lost.
    """
    done, _ = await asyncio.wait(futures, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    if not done:
        raise PbxTimeoutError("ARI event", f"none within {within_s:g} s")
    for future in done:
        future.result()


async def _hang_up_announcer(desk: Desk, leg: LegId, after_s: float = 0.0) -> None:
    await asyncio.sleep(after_s)
    try:
        await desk.ari.ask("DELETE", f"channels/{leg}")
    except LegGoneError:
        log.debug("announcer_gone_already", leg=leg)
