"""Reply codes: small numbers that tell the pages to one person apart, for those who answer by SMS."""

from datetime import timedelta

from policies.pages import KEEP_ANSWERED_S
from policies.proofs import Proof, ProofState
from policies.state import Draft


def free_code(d: Draft, person: str, *addresses: str) -> int:
    """Return the smallest number that no page to this person has, nor one that was answered a short while ago.

    So a reply that was under way when somebody else took the page never takes another one.
    """
    pages = {
        told.code
        for page in d.pages.values()
        for told in page.told
        if person == told.person or told.address in addresses
    }
    tests = {
        p.told.code
        for p in d.proofs.values()
        if p.told is not None and (p.person == person or p.address in addresses) and _is_fresh(d, p)
    }
    return next(code for code in range(1, len(pages) + len(tests) + 2) if code not in pages | tests)


def _is_fresh(d: Draft, proof: Proof) -> bool:
    since = d.at - timedelta(seconds=KEEP_ANSWERED_S)
    return proof.state is ProofState.ASKED or (proof.proved_at is not None and proof.proved_at > since)
