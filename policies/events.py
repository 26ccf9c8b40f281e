"""What has happened, in the past tense. Adapters, timers and the engine make these; `policies.decide` takes them in.

Every event carries an id (from the shell) and an aware UTC time. The outcome of an action comes back as an event that
names the action.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from policies.model import AgentId, CallId, Candidate, KeyUse, LegId, LiveCall, Member, Outcome, Source, Target, Timer
from policies.rules import Rules, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened.

    Attributes:
        id: unique; ids of what follows are derived from it.
        at: when, aware UTC.
    """

    id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPressed(Event):
    """A person pressed a key.

    Attributes:
        agent: who.
        key: which.
        source: from where.
        pressed_at: when it was pressed, as far as known.
        leg: the leg that it was pressed in, when known (feature code).
        calls: the agent's calls as the PBX shows them now.
        last_call: the call that the agent left last, as it is now if it goes on, and when it was left.
        candidates: who may be rung, for a handoff key.
    """

    agent: AgentId
    key: KeyUse
    source: Source
    pressed_at: datetime
    leg: LegId | None = None
    calls: tuple[LiveCall, ...] = ()
    last_call: tuple[LiveCall, datetime] | None = None
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CallChanged(Event):
    """A call's legs, bridge, agent or hold changed."""

    call: LiveCall


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded(Event):
    """The caller's leg is gone."""

    call: CallId


class Played(StrEnum):
    """How an announcement went for the caller."""

    HEARD = "heard"  # ran to its end, and the caller's leg was sent the media
    NOT_HEARD = "not_heard"  # ran to its end, and the caller's leg was not sent the media
    STOPPED = "stopped"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncementFinished(Event):
    """A warning is over.

    Attributes:
        action: the `Announce` action.
        call: in which call.
        caller: the leg that was measured.
        played: how it went.
        packets: RTP packets sent to that leg over the play time.
        play_s: the prompt's length.
        detail: what the PBX said when it failed.
    """

    action: str
    call: CallId
    caller: LegId
    played: Played
    packets: int = 0
    play_s: float = 0.0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFinished(Event):
    """A permit was carried out, or was not. DONE: the agent is free and the caller hears the closing message."""

    action: str
    call: CallId
    permit: str
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColleagueJoined(Event):
    """The one who was rung answered, heard the brief, and is in the caller's bridge."""

    action: str
    handoff: str
    leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class ColleagueMissed(Event):
    """The one who was rung did not join: no answer, busy, rejected, not confirmed, or the PBX failed."""

    action: str
    handoff: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOverAsked(Event):
    """Somebody at the duty desk wants to come into a guarded call.

    Attributes:
        call: which.
        by: who.
        target: their own phone.
    """

    call: CallId
    by: str
    target: Target


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveFinished(Event):
    """The agent was taken out after a handoff, or was not."""

    action: str
    handoff: str
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseFinished(Event):
    """The PBX answered a pause.

    Attributes:
        outcome: DONE only when every queue of the agent shows a pause.
        foreign: queues in which somebody else's pause stood already; they were left alone.
    """

    action: str
    break_id: str
    outcome: Outcome
    foreign: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpauseFinished(Event):
    """Our pauses were lifted (others' were left alone), or were not."""

    action: str
    break_id: str
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEnded(Event):
    """A person other than the agent ended a break, as policy lets the chief."""

    break_id: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberChanged(Event):
    """A queue member was paused, unpaused, added or seen."""

    member: Member


class Delivery(StrEnum):
    """What a carrier said of one message. None of these is an acknowledgement."""

    SENT = "sent"
    DEFERRED = "deferred"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notified(Event):
    """A carrier answered (or did not) for one message of a page."""

    action: str
    page: str
    delivery: Delivery
    detail: str = ""
    retry_after_s: float | None = None


class Report(StrEnum):
    """What became of a message after its carrier had taken it. None of these is an acknowledgement either."""

    DELIVERED = "delivered"  # on the person's phone, or answered by somebody or something
    READ = "read"
    FAILED = "failed"  # it will not arrive


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReported(Event):
    """A carrier said later what became of a message.

    Attributes:
        message: its id.
        detail: the carrier's words.
    """

    message: str
    report: Report
    detail: str = ""


class Says(StrEnum):
    """What a person's reply means."""

    TAKE = "take"
    PASS = "pass"  # noqa: S105 -- a word, not a secret
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageReplied(Event):
    """A person replied from the address that a message went to.

    Attributes:
        channel: "sms" …
        address: from which it came, in the words of policy.
        says: what it means.
        code: the number in it, which tells pages to one person apart; 0 for none.
    """

    channel: str
    address: str
    says: Says
    code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePassed(Event):
    """A person cannot take a page: the next one is told, without waiting.

    Attributes:
        page: the page, or the test of a path.
        by: who, by the name under [people].
        means: "voice", "link" …
    """

    page: str
    by: str
    means: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofAsked(Event):
    """Somebody wants to know now whether a person can be reached on a channel.

    Attributes:
        person: the name under [people].
        by: who asks.
    """

    person: str
    channel: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOpened(Event):
    """A page that no key opened: a drill, a test of the path, or an alarm that a restart could not read back.

    Attributes:
        plan: name of the page plan.
        incident: what it is about.
        reason: "drill", "test", "watch" (another Bagvagt is silent), or "call" for one that is in earnest.
        severity: of the page.
    """

    plan: str
    incident: str
    reason: str
    severity: Severity = Severity.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAnswered(Event):
    """A person took a page.

    Attributes:
        page: the page, or the test of a path (`policies.proofs.Proof.page`).
        by: who.
        means: "mqtt", "sms", "voice", "link", "http", "command" …
        message: which message it answers, where that is known besides.
    """

    page: str
    by: str
    means: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelConnected(Event):
    """A way to reach people is there, for the first time or again.

    Attributes:
        channel: "mqtt", "sms" …
    """

    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LatchAgreed(Event):
    """A person agrees that an acute call is acute no more. Two different people are needed."""

    call: CallId
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerFired(Event):
    """A durable timer came due."""

    timer: Timer


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLoaded(Event):
    """A version of the policy came into force; kept, so that a restart does not loosen it for calls under way."""

    rules: Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessChanged(Event):
    """Somebody logged in or failed to, or who may do what was changed; nothing follows but the audit line.

    Attributes:
        by: whose doing, "" where nobody has proved who they are.
        what: "login", "login_failed", "account_changed" …
        whom: the account, token or session's owner that it is about; never what a stranger typed.
        address: from where.
    """

    by: str
    what: str
    whom: str
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PbxConnected(Event):
    """A new epoch: this is all that the PBX shows now; what was seen before is void.

    Attributes:
        epoch: counts connections.
        calls: every live call.
        members: every queue member.
    """

    epoch: int
    calls: tuple[LiveCall, ...]
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PbxLost(Event):
    """The connection to the PBX is gone; from here on nothing that it showed is certain."""

    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionFinished(Event):
    """An action without further consequence in the core was carried out, or was not."""

    action: str
    outcome: Outcome
    detail: str = ""
