"""What a key would do, as data for the API and the screen: `telephony.explain` has worked it out."""

from datetime import datetime

from pydantic import BaseModel

from adapters.panel.admin.loads import MistakePicture
from telephony.explain import Explanation, Rule


class RulePicture(BaseModel):
    """A place in the policy.

    Attributes:
        key: dotted.
        line: of the key, or of the nearest table; None when the file has neither.
        value: as in force, "" for a table.
        written: the file gives it; otherwise it is the default.
    """

    key: str
    line: int | None
    value: str
    written: bool


class ReachedPicture(BaseModel):
    """Somebody who is told.

    Attributes:
        name: under [people].
        channels: how.
    """

    name: str
    channels: list[str]


class RungTold(BaseModel):
    """One rung of a page, while nobody answers.

    Attributes:
        plan: name of the page plan.
        step: from 1; 0 for the last resort.
        round: from 1.
        at: when.
        people: who.
        rule: where the step stands.
    """

    plan: str
    step: int
    round: int
    at: datetime
    people: list[ReachedPicture]
    rule: RulePicture


class Outcome(BaseModel):
    """What a key would do.

    Attributes:
        at: when, in the site's zone.
        note: what was made of a time that does not exist or exists twice, in English; else "".
        office: whether the office is open then, in English.
        office_rule: what says so.
        key: its name.
        does: what it is for.
        kind: which it marks, "" for none.
        assumed: what was made up, in English.
        verdict: "accepted", "not_permitted" or "not_yet".
        reason: code of the answer.
        answer: the answer, in English.
        rule: which gives this answer; None when no policy changes it.
        actions: what is done, in English.
        break_s: length of the break that follows, 0 for none.
        break_until: its end, if the call ended now.
        break_rule: what says so; None when there can be no break.
        told: who is paged.
    """

    at: datetime
    note: str
    office: str
    office_rule: RulePicture
    key: str
    does: str
    kind: str
    assumed: list[str]
    verdict: str
    reason: str
    answer: str
    rule: RulePicture | None
    actions: list[str]
    break_s: int
    break_until: datetime | None
    break_rule: RulePicture | None
    told: list[RungTold]

    @classmethod
    def of(cls, told: Explanation) -> "Outcome":
        """Return an explanation as data."""
        return cls(
            at=told.at,
            note=told.note,
            office=told.office,
            office_rule=_rule(told.office_rule),
            key=told.key.name,
            does=told.key.does.value,
            kind=told.key.kind,
            assumed=list(told.assumed),
            verdict=told.verdict.value,
            reason=told.reason.value,
            answer=told.answer,
            rule=None if told.rule is None else _rule(told.rule),
            actions=list(told.actions),
            break_s=told.break_s,
            break_until=told.break_until,
            break_rule=None if told.break_rule is None else _rule(told.break_rule),
            told=[
                RungTold(
                    plan=rung.plan,
                    step=rung.step,
                    round=rung.round,
                    at=rung.at,
                    people=[ReachedPicture(name=name, channels=list(channels)) for name, channels in rung.people],
                    rule=_rule(rung.rule),
                )
                for rung in told.told
            ],
        )


class DryRun(BaseModel):
    """What would happen.

    Attributes:
        in_force: under the policy in force; None when it has no such key.
        candidate: under the one that was sent along; None without one, or when it would not be loaded.
        mistakes: of the one that was sent along, and its doubts.
        differs: fields of the outcome that are not the same under both; lines in the file do not count.
    """

    in_force: Outcome | None
    candidate: Outcome | None
    mistakes: list[MistakePicture]
    differs: list[str]


def differences(now: Outcome, then: Outcome) -> list[str]:
    """Return the fields that differ in what they say; where it stands in the file is no difference."""
    return [name for name in Outcome.model_fields if _said(getattr(now, name)) != _said(getattr(then, name))]


def _rule(rule: Rule) -> RulePicture:
    return RulePicture(key=rule.key, line=rule.line, value=rule.value, written=rule.written)


def _said(value: object) -> object:
    match value:
        case RulePicture():
            return value.key, value.value
        case BaseModel():
            return [_said(getattr(value, name)) for name in type(value).model_fields]
        case list():
            return [_said(one) for one in value]
        case _:
            return value
