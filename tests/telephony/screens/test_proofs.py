"""The state of the paths: age, order, what is overdue, and what says nothing of the address that is in use."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from policies.proofs import Proof, ProofState
from policies.rules import Contact, ProofRules, Rules
from telephony.screens.model import ProofPicture
from telephony.screens.proofs import proof_pictures
from tests.policies.story import NOON, RULES, Story
from tests.telephony.screens.seeing import duty

MONTHLY = ProofRules(every_days=30, lapse_s=86_400)
PEOPLE = {
    "kim": Contact("kim", (("sms", "+4511"), ("voice", "PJSIP/kim"))),
    "lis": Contact("lis", (("sms", "+4522"),)),
}


def rules(proofs: ProofRules | None = MONTHLY) -> Rules:
    return replace(RULES, people=PEOPLE, proofs=proofs)


def proof(person: str, channel: str, days: float | None = None, **more: Any) -> Proof:
    address = dict(PEOPLE[person].channels)[channel]
    proved_at = None if days is None else NOON - timedelta(days=days)
    state = ProofState.UNPROVED if days is None else ProofState.PROVED
    first = Proof(f"{person}/{channel}", person, channel, address, "da", state, proved_at=proved_at)
    return replace(first, **more)


def seen(*proofs: Proof, by: ProofRules | None = MONTHLY) -> list[ProofPicture]:
    return list(proof_pictures({p.id: p for p in proofs}, rules(by), NOON))


def test_every_path_of_the_policy_is_there_never_proved_first_then_longest_ago() -> None:
    """Also one that the core has no proof of yet; with its age in whole days."""
    found = seen(proof("kim", "sms", 3.9), proof("lis", "sms", 12))
    assert [(p.person, p.channel, p.days, p.state) for p in found] == [
        ("kim", "voice", None, "unproved"),
        ("lis", "sms", 12, "proved"),
        ("kim", "sms", 3, "proved"),
    ]


@pytest.mark.parametrize(
    ("path", "overdue"),
    [
        (proof("kim", "sms", 30.9), False),
        (proof("kim", "sms", 31.1), True),  # every 30 days, and a day to answer
        (proof("kim", "sms", 31.1, state=ProofState.ASKED), True),
        (proof("kim", "sms", 5, state=ProofState.UNPROVED, lapses=1), False),  # somebody was away; it worked lately
        (proof("kim", "sms"), False),  # not tried yet
        (proof("kim", "sms", state=ProofState.ASKED), False),
        (proof("kim", "sms", lapses=1), True),
    ],
)
def test_what_is_overdue(path: Proof, overdue: bool) -> None:  # noqa: FBT001 -- a row
    """By the policy's own numbers; what was never tried is not proved, and not overdue either."""
    (found,) = (p for p in seen(path) if (p.person, p.channel) == ("kim", "sms"))
    assert found.overdue is overdue


def test_an_address_that_was_changed_is_a_new_path() -> None:
    """What the old number has proved says nothing of the new one."""
    moved = seen(proof("lis", "sms", 2, address="+4599"))
    assert [(p.person, p.days) for p in moved if p.person == "lis"] == [("lis", None)]


def test_without_tests_in_the_policy_only_what_was_tried_is_shown() -> None:
    """An answer in earnest is worth knowing; a list of nevers is not."""
    found = seen(proof("lis", "sms", 200), proof("kim", "sms"), by=None)
    assert [(p.person, p.overdue) for p in found] == [("lis", False)]


def test_the_duty_desk_sees_them_without_an_address() -> None:
    """Whom, by what, since when."""
    story = Story(rules())
    story.state = replace(story.state, proofs={"kim/sms": proof("kim", "sms", 1)})
    screen = duty(story)
    assert [(p.person, p.channel) for p in screen.proofs] == [("kim", "voice"), ("lis", "sms"), ("kim", "sms")]
    assert "+45" not in screen.model_dump_json()


def test_a_picture_does_not_change_with_every_look() -> None:
    """A screen is sent when it has changed: an age in seconds would send it over and over."""
    paths = {"lis/sms": proof("lis", "sms", 12)}
    assert proof_pictures(paths, rules(), NOON) == proof_pictures(paths, rules(), NOON + timedelta(seconds=2))
