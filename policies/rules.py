"""The workplace's policy, checked and resolved, as the core uses it. Built by `telephony.settings` from TOML.

A policy never loosens a call that is under way: `Policy.for_kind` combines the rules in force now with those that were
in force when the call began, and takes the stricter of each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from enum import StrEnum

from policies.hours import OfficeHours as OfficeHours  # noqa: PLC0414 -- part of the rules, and used from here
from policies.hours import When as When  # noqa: PLC0414 -- likewise
from policies.model import AgentId, KeyUse, Target
from policies.rota import Rota

KEEP = timedelta(hours=24)
"""How long a replaced version is remembered: no call is longer."""


class Severity(StrEnum):
    """How urgent a page is. Acute goes first and is never rate-limited."""

    ACUTE = "acute"
    URGENT = "urgent"
    NORMAL = "normal"


class LeaveWhen(StrEnum):
    """When the agent leaves after a handoff."""

    ON_JOIN = "on_join"
    BY_KEY = "by_key"


@dataclass(frozen=True, slots=True)
class KindRules:
    """What policy says of one kind of call.

    Attributes:
        kind: its name.
        warnings: how many warnings the caller must have heard before an ending.
        warning: name of the prompt, "" for none.
        warning_tries: how often a warning that was not heard is played again by itself.
        wait_s: from the end of a warning until the end key works.
        warning_lasts_s: after that long without an ending, a new warning is needed.
        may_end: whether the call may be ended at all.
        closing: name of the closing prompt.
        latched: flagging starts the acute procedure: no ending by any way.
        may_transfer: whether the handoff keys work.
        break_s: break after the call; 0 for none.
        page: name of the page plan; "" for none.
        severity: of that page.
    """

    kind: str
    warnings: int = 1
    warning: str = "warning"
    warning_tries: int = 2
    wait_s: float = 5.0
    warning_lasts_s: float = 600.0
    may_end: bool = False
    closing: str = "closing"
    latched: bool = False
    may_transfer: bool = True
    break_s: int = 0
    page: str = ""
    severity: Severity = Severity.NORMAL


def strictest(now: KindRules, earlier: KindRules) -> KindRules:
    """Combine two versions of a kind's rules: of everything that ends calls or shortens breaks, the stricter one."""
    if now is earlier:
        return now
    return replace(
        now,
        warnings=max(now.warnings, earlier.warnings),
        warning=now.warning or earlier.warning,
        wait_s=max(now.wait_s, earlier.wait_s),
        warning_lasts_s=min(now.warning_lasts_s, earlier.warning_lasts_s),
        may_end=now.may_end and earlier.may_end,
        latched=now.latched or earlier.latched,
        break_s=max(now.break_s, earlier.break_s),
        page=now.page or earlier.page,
    )


@dataclass(frozen=True, slots=True)
class HandoffRules:
    """How a colleague or the chief is brought in.

    Attributes:
        ring_s: how long each is rung.
        brief: prompt that the other hears before the caller; "" for none.
        leave: when the agent leaves.
        then: what follows when nobody answers: "" (agent is told), "chief", or "page:<plan>".
        same_team_first: colleagues of the agent's own team before others.
        most: how many are rung at the most.
    """

    ring_s: float = 15.0
    brief: str = ""
    leave: LeaveWhen = LeaveWhen.BY_KEY
    then: str = ""
    same_team_first: bool = True
    most: int = 5


@dataclass(frozen=True, slots=True)
class BreakRules:
    """What policy says of breaks.

    Attributes:
        agent_may_end: the agent may end the own break by key.
        retry_s: how soon a refused pause is asked for again.
    """

    agent_may_end: bool = True
    retry_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Contact:
    """A person (or a desk) who can be paged.

    Attributes:
        name: who.
        channels: (channel, address) in policy's order: ("sms", "+4520304050"), ("mqtt", "anna"), ("voice",
            "PJSIP/+4520304050@trunk"), ("email", "anna@example.dk"), ("apprise", name of the file with its URL).
        language: two letters.
    """

    name: str
    channels: tuple[tuple[str, str], ...]
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Step:
    """One rung: all its people are told at once.

    Attributes:
        people: who.
        wait_s: how long to wait for an answer before the next rung.
        when: office hours, outside, or always.
        rotas: and whoever is on call by these when the rung's time comes; names.
        in_turn_s: each person's channels one after the other, the next after this time without an answer, or at once
            when one has failed; 0 for all channels at once.
    """

    people: tuple[Contact, ...]
    wait_s: float
    when: When = When.ALWAYS
    rotas: tuple[str, ...] = ()
    in_turn_s: float = 0.0


@dataclass(frozen=True, slots=True)
class PagePlan:
    """An escalation.

    Attributes:
        name: its name in the policy.
        steps: the rungs.
        rounds: how many times the rungs are gone through before the last resort.
        last_resort: told when nobody answered, and again every `last_resort_every_s`, until somebody does.
    """

    name: str
    steps: tuple[Step, ...]
    last_resort: Contact
    rounds: int = 2
    last_resort_every_s: float = 900.0


@dataclass(frozen=True, slots=True)
class ProofRules:
    """When each person's channels are tested: a message that says so, and asks for an answer.

    Attributes:
        every_days: from an answer to the next test.
        opens: tests are sent from this local time on.
        closes: and not from this one on.
        days: on these weekdays (Monday is 0) that are no closed days.
        lapse_s: who has not answered by then has not been reached.
    """

    every_days: int = 30
    opens: time = time(10)
    closes: time = time(14)
    days: frozenset[int] = frozenset(range(5))
    lapse_s: float = 86_400.0


@dataclass(frozen=True, slots=True)
class Rules:
    """One version of the policy.

    Attributes:
        version: short hash of the file, for the audit trail.
        language: the site's: staff are spoken to in it where nothing else says so.
        languages: agents with a language of their own.
        rotas: who is on call.
        people: everybody who can be paged.
        proofs: when channels are tested; None for never.
        phones: where somebody of the duty desk is rung who takes a call over, by the name under [people].
        late_key_s: an ending key that took longer than this to arrive is not obeyed.
        late_flag_s: a flag that comes this long after the call still counts for it.
        double_press_s: two presses of a key within this time are one.
    """

    version: str
    kinds: Mapping[str, KindRules]
    keys: Mapping[str, KeyUse]
    handoffs: Mapping[str, HandoffRules] = field(default_factory=dict)
    chiefs: tuple[Target, ...] = ()
    breaks: BreakRules = field(default_factory=BreakRules)
    pages: Mapping[str, PagePlan] = field(default_factory=dict)
    office: OfficeHours = field(default_factory=OfficeHours)
    teams: Mapping[str, str] = field(default_factory=dict)
    language: str = "en"
    languages: Mapping[str, str] = field(default_factory=dict)
    rotas: Mapping[str, Rota] = field(default_factory=dict)
    people: Mapping[str, Contact] = field(default_factory=dict)
    phones: Mapping[str, Target] = field(default_factory=dict)
    proofs: ProofRules | None = None
    late_key_s: float = 5.0
    late_flag_s: float = 120.0
    double_press_s: float = 1.0

    def language_of(self, agent: AgentId | None) -> str:
        """Return in which language somebody of the staff is spoken to; None for one who is no agent."""
        return self.languages.get(agent, self.language) if agent is not None else self.language


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules in force, and those that calls under way may have begun with.

    Attributes:
        now: in force.
        earlier: (replaced at, rules), newest first.
    """

    now: Rules
    earlier: tuple[tuple[datetime, Rules], ...] = ()

    def replaced_by(self, rules: Rules, at: datetime, keep: timedelta = KEEP) -> "Policy":
        """Return the policy after a reload at `at`; versions replaced longer than `keep` ago are forgotten."""
        past = tuple((t, r) for t, r in self.earlier if at - t < keep)
        return Policy(rules, ((at, self.now), *past))

    @classmethod
    def after_restart(cls, rules: Rules, loaded: Sequence[tuple[datetime, Rules]], at: datetime) -> "Policy":
        """Return the policy of a service that starts at `at`.

        Args:
            rules: in force from now.
            loaded: (loaded at, version) of what was in force before, oldest first.
            at: now.
        """
        ends = [*(since for since, _ in loaded[1:]), at]
        past = [(end, earlier) for (_, earlier), end in zip(loaded, ends, strict=False)]
        if past and past[-1][1].version == rules.version:
            past.pop()  # it is still in force
        return cls(rules, tuple((end, earlier) for end, earlier in reversed(past) if at - end < KEEP))

    def for_kind(self, kind: str, began_at: datetime) -> KindRules | None:
        """Return what applies to a call of `kind` that began at `began_at`; None when policy has no such kind."""
        versions = [self.now] + [rules for replaced_at, rules in self.earlier if replaced_at > began_at]
        found = [v.kinds[kind] for v in versions if kind in v.kinds]
        if not found:
            return None
        combined = found[0]
        for earlier in found[1:]:
            combined = strictest(combined, earlier)
        return combined
