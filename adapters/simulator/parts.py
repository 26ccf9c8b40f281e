"""What the simulated world is made of: phones that hear, legs, bridges, queue members, and its record."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from policies.model import AgentId, LegId, LiveCall, Member, Source

PACKETS_PER_S = 50.0  # 20 ms of A-law in each
SERVICE = "service"


class Role(StrEnum):
    """Why a leg is there."""

    CALLER = "caller"
    AGENT = "agent"
    RUNG = "rung"  # rung into a call by the service
    CONSULT = "consult"  # an agent who asks another one before a transfer
    PAGED = "paged"  # rung by the service for a page


class Place(StrEnum):
    """Where a leg stands."""

    RINGING = "ringing"
    QUEUE = "queue"
    BRIDGE = "bridge"
    CLOSING = "closing"  # in the dialplan that plays the closing message and hangs up
    MUSIC = "music"  # in the dialplan that keeps a caller until the agent is back
    BRIEF = "brief"
    GONE = "gone"


@dataclass(slots=True)
class Sound:
    """What a phone heard.

    Attributes:
        what: "prompt:<name>:<language>", "tone:<name>", "music", "voice:<leg>".
        began: when it began.
        heard_s: how much of it came through.
        length_s: how long it is when whole; 0 for what has no length.
        company: the agents who stood in the bridge all the while.
    """

    what: str
    began: datetime
    heard_s: float = 0.0
    length_s: float = 0.0
    company: frozenset[AgentId] = frozenset()

    @property
    def is_whole(self) -> bool:
        """Tell whether all of it was heard: at most a twentieth is missing, which is a syllable."""
        return self.length_s > 0 and self.heard_s >= 0.95 * self.length_s - 0.001


@dataclass(slots=True, eq=False)
class Phone:
    """A phone, and the ear at it.

    Attributes:
        endpoint: the PBX's word for it ("PJSIP/agent1"), or a caller's number.
        agent: whose, when it is an agent's.
        answers_after_s: answers by itself after that long; None waits for a person.
        confirms_after_s: presses the confirming key that long after answering; None never does (a voicemail).
        is_busy: rejects every call.
        presses: keys that are pressed, one after the other, in a call about a page.
        presses_after_s: how long after answering, and between them.
        heard: prompts and tones that were heard, oldest first.
        voices: seconds for which each other party, or "music", was heard.
    """

    endpoint: str
    agent: AgentId | None = None
    answers_after_s: float | None = None
    confirms_after_s: float | None = 1.0
    is_busy: bool = False
    presses: str = ""
    presses_after_s: float = 1.0
    heard: list[Sound] = field(default_factory=list)
    voices: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Bridge:
    """Where legs hear each other. Gone with its last leg but one."""

    id: str
    legs: list["Leg"] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Leg:
    """One party's connection.

    Attributes:
        id: unique.
        phone: whose.
        role: why it is there.
        place: where it stands.
        bridge: when it stands in one.
        queue: where a caller came through.
        language: of a caller.
        tag: what is told of a caller's number.
        joined_at: when it came into its bridge.
        muted: sends no packets.
        held: a caller whom the agent has on hold.
        deaf: the PBX sends it nothing, as under overload.
        packets: sent to its phone up to `packets_at`.
        for_leg: the caller whom a ringing leg is for.
        cause: who or what ended it.
        about: what whoever placed this call keeps with it.
    """

    id: LegId
    phone: Phone
    role: Role
    place: Place
    bridge: Bridge | None = None
    queue: str = ""
    language: str = "en"
    tag: str = ""
    joined_at: datetime | None = None
    muted: bool = False
    held: bool = False
    deaf: bool = False
    packets: float = 0.0
    packets_at: datetime | None = None
    for_leg: "Leg | None" = None
    cause: str = ""
    about: object = None

    @property
    def is_up(self) -> bool:
        """Tell whether it is still there."""
        return self.place is not Place.GONE


@dataclass(slots=True)
class QueueMember:
    """An agent in a queue, as the PBX keeps it: one reason slot, and no owner."""

    agent: AgentId
    queue: str
    static: bool = False
    paused: bool = False
    reason: str = ""

    def shown(self) -> Member:
        """Return it as the PBX shows it."""
        return Member(self.agent, self.queue, self.paused, self.reason, self.static)


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the world's own history.

    Attributes:
        at: the world's time.
        what: "ended", "bridged", "redirected", "announced", "paused" …
        leg: which leg, or agent.
        by: `SERVICE`, or the person or part of the PBX that did it.
        detail: what else belongs to it.
        legs: everybody in the bridge right before.
    """

    at: datetime
    what: str
    leg: str
    by: str = ""
    detail: str = ""
    legs: tuple[str, ...] = ()


# What the PBX tells those who listen to it.


@dataclass(frozen=True, slots=True)
class CallShown:
    """A call as it is now, and for how long the agent has been in it."""

    call: LiveCall


@dataclass(frozen=True, slots=True)
class CallGone:
    """The caller's leg is gone."""

    leg: LegId


@dataclass(frozen=True, slots=True)
class MemberShown:
    """A queue member as it is now."""

    member: Member


@dataclass(frozen=True, slots=True)
class CodeShown:
    """An agent pressed a feature code, or called a feature extension, at an instant of the PBX's time."""

    key: str
    agent: AgentId
    leg: LegId | None
    source: Source
    at: datetime


@dataclass(frozen=True, slots=True)
class PlayEnded:
    """A prompt is over.

    Attributes:
        play: its id.
        state: "done", "stopped" or "failed".
    """

    play: str
    state: str


@dataclass(frozen=True, slots=True)
class RungEnded:
    """One who was rung has joined, or has not."""

    leg: LegId
    joined: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PagedShown:
    """Something happened to one who is rung for a page.

    Attributes:
        leg: whose.
        what: "answered", "key", "said", "gone".
        detail: which key, or why it is gone.
    """

    leg: LegId
    what: str
    detail: str = ""


Notice = CallShown | CallGone | MemberShown | CodeShown | PlayEnded | RungEnded | PagedShown
