"""What is to be done, in the imperative. `policies.decide` returns these; the engine journals them, then adapters act.

An action's id is derived from the event that caused it, so that a replay gives the same ids.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from policies.gate import Permit
from policies.model import AgentId, CallId, LegId, Target, Timer
from policies.reasons import Reason
from policies.rules import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something to be done.

    Attributes:
        id: unique, derived from the event.
    """

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce(Action):
    """Play a prompt into a live call, heard by both, and measure what the caller's leg was sent.

    Attributes:
        agent_leg: where it was asked for; a caller who shares no bridge with it any more is not spoken to.
    """

    call: CallId
    caller: LegId
    prompt: str
    language: str
    agent_leg: LegId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAnnouncement(Action):
    """Silence a running announcement at once.

    Attributes:
        announcement: id of the `Announce` action.
    """

    call: CallId
    announcement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(Action):
    """Let the agent go; the caller hears the closing message and is then disconnected. The only ending there is."""

    permit: Permit


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieve(Action):
    """Stop a closing message and bring the caller back to the agent: the call turned out to be acute."""

    call: CallId
    caller: LegId
    agent: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring(Action):
    """Ring one person; on answer play the brief to them, then join them to the caller's bridge.

    Attributes:
        handoff: for which handoff.
        target: whom.
        ring_s: how long.
        brief: name of the prompt, "" for none.
        language: the target's prompts.
    """

    handoff: str
    call: CallId
    caller: LegId
    target: Target
    ring_s: float
    brief: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRinging(Action):
    """Hang up the leg of one who is being rung and has not joined.

    Attributes:
        ring: id of the `Ring` action.
    """

    handoff: str
    ring: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave(Action):
    """Take the agent out after a handoff. Carried out only while the caller and the colleague share the bridge."""

    handoff: str
    call: CallId
    caller: LegId
    agent_leg: LegId
    colleague_leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(Action):
    """Pause the agent in every queue where nobody else's pause stands."""

    break_id: str
    agent: AgentId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpause(Action):
    """Lift the pauses that carry our reason, and no others."""

    break_id: str
    agent: AgentId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify(Action):
    """Send one message of a page to one address.

    Attributes:
        reason: of the page: "drill" and "test" are said, so that nobody takes them for an alarm.
        person: who.
        channel: "mqtt", "sms" …
        address: in that channel's words.
        severity: with the incident's id, all that the message says.
        step: which rung, from 0; -1 is the last resort.
        attempt: from 1; a repeated message keeps its id.
        message: the message's id, the same for every attempt.
        code: the number with which a reply takes this page, from 1.
    """

    page: str
    incident: str
    reason: str
    severity: Severity
    person: str
    channel: str
    address: str
    language: str
    step: int
    attempt: int
    message: str
    code: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StandDown(Action):
    """Stop what still runs, and tell those who were paged who has it.

    Attributes:
        by: who has it; "" for a test that nobody answered: it is taken back, and nothing is said.
        told: (channel, address, language) of each.
        reason: "test" for the test of a path, whose answer is no page taken; else "".
    """

    page: str
    incident: str
    by: str
    told: tuple[tuple[str, str, str], ...]
    reason: str = ""


class Answer(StrEnum):
    """What somebody is told whose reply took no page."""

    WHICH = "which"  # several pages wait for them
    TAKEN = "taken"  # somebody has it already
    NOTHING = "nothing"  # no page waits for them
    UNCLEAR = "unclear"  # the words were not understood
    PASSED = "passed"  # it goes on to the next


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyTo(Action):
    """Answer a reply, on the channel that it came by.

    Attributes:
        address: as in `PageReplied`.
        incident: what it is about, "" where that is not one thing.
        by: who has it, for TAKEN.
        codes: (code, incident) of the pages that wait for this person.
    """

    channel: str
    address: str
    language: str
    answer: Answer
    incident: str = ""
    by: str = ""
    codes: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTimer(Action):
    """Set, or set anew, a durable timer."""

    timer: Timer
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelTimer(Action):
    """Drop a durable timer; none is fine."""

    timer: Timer


class Verdict(StrEnum):
    """The answer to a key, in one word; phone-only agents hear it as a tone."""

    ACCEPTED = "accepted"
    NOT_PERMITTED = "not_permitted"
    NOT_YET = "not_yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell(Action):
    """Tell an agent what happened: the answer to a key, or news.

    Attributes:
        press: id of the key press that this answers, "" for news.
        agent: whom.
        agent_leg: where a tone can be heard; None when the agent has no leg.
        verdict: the tone.
        reason: the sentence.
        rule: which rule says so, "" when none does.
        wait_s: how long until it may be tried again.
        who: a name that belongs to the sentence.
    """

    press: str
    agent: AgentId
    agent_leg: LegId | None
    verdict: Verdict
    reason: Reason
    rule: str = ""
    wait_s: float = 0.0
    who: str = ""
