"""Asterisk as the engine sees it: `telephony.ports.Pbx` over AMI, ARI, and the picture that they give.

Protection is on while both connections are up and the PBX was read: that is one epoch. A key that comes in between is
still handed on: an acute one must reach the backup, whatever the PBX does.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from adapters.asterisk.ami import AmiClient, AmiTiming, Epoch
from adapters.asterisk.ami_codec import Message
from adapters.asterisk.announcers import Announcers
from adapters.asterisk.ari import AriClient
from adapters.asterisk.pbx_clock import PbxClock
from adapters.asterisk.procedures import Desk
from adapters.asterisk.procedures_announce import Announcing
from adapters.asterisk.procedures_page import PageCalls
from adapters.asterisk.procedures_pause import Pausing
from adapters.asterisk.procedures_release import Releasing
from adapters.asterisk.procedures_ring import Ringing
from adapters.asterisk.queues import AgentRecord
from adapters.asterisk.snippets import Media
from adapters.asterisk.tracker import Tracker
from adapters.prompts.library import PromptLibrary
from policies.actions import (
    Announce,
    Leave,
    Pause,
    Release,
    Retrieve,
    Ring,
    StopAnnouncement,
    StopRinging,
    Tell,
    Unpause,
)
from policies.events import (
    ActionFinished,
    AnnouncementFinished,
    ColleagueJoined,
    ColleagueMissed,
    LeaveFinished,
    PauseFinished,
    PbxConnected,
    PbxLost,
    ReleaseFinished,
    UnpauseFinished,
)
from policies.model import AgentId, Candidate, LegId, LiveCall, Source
from telephony.errors import PbxError
from telephony.ports import Clock, CodePressed, Seen

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class AsteriskAccess:
    """Where an Asterisk is, and how to get in. Has no repr: it holds secrets.

    Attributes:
        host: of AMI.
        ami_port: of AMI.
        ami_user: the manager user.
        ami_secret: its secret.
        ari_url: root of the HTTP server.
        ari_user: the ARI user.
        ari_password: its password.
        app: name of the Stasis application.
    """

    host: str
    ami_port: int
    ami_user: str
    ami_secret: str
    ari_url: str
    ari_user: str
    ari_password: str
    app: str = "bagvagt"


class AsteriskPbx:
    """Fits `telephony.ports.Pbx`.

    Args:
        access: where, and how to get in.
        clock: time and ids.
        prompts: which prompts there are.
        media: where the PBX finds them.
        caller_tag: a caller's number -> what may be kept of it.
        language_of: (queue, the channel's language) -> the caller's language.
        agents: the policy's agents; others are discovered from queues.
        key_token: what a key's event must carry, as the snippets print it.
        outside_number: shown to somebody outside who is rung, "" for the trunk's own.
        timing: all waits of the connections.

    Attributes:
        ami: its AMI connection.
        ari: its ARI connection.
        tracker: the picture.
        page_calls: rings people for pages (`adapters.paging.voice_call.Caller`).
    """

    def __init__(
        self,
        access: AsteriskAccess,
        clock: Clock,
        prompts: PromptLibrary,
        media: Media,
        *,
        caller_tag: Callable[[str], str],
        language_of: Callable[[str, str], str],
        agents: Iterable[AgentRecord] = (),
        key_token: str = "",
        outside_number: str = "",
        timing: AmiTiming | None = None,
    ) -> None:
        self._clock = clock
        self._emit: Callable[[Seen], None] = lambda _seen: None
        self._epoch = 0
        self._ami_is_read = False
        pbx_clock = PbxClock(clock.now)
        self.ami = AmiClient(
            access.host,
            access.ami_port,
            access.ami_user,
            access.ami_secret,
            on_event=self._on_event,
            on_connected=self._resync,
            on_lost=self._on_ami_lost,
            on_pong=pbx_clock.pong,
            wanted=Tracker.WANTED,
            timing=timing,
        )
        self.ari = AriClient(
            access.ari_url,
            access.ari_user,
            access.ari_password,
            app=access.app,
            on_up=self._on_ari_up,
            on_lost=self._on_ari_lost,
            on_event=lambda event: self.page_calls.on_event(event),  # noqa: PLW0108 -- it is made later
            timing=timing,
        )
        known = tuple(agents)
        self.tracker = Tracker(
            agents=known,
            caller_tag=caller_tag,
            language_of=language_of,
            emit=self._on_seen,
            new_id=clock.new_id,
            now=clock.now,
            when=pbx_clock.when,
            key_token=key_token,
        )
        self._desk = Desk(
            ami=self.ami,
            ari=self.ari,
            tracker=self.tracker,
            media=media,
            prompts=prompts,
            stamp=self._stamp,
            language_of=language_of,
            agents=known,
            outside_number=outside_number,
        )
        self._announcers = Announcers(self._desk)
        self._announcing = Announcing(self._desk, self._announcers)
        self._releasing = Releasing(self._desk, self._announcers)
        self._ringing = Ringing(self._desk, self._announcers)
        self._pausing = Pausing(self._desk)
        self.page_calls = PageCalls(self._desk)

    # Following.

    async def run(self, emit: Callable[[Seen], None]) -> None:
        """Connect, follow, reconnect, until cancelled."""
        self._emit = emit
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.ami.run(), name="ami")
            tasks.create_task(self.ari.run(), name="ari")

    async def _resync(self, epoch: Epoch) -> None:
        """Read the PBX anew; the AMI client keeps events back until this is done."""
        self.tracker.begin_epoch()
        (_, channels), (_, members), _ = await asyncio.gather(
            self.ami.send_list("CoreShowChannels"), self.ami.send_list("QueueStatus"), self.ami.ping()
        )
        callers = [leg for message in channels if message.last("BridgeId") and (leg := message.last("Uniqueid"))]
        held = await asyncio.gather(*(self._is_held(leg) for leg in callers))
        self.tracker.load(channels, members, [leg for leg, is_held in zip(callers, held, strict=True) if is_held])
        await self._announcers.tidy(channels)
        self._ami_is_read = True
        log.info("pbx_read", ami_epoch=epoch.number, channels=len(channels))
        self._see_whether_up()

    async def _is_held(self, leg: str) -> bool:
        """Tell whether a leg is on hold; a leg that has gone meanwhile is not."""
        try:
            reply = await self.ami.send("Getvar", Channel=leg, Variable="CHANNEL(onhold)")
        except PbxError:
            return False
        return reply.get("Value") == "1"

    def _see_whether_up(self) -> None:
        if not (self._ami_is_read and self.ari.is_ready) or self._desk.is_connected.is_set():
            return
        self._epoch += 1
        calls, members = self.tracker.snapshot()
        self._desk.is_connected.set()
        self._emit(PbxConnected(**self._stamp(), epoch=self._epoch, calls=calls, members=members))

    def _on_ari_up(self) -> None:
        self.page_calls.on_up()
        self._see_whether_up()

    def _on_ari_lost(self, reason: PbxError) -> None:
        self.page_calls.on_lost()
        self._lost("ARI", reason)

    def _on_ami_lost(self, _epoch: Epoch, reason: PbxError) -> None:
        self._ami_is_read = False
        self._lost("AMI", reason)
        self.tracker.begin_epoch()  # whoever watches a leg learns that nobody sees it now

    def _lost(self, which: str, reason: PbxError) -> None:
        if not self._desk.is_connected.is_set():
            return
        self._desk.is_connected.clear()
        self._announcers.drop_all()
        log.warning("pbx_lost", connection=which, reason=str(reason), epoch=self._epoch)
        self._emit(PbxLost(**self._stamp(), epoch=self._epoch))

    def _on_event(self, message: Message) -> None:
        if message.last("Source") == Source.SPEED_DIAL and self.tracker.is_key(message):
            leg = LegId(message.last("Uniqueid"))
            agent = self.tracker.agent_of(leg)
            if agent is not None:
                self._announcing.waits_for_answer(agent, leg)
        self.tracker.apply(message)

    def _on_seen(self, seen: Seen) -> None:
        if self._desk.is_connected.is_set() or isinstance(seen, CodePressed):
            self._emit(seen)

    def _stamp(self) -> dict[str, Any]:
        return {"id": self._clock.new_id(), "at": self._clock.now()}

    # What was seen.

    def calls_of(self, agent: AgentId) -> tuple[LiveCall, ...]:
        """Return the agent's live calls with callers, from what was seen; no I/O."""
        return self.tracker.calls_of(agent)

    def last_call_of(self, agent: AgentId) -> tuple[LiveCall, datetime] | None:
        """Return the call that the agent left last, and when."""
        return self.tracker.last_call_of(agent)

    def candidates(self) -> tuple[Candidate, ...]:
        """Return every queue member with the time since which it is free."""
        return self.tracker.candidates()

    # What is done.

    async def announce(self, action: Announce) -> AnnouncementFinished:
        """Play into the live call, heard by both, and measure the caller's leg."""
        return await self._announcing.announce(action)

    async def stop_announcement(self, action: StopAnnouncement) -> ActionFinished:
        """Silence a running announcement at once."""
        return await self._announcing.stop(action)

    async def release(self, action: Release, still_permitted: Callable[[], bool]) -> ReleaseFinished:
        """Carry out a permit."""
        return await self._releasing.release(action, still_permitted)

    async def retrieve(self, action: Retrieve) -> ActionFinished:
        """Stop a closing message and ring the agent back into the call."""
        return await self._releasing.retrieve(action)

    async def ring(self, action: Ring) -> ColleagueJoined | ColleagueMissed:
        """Ring one person, brief them, join them to the caller's bridge."""
        return await self._ringing.ring(action)

    async def stop_ringing(self, action: StopRinging) -> ActionFinished:
        """Hang up a leg that is being rung or briefed."""
        return await self._ringing.stop(action)

    async def leave(self, action: Leave) -> LeaveFinished:
        """Hang up the agent's leg, if the caller and the colleague share its bridge."""
        return await self._releasing.leave(action)

    async def pause(self, action: Pause) -> PauseFinished:
        """Pause the agent in every queue where no pause stands."""
        return await self._pausing.pause(action)

    async def unpause(self, action: Unpause) -> UnpauseFinished:
        """Lift the pauses whose reason is ours."""
        return await self._pausing.unpause(action)

    async def signal(self, action: Tell) -> ActionFinished:
        """Let the agent alone hear the verdict's short tone."""
        return await self._announcing.signal(action)
