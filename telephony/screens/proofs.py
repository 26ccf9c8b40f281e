"""The state of the paths: who can be reached by what, as far as was tried."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from policies.proofs import Proof, proof_id
from policies.rules import ProofRules, Rules
from telephony.screens.model import ProofPicture

_NEVER = datetime.min.replace(tzinfo=UTC)


def proof_pictures(proofs: Mapping[str, Proof], rules: Rules, at: datetime) -> tuple[ProofPicture, ...]:
    """Return each person and channel of the policy; never proved first, then those proved longest ago.

    Where policy asks for no tests, only those are there that somebody has answered or been asked by all the same.

    Args:
        proofs: of the core's state.
        rules: in force.
        at: now (aware).
    """
    known = [
        _proof(proofs, person.name, channel, address)
        for person in rules.people.values()
        for channel, address in person.channels
    ]
    tried = (p for p in known if rules.proofs is not None or p.asked_at or p.proved_at)
    return longest_ago_first(_picture(p, rules.proofs, at) for p in tried)


def longest_ago_first(proofs: Iterable[ProofPicture]) -> tuple[ProofPicture, ...]:
    """Return them in order: never proved first, then those proved longest ago; by name where that is the same."""
    return tuple(sorted(proofs, key=lambda p: (p.proved_at or _NEVER, p.person, p.channel)))


def is_overdue(proof: Proof, rules: ProofRules | None, at: datetime) -> bool:
    """Tell whether the latest answer, or the first test that nobody answered, is longer ago than policy allows.

    Before the first test has lapsed nothing is known, and nothing is overdue.
    """
    if rules is None:
        return False
    if proof.proved_at is None:
        return proof.lapses > 0
    return at - proof.proved_at > timedelta(days=rules.every_days, seconds=rules.lapse_s)


def _proof(proofs: Mapping[str, Proof], person: str, channel: str, address: str) -> Proof:
    id_ = proof_id(person, channel)
    proof = proofs.get(id_)
    if proof is None or proof.address != address:  # what another address has proved says nothing of this one
        return Proof(id_, person, channel, address, "")
    return proof


def _picture(proof: Proof, rules: ProofRules | None, at: datetime) -> ProofPicture:
    return ProofPicture(
        person=proof.person,
        channel=proof.channel,
        state=proof.state.value,
        proved_at=proof.proved_at,
        days=None if proof.proved_at is None else max(0, (at - proof.proved_at).days),
        asked_at=proof.asked_at,
        lapses=proof.lapses,
        overdue=is_overdue(proof, rules, at),
    )
