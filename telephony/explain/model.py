"""What an explanation consists of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from policies.actions import Verdict
from policies.model import KeyUse
from policies.reasons import Reason


def listed(words: Sequence[str]) -> str:
    """Return words as a person lists them."""
    return " and ".join([*([", ".join(words[:-1])] if words[1:] else []), *words[-1:]])


@dataclass(frozen=True, slots=True)
class Rule:
    """A place in the policy file.

    Attributes:
        key: dotted.
        line: 1-based; of the nearest table when the file leaves the key out, None when it leaves that out too.
        value: as in force, "" for a table.
        written: the file gives the key; otherwise it is the default.
    """

    key: str
    line: int | None
    value: str
    written: bool

    def __str__(self) -> str:
        place = "not in the file" if self.line is None else f"line {self.line}"
        default = "" if self.written else ", default"
        return f"{self.key}{' = ' if self.value else ''}{self.value} ({place}{default})"


@dataclass(frozen=True, slots=True)
class Told:
    """One rung of a page.

    Attributes:
        plan: name of the page plan.
        step: from 1; 0 for the last resort.
        round: from 1.
        at: when, in the site's zone.
        people: (name, channels) of each, the channels in their order.
        rule: where the step stands.
        in_turn_s: each person's channels go one after the other, with this time between them; 0 for all at once.
    """

    plan: str
    step: int
    round: int
    at: datetime
    people: tuple[tuple[str, tuple[str, ...]], ...]
    rule: Rule
    in_turn_s: float = 0.0

    def __str__(self) -> str:
        who = ", ".join(f"{name} ({self._ways(channels)})" for name, channels in self.people)
        step = f"step {self.step}, round {self.round}" if self.step else "last resort, and again until answered"
        return f"Page {self.plan} {self.at:%H:%M:%S}: {who} [{step}; {self.rule}]"

    def _ways(self, channels: tuple[str, ...]) -> str:
        if self.in_turn_s and len(channels) > 1:
            return f"{', then '.join(channels)}; {self.in_turn_s:g} s between them"
        return listed(channels)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a key would do.

    Attributes:
        at: when, in the site's zone.
        note: what was made of a time that does not exist or exists twice, else "".
        office: whether the office is open then, in words.
        office_rule: what says so.
        key: the key.
        assumed: what was made up, in words.
        verdict: the tone that the agent hears.
        reason: the answer's code.
        answer: the sentence.
        rule: which rule gives this answer; None when no policy can change it.
        actions: what is done, in words.
        break_s: length of the break that follows, 0 for none.
        break_until: its end, if the call ended now.
        break_rule: what says so; None when there can be no break.
        told: who is paged, rung by rung, while nobody answers.
    """

    at: datetime
    note: str
    office: str
    office_rule: Rule
    key: KeyUse
    assumed: tuple[str, ...]
    verdict: Verdict
    reason: Reason
    answer: str
    rule: Rule | None
    actions: tuple[str, ...]
    break_s: int = 0
    break_until: datetime | None = None
    break_rule: Rule | None = None
    told: tuple[Told, ...] = ()

    def lines(self) -> list[str]:
        """Return it as a person reads it."""
        said = [f"At {self.at:%Y-%m-%d %H:%M %Z} ({self.office}; {self.office_rule})"]
        said += [self.note] if self.note else []
        said += [f"Assumed: {words}" for words in self.assumed]
        said.append(f'Key "{self.key.name}": {self.verdict.replace("_", " ")}. {self.answer}')
        said.append(f"Because: {self.rule or 'built in; no policy changes it'}")
        said += [f"Then: {words}" for words in self.actions]
        if self.break_until is not None:
            said.append(f"Break: {self.break_s} s, until {self.break_until:%H:%M:%S} if the call ended now")
        elif self.break_rule is not None:
            said.append("Break: none")
        said += [f"  by {self.break_rule}"] if self.break_rule else []
        return said + [str(rung) for rung in self.told]
