"""The proof that a person can be reached on a channel: its states, and the table between them.

A path that nobody has used for months may be dead, and the night is a bad time to learn it. So now and then, at a
decent hour, each person gets a test message on each channel, which says that it is a test and asks for an answer. Only
the answer counts, as with a page: the provider's "delivered" is kept and is not enough. An answer to an alarm in
earnest proves its channel too. A test escalates to nobody; one that lapses is reported, and sent again on another day.

A proof is kept for as long as policy has the person and the address; how old it is stands on the duty desk's screen.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from policies.hours import OfficeHours, instant
from policies.pages import Told
from policies.rules import ProofRules
from policies.tables import Table

_LOOK_DAYS = 60


class ProofState(StrEnum):
    """States of a proof."""

    UNPROVED = "unproved"  # never answered, or not the last time
    ASKED = "asked"  # a test is out
    PROVED = "proved"


class ProofCause(StrEnum):
    """What moves a proof."""

    ASKED = "asked"
    ANSWERED = "answered"
    LAPSED = "lapsed"


_S, _C = ProofState, ProofCause

PROOFS: Table[ProofState, ProofCause] = Table(
    "proof",
    {
        _S.UNPROVED: {_C.ASKED: _S.ASKED, _C.ANSWERED: _S.PROVED},
        _S.ASKED: {_C.ASKED: _S.ASKED, _C.ANSWERED: _S.PROVED, _C.LAPSED: _S.UNPROVED},
        _S.PROVED: {_C.ASKED: _S.ASKED, _C.ANSWERED: _S.PROVED},
    },
)


@dataclass(frozen=True, slots=True)
class Proof:
    """One person on one channel.

    Attributes:
        id: "person/channel".
        person: the name under [people].
        channel: "sms" …
        address: in that channel's words; another address begins a new proof.
        language: of the test.
        state: see `PROOFS`.
        page: id of the latest test, as answers name it; "" for none yet.
        told: its message.
        asked_at: when the latest test was sent.
        proved_at: the latest answer; it stays when a later test lapses.
        lapses: how many tests in a row were not answered.
    """

    id: str
    person: str
    channel: str
    address: str
    language: str
    state: ProofState = ProofState.UNPROVED
    page: str = ""
    told: Told | None = None
    asked_at: datetime | None = None
    proved_at: datetime | None = None
    lapses: int = 0


def is_decent(rules: ProofRules, office: OfficeHours, at: datetime) -> bool:
    """Tell whether a test may be sent at `at` (aware)."""
    zone = ZoneInfo(office.zone)
    day = at.astimezone(zone).date()
    is_working_day = day.weekday() in rules.days and day not in office.holidays
    return is_working_day and instant(zone, day, rules.opens) <= at < instant(zone, day, rules.closes)


def proof_id(person: str, channel: str) -> str:
    """Return the id of a proof."""
    return f"{person}/{channel}"


def decent_time(rules: ProofRules, office: OfficeHours, at: datetime, spread: str) -> datetime:
    """Return the first time from `at` on at which a test may be sent.

    Args:
        rules: hours and days.
        office: its zone, and closed days.
        at: aware.
        spread: whose test; different ones get different minutes of the hours, so that nobody gets all at once.
    """
    zone = ZoneInfo(office.zone)
    part = int.from_bytes(hashlib.sha256(spread.encode()).digest()[:4]) / 2**32
    today = at.astimezone(zone).date()
    for day in (today + timedelta(days=n) for n in range(_LOOK_DAYS)):
        if day.weekday() in rules.days and day not in office.holidays:
            opens, closes = instant(zone, day, rules.opens), instant(zone, day, rules.closes)
            when = opens + part * (closes - opens)
            if when >= at:
                return when
    return at + timedelta(days=_LOOK_DAYS)  # a calendar without a working day: policy is looked at again then
