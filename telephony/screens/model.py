"""The screens, as data: what the panel draws, and what `/v1/screens/…` answers.

Times are aware UTC; who draws puts them into the site's zone. No caller's number is in here: `caller` is the tag that
the policy lets be shown ("…47"). Texts for people are codes with fields (`Reason`), translated where they are drawn.
"""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Picture(BaseModel):
    """Immutable, and nothing but what is named."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class Mood(StrEnum):
    """The call's state in one word; each has its colour and its shape."""

    FREE = "free"  # no call
    CALL = "call"  # a call that nobody has flagged
    FLAGGED = "flagged"
    WARNING = "warning"  # a warning is being played
    WARNED = "warned"
    ENDING = "ending"
    CLOSING = "closing"  # the agent is free, the caller hears the closing message
    ACUTE = "acute"
    HELP = "help"  # somebody is being rung, or has joined
    BREAK = "break"
    OFF = "off"  # protection is off


class Protection(Picture):
    """Whether a press would be obeyed.

    Attributes:
        on: it would.
        why: what takes it away, as in `/healthz`: "pbx", "journal", "pager", "loop", "starting".
    """

    on: bool
    why: tuple[str, ...] = ()


class NextPress(Picture):
    """One key on the agent's screen, and what pressing it now would do.

    Attributes:
        key: its name in the policy.
        hotkey: "F8" …, "" for none.
        does: what it is for: warn, end, flag, colleague, chief, back.
        kind: the kind that it marks, "" for none.
        permitted: whether a press would be obeyed now.
        would: what it would do now: "warn", "end", "flag", "ring_colleague", "ring_chief", "leave", "end_break"; "" for
            nothing.
        reason: code of why not (`policies.reasons.Reason`), "" when permitted.
        permitted_at: when it will be, where time alone is missing.
        rule: the rule that says so.
    """

    key: str
    hotkey: str
    does: str
    kind: str
    permitted: bool
    would: str
    reason: str = ""
    permitted_at: datetime | None = None
    rule: str = ""


class CallPicture(Picture):
    """The agent's call.

    Attributes:
        id: the call.
        caller: what policy shows of the number, "…47"; "" for nothing.
        queue: through which it came.
        language: the caller's.
        began_at: when the first agent answered.
        held: the caller is on hold.
        kind: "" while nobody has flagged it.
        state: of the guard, see `policies.guards.CallState`; "" without one.
        warned: how many warnings were heard.
        incident: its id, "" for none.
        note: what is known of this caller; "" for nothing.
    """

    id: str
    caller: str
    queue: str
    language: str
    began_at: datetime
    held: bool
    kind: str = ""
    state: str = ""
    warned: int = 0
    incident: str = ""
    note: str = ""


class HelpPicture(Picture):
    """Somebody who is brought into the call.

    Attributes:
        role: "colleague" or "chief".
        who: shown name.
        state: see `policies.handoffs.HandoffState`.
    """

    role: str
    who: str
    state: str


class BreakPicture(Picture):
    """A break.

    Attributes:
        id: its id.
        agent: whose.
        state: see `policies.breaks.BreakState`; "refused" means that the PBX has not paused the agent.
        until: when it ends by itself.
        may_end: the agent may end it.
    """

    id: str
    agent: str
    state: str
    until: datetime
    may_end: bool = False


class AgentScreen(Picture):
    """What one agent sees.

    Attributes:
        agent: whose screen.
        mood: the state in one word.
        protection: see there.
        call: None without one; several calls at once show as `calls` > 1 and no call.
        calls: how many calls the agent has.
        help: who is being brought in.
        break_: the own break.
        keys: in the policy's order.
        kinds: names of kinds that the call (or the one just over) may be marked with now.
        last: code of the latest answer to a press, or of the latest news, "" for none.
        last_at: when that was.
        last_who: a name that belongs to it.
        over: the call that has just ended, while it may still be marked and there is no other.
    """

    agent: str
    mood: Mood
    protection: Protection
    call: CallPicture | None = None
    calls: int = 0
    help: HelpPicture | None = None
    break_: BreakPicture | None = Field(default=None, alias="break")
    keys: tuple[NextPress, ...] = ()
    kinds: tuple[str, ...] = ()
    last: str = ""
    last_at: datetime | None = None
    last_who: str = ""
    over: CallPicture | None = None


class ToldPicture(Picture):
    """One message of a page.

    Attributes:
        person: who.
        channel: how.
        delivery: how far it got: "waiting" (for its turn), "unused" (its turn never came), "" while unknown, sent,
            delivered, read, failed, refused, deferred, unknown.
        at: when that was.
        step: which rung, -1 for the last resort.
        round: from 0.
        attempts: how often it was sent.
        detail: the carrier's words, "" for none.
        queued_at: when it was decided on.
        sent_at: when its carrier took it; None while it has not, likewise below.
        delivered_at: when the carrier said that it had arrived.
        read_at: when it was seen.
        failed_at: when the carrier said that it will not arrive.
        passed_at: when the person said that they cannot take the page.
    """

    person: str
    channel: str
    delivery: str
    at: datetime
    step: int
    round: int = 0
    attempts: int = 1
    detail: str = ""
    queued_at: datetime | None = None
    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    failed_at: datetime | None = None
    passed_at: datetime | None = None


class PagePicture(Picture):
    """One page (alarm to a person).

    Attributes:
        id: its id.
        incident: what it is about.
        reason: "call", "drill", "test", "watch", "no_call".
        plan: name of the plan.
        severity: acute, urgent, normal.
        state: see `policies.pages.PageState`.
        step: the rung told last, -1 for the last resort.
        opened_at: when.
        told: every message, oldest first.
        passed: who of the present rung cannot take it.
        answered_by: who took it, "" while nobody has.
        answered_at: when.
        means: how: "sms", "voice", "http" …; "" while nobody has.
        answer_s: from its beginning until somebody took it, in seconds.
    """

    id: str
    incident: str
    reason: str
    plan: str
    severity: str
    state: str
    step: int
    opened_at: datetime
    told: tuple[ToldPicture, ...] = ()
    passed: tuple[str, ...] = ()
    answered_by: str = ""
    answered_at: datetime | None = None
    means: str = ""
    answer_s: float | None = None


class ProofPicture(Picture):
    """Whether a person can be reached on a channel, as far as was tried.

    Attributes:
        person: the name under [people].
        channel: "sms" …
        state: see `policies.proofs.ProofState`: proved, asked, unproved.
        proved_at: the latest answer; None for never.
        days: whole days since then.
        asked_at: when the latest test was sent; None for never.
        lapses: how many tests in a row were not answered.
        overdue: the latest answer, or the first test without one, is longer ago than policy allows.
    """

    person: str
    channel: str
    state: str
    proved_at: datetime | None = None
    days: int | None = None
    asked_at: datetime | None = None
    lapses: int = 0
    overdue: bool = False


class GuardedCall(Picture):
    """A guarded call, as the duty desk sees it.

    Attributes:
        call: as the agent sees it.
        agent: who is in it.
        team: that agent's, "" for none.
        mood: in one word.
        help: who is being brought in.
        page: id of its page, "" for none.
        agreed: who has agreed to open the latch.
        no_take_over: code of why nobody may take the call over now, "" when somebody may.
    """

    call: CallPicture
    agent: str
    team: str
    mood: Mood
    help: HelpPicture | None = None
    page: str = ""
    agreed: tuple[str, ...] = ()
    no_take_over: str = ""


class RungPicture(Picture):
    """Who is on call on one rung of a plan.

    Attributes:
        step: from 0, -1 for the last resort.
        people: shown names.
        wait_s: until the next rung.
    """

    step: int
    people: tuple[str, ...]
    wait_s: float


class OnCallPicture(Picture):
    """Who would be told by a plan.

    Attributes:
        plan: its name.
        now: the rungs in use at this time, in order.
        next_at: when another set of rungs comes into use; None when none does within two weeks.
        next: the rungs from then.
    """

    plan: str
    now: tuple[RungPicture, ...]
    next_at: datetime | None = None
    next: tuple[RungPicture, ...] = ()


class DutyScreen(Picture):
    """What the duty desk sees.

    Attributes:
        protection: see there.
        pages: open pages, the most urgent and oldest first; then those that were answered a short while ago.
        calls: guarded calls, acute ones first.
        breaks: breaks that stand.
        on_call: who would be told, by plan.
        proofs: who can be reached by what, as far as was tried; never and longest ago first.
    """

    protection: Protection
    pages: tuple[PagePicture, ...] = ()
    calls: tuple[GuardedCall, ...] = ()
    breaks: tuple[BreakPicture, ...] = ()
    on_call: tuple[OnCallPicture, ...] = ()
    proofs: tuple[ProofPicture, ...] = ()


class Alive(Picture):
    """What every stream says every two seconds.

    Attributes:
        now: the server's time.
        protection: see there.
    """

    now: datetime
    protection: Protection
