"""Speaking into a live call: the announcement, the evidence that it was heard, and the agent's own short tones.

An announcer leg (a Local channel, see `announcers`) stands in the bridge with caller and agent and plays the prompt
there; the call is not moved. `whisper` would be one channel less, but is not heard where the agent sends nothing.
"""

import asyncio
import contextlib

from adapters.asterisk.announcers import Announcer, Announcers
from adapters.asterisk.ari_codec import AriEvent
from adapters.asterisk.deafness import CURES, cure, is_deaf
from adapters.asterisk.evidence import GONE, Went, begins, judge, speaks_against
from adapters.asterisk.legs import LegNews
from adapters.asterisk.procedures import EVENT_S, Desk, News, announcer_leg, first_of, log, playback_id
from adapters.asterisk.snippets import ANSWER, TONES
from adapters.prompts.errors import PromptError
from policies.actions import Announce, StopAnnouncement, Tell, Verdict
from policies.events import ActionFinished, AnnouncementFinished, Played
from policies.model import AgentId, LegId, Outcome
from policies.reasons import Reason
from telephony.errors import LegGoneError, PbxError, PbxTimeoutError

BREAK_OVER = "break-over"
_PLAY_SLACK_S = 10.0
# "Finished" means handed to the bridge: its last 20 ms or more are still in the mixer, and are lost with the leg.
_TAIL_S = 0.2


class Announcing:
    """Carries out `Announce`, `StopAnnouncement` and `Tell`.

    Args:
        desk: the connections and the picture.
        announcers: the voices.
    """

    def __init__(self, desk: Desk, announcers: Announcers) -> None:
        self._desk = desk
        self._announcers = announcers
        self._running: dict[str, str] = {}  # action -> its playback now
        self._stopped: set[str] = set()
        self._waiting: dict[AgentId, LegId] = {}

    async def announce(self, action: Announce) -> AnnouncementFinished:
        """Play into the live call, heard by both, and measure what the caller's leg was sent."""
        play_s = 0.0
        self._running[action.id] = playback_id(action.id)
        try:
            play_s = self._desk.prompts.find(action.prompt, action.language).duration_s
            went = await self._announce(action, play_s)
        except PromptError as error:
            went = Went(Played.FAILED, str(error))
        except PbxTimeoutError as error:
            went = Went(Played.UNKNOWN, str(error))
        except PbxError as error:
            went = Went(Played.FAILED, str(error))
        finally:
            was_stopped = action.id in self._stopped
            self._running.pop(action.id, None)
            self._stopped.discard(action.id)
        if was_stopped and went.played is not Played.UNKNOWN:
            went = Went(Played.STOPPED, went.detail, went.packets)
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

    async def _announce(self, action: Announce, play_s: float) -> Went:
        """Play, and again from the beginning after a cure where the caller's leg turns out to be deaf."""
        desk, announcers = self._desk, self._announcers
        async with announcers.turn(action.caller):
            with desk.news_of(action.caller) as caller_news:
                deaf: LegId | None = None
                for again in range(CURES + 1):
                    if deaf is not None and action.id not in self._stopped:
                        await cure(desk, announcers, action.caller, deaf)
                    if action.id in self._stopped:
                        return Went(Played.STOPPED)
                    if action.agent_leg is not None and not desk.shares_bridge(action.caller, action.agent_leg):
                        return Went(Played.FAILED, "the caller is not in this agent's call any more")
                    try:
                        went = await self._play(action, play_s, caller_news, again)
                    except BaseException:
                        announcers.drop(action.caller)
                        raise
                    if isinstance(went, Went):
                        if went.played not in (Played.HEARD, Played.NOT_HEARD):
                            announcers.drop(action.caller)
                        return went
                    deaf = went
                announcers.drop(action.caller)
                return Went(Played.NOT_HEARD, "the caller's leg was sent nothing")

    async def _play(
        self, action: Announce, play_s: float, caller_news: "asyncio.Queue[News]", again: int
    ) -> Went | LegId:
        """Play the whole prompt once; return a leg when it is deaf and the prompt was stopped for that."""
        desk, playback = self._desk, f"{playback_id(action.id)}{f'-{again}' if again else ''}"
        self._running[action.id] = playback
        # Read while the announcer is on its way: nothing waits for it before the caller hears something.
        reading = asyncio.create_task(desk.statistics(action.caller), name="before-announcement")
        try:
            announcer = await self._announcers.beside(action.caller, action.id)
            async with (
                desk.ari.expecting("ChannelDestroyed", announcer.leg) as gone,
                desk.ari.expecting("PlaybackStarted", playback) as started,
                desk.ari.expecting("PlaybackFinished", playback) as finished,
            ):
                if action.id in self._stopped:
                    return Went(Played.STOPPED)
                await self._begin(action, announcer, playback)
                within_s = play_s * 2 + _PLAY_SLACK_S
                await first_of(started, finished, gone, within_s=within_s)
                at_begin, deaf = await asyncio.gather(
                    begins(desk, action.caller, announcer.other_half), self._deaf(action, again, finished, gone)
                )
                if deaf is not None and action.id not in self._stopped:
                    await _silence(desk, playback)
                    return deaf
                await first_of(finished, gone, within_s=within_s)
                desk.later(self._announcers.music(announcer, on=True))  # if the caller is held
                over = finished.result().playback if finished.done() else None
                how = over.state if over is not None else GONE
            if how != "done" and not await desk.is_there(announcer.other_half):
                how = GONE
            after, at_end = await asyncio.gather(desk.statistics(action.caller), desk.bridge_of(action.caller))
            wrong = speaks_against(action.caller, announcer.other_half, how, (at_begin, at_end), _drained(caller_news))
            if wrong is not None:
                self._announcers.drop(action.caller)
            return wrong or judge(await reading, after, play_s)
        finally:
            reading.cancel()

    async def _deaf(self, action: Announce, again: int, *ends: "asyncio.Future[AriEvent]") -> LegId | None:
        """Return a leg that is sent nothing of what plays.

        The agent's is looked at the first time alone, and not while it holds the caller: a warning that the caller
        heard counts, whatever ails the agent's phone.
        """
        legs, tracker = [action.caller], self._desk.tracker
        if action.agent_leg is not None and not again and not tracker.is_held(tracker.bridge_of(action.caller) or ""):
            legs.append(action.agent_leg)
        found = await asyncio.gather(*(is_deaf(self._desk, leg, *ends) for leg in legs))
        return next((leg for leg, deaf in zip(legs, found, strict=True) if deaf), None)

    async def _begin(self, action: Announce, announcer: Announcer, playback: str) -> None:
        desk = self._desk
        await self._announcers.music(announcer, on=False)
        media = desk.media.uri(action.prompt, action.language)
        await desk.ari.ask("POST", f"channels/{announcer.leg}/play/{playback}", {"media": media})
        if action.id in self._stopped:  # asked for after the playback was, and too early to find it
            await _silence(desk, playback)

    async def stop(self, action: StopAnnouncement) -> ActionFinished:
        """Silence an announcement; where that fails, its voice is taken out of the call."""
        playback = self._running.get(action.announcement, playback_id(action.announcement))
        if action.announcement in self._running:
            self._stopped.add(action.announcement)
        desk, outcome, detail = self._desk, Outcome.DONE, ""
        try:
            await _silence(desk, playback)
        except PbxError as error:
            outcome = Outcome.UNKNOWN if isinstance(error, PbxTimeoutError) else Outcome.FAILED
            detail = str(error)
            self._announcers.drop(LegId(action.call))  # a call is named by its caller's leg
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
                exten = self._answer(action, speed_dial)
                await self._desk.ami.send("Redirect", Channel=speed_dial, Context=ANSWER, Exten=exten, Priority=1)
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

    def _answer(self, action: Tell, speed_dial: LegId) -> str:
        """Return the extension that answers a speed dial: a tone, or words where the agent was on a break."""
        if action.reason is not Reason.BREAK_OVER:
            return action.verdict.value
        desk = self._desk
        own = next((a.language for a in desk.agents if a.id == action.agent), "")
        return f"p_{own or desk.language_of('', desk.tracker.language_of(speed_dial))}_{BREAK_OVER}"

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
                await first_of(begun, within_s=EVENT_S)
                media = desk.media.uri(tone, "tones")
                await desk.ari.ask("POST", f"channels/{snoop}/play/{playback}", {"media": media})
                await first_of(finished, within_s=EVENT_S)
            finally:
                desk.later(_hang_up_snoop(desk, snoop, after_s=_TAIL_S))


def _drained(news: "asyncio.Queue[News]") -> set[LegNews]:
    found = set()
    while not news.empty():
        found.add(news.get_nowait()[1])
    return found


async def _silence(desk: Desk, playback: str) -> None:
    """End a playback, if it plays; Asterisk then calls it "done", so whoever does this remembers it."""
    with contextlib.suppress(LegGoneError):
        await desk.ari.ask("DELETE", f"playbacks/{playback}")


async def _hang_up_snoop(desk: Desk, leg: LegId, after_s: float = 0.0) -> None:
    await asyncio.sleep(after_s)
    try:
        await desk.ari.ask("DELETE", f"channels/{leg}")
    except LegGoneError:
        log.debug("snoop_gone_already", leg=leg)
