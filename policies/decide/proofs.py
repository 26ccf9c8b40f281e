"""What follows for proofs: when a channel is tested, answered, not answered; and whom policy no longer has."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from policies import events as ev
from policies.actions import StandDown
from policies.decide import telling
from policies.decide.codes import free_code
from policies.events import Delivery, Report
from policies.pages import Told
from policies.proofs import Proof, ProofCause, ProofState, decent_time, is_decent, proof_id
from policies.rules import Contact, ProofRules, Rules, Severity
from policies.state import Draft

REASON = "test"
ALARM_FIRST = timedelta(hours=1)
"""Who has an alarm to answer is not tested meanwhile."""
_TIMERS = ("ask", "lapse")


def on_policy_loaded(d: Draft, e: ev.PolicyLoaded) -> None:
    """Keep a proof for each channel of each person; forget those that policy no longer has."""
    del e
    rules, before = d.policy.now, d.policy.earlier[:1]
    wanted = _wanted(rules)
    ways = {proof_id(c.name, channel): address for c in rules.people.values() for channel, address in c.channels}
    for proof in tuple(d.proofs.values()):
        if ways.get(proof.id) != proof.address:
            _take_back(d, proof)
            if proof.id not in wanted:
                d.drop(proof)
        elif rules.proofs is None:
            d.no_timer("proof", proof.id, "ask")  # what was answered, or is asked by hand, stays
    were_off = bool(before) and before[0][1].proofs is None
    for id_, (contact, channel, address) in wanted.items():
        known = d.proofs.get(id_)
        if known is None or known.address != address:
            _ask_at(d, d.proof(_new(contact, channel, address)), d.at)
        elif were_off and known.state is not ProofState.ASKED:
            _ask_at(d, known, d.at)


def on_asked(d: Draft, e: ev.ProofAsked) -> None:
    """Somebody wants to know now: the hour is theirs to choose."""
    contact = d.policy.now.people.get(e.person)
    address = next((a for c, a in contact.channels if c == e.channel), "") if contact is not None else ""
    if contact is None or not address:
        return
    known = d.proofs.get(proof_id(e.person, e.channel))
    _ask(d, known if known is not None and known.address == address else _new(contact, e.channel, address))


def on_timer(d: Draft, e: ev.TimerFired) -> None:
    """A test is due, or was not answered, or its message may be tried again."""
    proof = d.proofs.get(e.timer.entity_id)
    rules = d.policy.now.proofs
    if proof is None:
        return
    if e.timer.what == "lapse" and proof.state is ProofState.ASKED:
        _lapse(d, proof)
    elif e.timer.what == "ask" and rules is not None:
        if not is_decent(rules, d.policy.now.office, d.at):  # it comes late: the service, or the machine, was away
            _ask_at(d, proof, d.at)
        elif any(page.is_open and any(t.person == proof.person for t in page.told) for page in d.pages.values()):
            _ask_at(d, proof, d.at + ALARM_FIRST)
        else:
            _ask(d, proof)
    elif e.timer.what.startswith("retry ") and proof.told is not None and proof.state is ProofState.ASKED:
        _send(d, proof, proof.told)


def on_notified(d: Draft, e: ev.Notified) -> None:
    """A carrier answered for a test's message."""
    proof = _of_page(d, e.page)
    if proof is None or proof.told is None or proof.told.action != e.action:
        return
    told = telling.notified(proof.told, e)
    proof = note(d, proof, told)
    if proof.state is not ProofState.ASKED:
        return
    if telling.must_repeat(told):
        _send(d, proof, told)
    elif e.delivery is Delivery.DEFERRED:
        d.timer("proof", proof.id, telling.retry(told), telling.retry_s(told, e.retry_after_s))
    elif e.delivery is Delivery.REFUSED:
        _lapse(d, proof)


def on_reported(d: Draft, e: ev.MessageReported) -> None:
    """A carrier said later what became of a test's message."""
    proof = _of_page(d, e.message.rpartition(".")[0])
    if proof is None or proof.told is None:
        return
    proof = note(d, proof, telling.reported(proof.told, e))
    if e.report is Report.FAILED and proof.state is ProofState.ASKED:
        _lapse(d, proof)


def on_answered(d: Draft, e: ev.PageAnswered) -> None:
    """The person answered a test; one that had lapsed counts too."""
    proof = _of_page(d, e.page)
    if proof is not None and proof.state is not ProofState.PROVED and e.by.casefold() == proof.person.casefold():
        d.act(
            StandDown,
            page=proof.page,
            incident=proof.page,
            by=proof.person,
            told=((proof.channel, proof.address, proof.language),),
            reason=REASON,
        )
        _proved(d, proof)


def answered(d: Draft, person: str, channel: str) -> None:
    """An answer has come from this person on this channel, to a test or to an alarm: the channel works."""
    proof = d.proofs.get(proof_id(person, channel))
    if proof is not None:
        _take_back(d, proof)
        _proved(d, proof)


def _proved(d: Draft, proof: Proof) -> None:
    _stop(d, proof)
    proof = d.proof(proof, ProofCause.ANSWERED, proved_at=d.at, lapses=0)
    rules = d.policy.now.proofs
    if rules is not None:
        _ask_at(d, proof, d.at + timedelta(days=rules.every_days))


def note(d: Draft, proof: Proof, told: Told) -> Proof:
    """Store what has become of a test's message."""
    return d.proof(proof, told=told)


def _wanted(rules: Rules) -> Mapping[str, tuple[Contact, str, str]]:
    people = rules.people.values() if rules.proofs is not None else ()
    return {proof_id(c.name, channel): (c, channel, address) for c in people for channel, address in c.channels}


def _new(contact: Contact, channel: str, address: str) -> Proof:
    return Proof(proof_id(contact.name, channel), contact.name, channel, address, contact.language)


def _ask(d: Draft, proof: Proof) -> None:
    page = f"t-{d.event.id}"
    contact = Contact(proof.person, (), proof.language)
    way = (proof.channel, proof.address)
    _take_back(d, proof)  # an earlier test that is still out
    told = telling.message(page, 0, contact, way, d.at, free_code(d, proof.person, proof.address))
    proof = d.proof(proof, ProofCause.ASKED, page=page, told=told, asked_at=d.at)
    d.timer("proof", proof.id, "lapse", (d.policy.now.proofs or ProofRules()).lapse_s)
    _send(d, proof, told)


def _send(d: Draft, proof: Proof, told: Told) -> None:
    sent = telling.send(d, told, page=proof.page, incident=proof.page, reason=REASON, severity=Severity.NORMAL)
    note(d, proof, sent)


def _lapse(d: Draft, proof: Proof) -> None:
    """Take the test back and try on another day: the next one, then after two, four …, as people are away."""
    _take_back(d, proof)
    proof = d.proof(proof, ProofCause.LAPSED, lapses=proof.lapses + 1)
    rules = d.policy.now.proofs
    if rules is not None:
        days = min(2 ** (proof.lapses - 1), rules.every_days)
        _ask_at(d, proof, d.at + timedelta(days=days))


def _ask_at(d: Draft, proof: Proof, at: datetime) -> None:
    """Set the time of the next test, at a decent hour from `at` on."""
    rules = d.policy.now.proofs
    if rules is not None:
        due = decent_time(rules, d.policy.now.office, at, proof.id)
        d.timer("proof", proof.id, "ask", (due - d.at).total_seconds())


def _stop(d: Draft, proof: Proof) -> None:
    for what in _TIMERS:
        d.no_timer("proof", proof.id, what)
    if proof.told is not None and proof.told.delivery is Delivery.DEFERRED:
        d.no_timer("proof", proof.id, telling.retry(proof.told))


def _take_back(d: Draft, proof: Proof) -> None:
    """Stop its timers, and take a test that is out off phones and brokers."""
    _stop(d, proof)
    if proof.state is ProofState.ASKED:
        told = ((proof.channel, proof.address, proof.language),)
        d.act(StandDown, page=proof.page, incident=proof.page, by="", told=told)


def _of_page(d: Draft, page: str) -> Proof | None:
    return next((proof for proof in d.proofs.values() if page and proof.page == page), None)
