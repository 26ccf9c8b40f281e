"""What follows from a reply: which page it takes or passes, and what is said when that is not clear.

A reply names no page but by its code. One that fits several pages, or none, takes nothing: the alarms go on, and the
person is told what to answer. Only numbers that were told something are ever answered.
"""

from dataclasses import replace
from datetime import timedelta

from policies import events as ev
from policies.actions import Answer, ReplyTo
from policies.decide import pages, proofs
from policies.decide.telling import may_have_arrived
from policies.events import Says
from policies.pages import Page, Told
from policies.proofs import Proof, ProofState
from policies.state import Draft

LATE_OK = timedelta(minutes=10)
ASK_BACK_MOST = 3  # a machine that answers every message is not talked to for ever

_Waiting = tuple[Page | Proof, Told]


def on_replied(d: Draft, e: ev.PageReplied) -> None:
    """A person replied to a message, or to several at once."""
    asked, over = _asked(d, e)
    if not asked and not over:
        return
    meant = [one for one in asked if not e.code or one[1].code == e.code]
    if e.says is Says.UNCLEAR:
        _ask_back(d, e, asked, Answer.UNCLEAR)
    elif e.says is Says.PASS and (meant or not asked):
        for entity, told in meant:
            _answer(d, e, entity, told)
        _say(d, e, (asked or over)[-1][1], Answer.PASSED if meant else Answer.NOTHING)
    elif len(meant) == 1 and not (not e.code and any(_may_be_meant(d, page, told) for page, told in over)):
        _answer(d, e, *meant[0])
    elif taken := next((p for p, t in reversed(over) if not meant and (not e.code or t.code == e.code)), None):
        _say(d, e, _told(taken, e), Answer.TAKEN, incident=taken.incident, by=taken.answered_by)
    else:
        _ask_back(d, e, asked, Answer.WHICH)


def _asked(d: Draft, e: ev.PageReplied) -> tuple[list[_Waiting], list[tuple[Page, Told]]]:
    """Return what waits for this address, and what has been answered: each with one of its messages."""
    asked: list[_Waiting] = []
    over: list[tuple[Page, Told]] = []
    for page in d.pages.values():
        told = next((t for t in page.told if _is_to(t, e)), None)
        if told is not None and page.is_open:
            asked.append((page, told))
        elif told is not None:
            over.append((page, told))
    tests = [(proof, proof.told) for proof in d.proofs.values() if proof.told is not None and _is_to(proof.told, e)]
    asked += [one for one in tests if one[0].state is ProofState.ASKED]
    if not asked and not over:  # a late answer proves it too
        asked = [one for one in tests if one[0].state is ProofState.UNPROVED]
    return asked, over


def _is_to(told: Told, e: ev.PageReplied) -> bool:
    return may_have_arrived(told) and (told.channel, told.address) == (e.channel, e.address)


def _may_be_meant(d: Draft, page: Page, told: Told) -> bool:
    """Tell whether an "ok" may be about this page, which somebody else has taken a short while ago."""
    others = page.answered_by.casefold() != told.person.casefold()
    return others and page.answered_at is not None and d.at - page.answered_at < LATE_OK


def _told(page: Page, e: ev.PageReplied) -> Told:
    return next(t for t in page.told if _is_to(t, e))


def _answer(d: Draft, e: ev.PageReplied, entity: Page | Proof, told: Told) -> None:
    page = entity.id if isinstance(entity, Page) else entity.page
    by, means = told.person, e.channel
    if e.says is Says.PASS:
        pages.on_passed(d, ev.PagePassed(id=e.id, at=e.at, page=page, by=by, means=means))
    else:
        pages.on_answered(d, ev.PageAnswered(id=e.id, at=e.at, page=page, by=by, means=means))


def _ask_back(d: Draft, e: ev.PageReplied, asked: list[_Waiting], answer: Answer) -> None:
    if not asked:
        return
    entity, told = asked[-1]
    if told.asked_back >= ASK_BACK_MOST:
        return
    _count(d, entity, replace(told, asked_back=told.asked_back + 1))
    codes = tuple((t.code, one.incident if isinstance(one, Page) else one.page) for one, t in asked)
    _say(d, e, told, answer, codes=codes)


def _count(d: Draft, entity: Page | Proof, told: Told) -> None:
    if isinstance(entity, Page):
        d.page(entity, told=tuple(told if t.message == told.message else t for t in entity.told))
    else:
        proofs.note(d, entity, told)


def _say(
    d: Draft,
    e: ev.PageReplied,
    told: Told,
    answer: Answer,
    *,
    incident: str = "",
    by: str = "",
    codes: tuple[tuple[int, str], ...] = (),
) -> None:
    d.act(
        ReplyTo,
        channel=e.channel,
        address=e.address,
        language=told.language,
        answer=answer,
        incident=incident,
        by=by,
        codes=codes,
    )
