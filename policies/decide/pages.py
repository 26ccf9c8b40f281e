"""What follows for pages: open, use each person's channels, escalate, answered, forgotten."""

from dataclasses import replace

from policies import events as ev
from policies.actions import StandDown
from policies.decide import proofs, telling
from policies.decide.codes import free_code
from policies.events import Delivery, Report
from policies.pages import (
    KEEP_ANSWERED,
    KEEP_ANSWERED_S,
    LAST_RESORT,
    Page,
    PageCause,
    PageState,
    Rung,
    Told,
    next_rung,
    staffed,
)
from policies.rules import Contact, PagePlan, Severity
from policies.state import Draft

NOT_IN_EARNEST = ("drill", "test")


def open_page(d: Draft, plan: PagePlan, incident: str, severity: Severity, reason: str) -> Page:
    """Open a page and tell its first rung."""
    rung = _next_rung(d, plan, -1, 0)
    page = Page(
        id=f"p-{d.event.id}-{plan.name}",
        incident=incident,
        reason=reason,
        plan=plan,
        severity=severity,
        state=PageState.CALLING,
        step=rung.step,
        round=rung.round,
        opened_at=d.at,
    )
    if rung.step == LAST_RESORT:
        page = d.page(page, PageCause.EXHAUSTED)
    return _tell_rung(d, page, rung)


def on_opened(d: Draft, e: ev.PageOpened) -> None:
    """A drill or a test: the live path, with a reason that says so. Or an alarm that is opened anew."""
    rules = d.policy.now
    acute = (kind.page for kind in rules.kinds.values() if kind.latched)
    # An alarm whose plan a reload has taken away goes by another one: better the wrong person than nobody.
    names = (e.plan,) if e.reason in NOT_IN_EARNEST else (e.plan, *acute, *rules.pages)
    plan = next((rules.pages[name] for name in names if name in rules.pages), None)
    if plan is not None:
        open_page(d, plan, e.incident, e.severity, e.reason)


# --- What carriers say ----------------------------------------------------------------------------------------------


def on_notified(d: Draft, e: ev.Notified) -> None:
    """A carrier answered for one message. It is noted; only a person's answer ends the page."""
    page = d.pages.get(e.page)
    if page is None:
        proofs.on_notified(d, e)
        return
    told = next((t for t in page.told if t.action == e.action), None)
    if told is None:
        return
    told = telling.notified(told, e)
    page = _note(d, page, told)
    if not page.is_open and e.delivery in (Delivery.SENT, Delivery.UNKNOWN):
        _stand_down(d, page, told)  # it was on its way when the page was taken, and may have come in after that news
    if not page.is_open or told.given_up:
        return
    if telling.must_repeat(told):
        _send(d, page, told)
        return
    if e.delivery is Delivery.DEFERRED:
        d.timer("page", page.id, telling.retry(told), telling.retry_s(told, e.retry_after_s))
    if e.delivery is not Delivery.SENT:
        _go_on(d, page, told)


def on_reported(d: Draft, e: ev.MessageReported) -> None:
    """A carrier said later what became of a message; one that will not arrive is not waited for."""
    page = d.pages.get(e.message.rpartition(".")[0])
    if page is None:
        proofs.on_reported(d, e)
        return
    told = next((t for t in page.told if t.message == e.message), None)
    if told is None:
        return
    was_hopeless = told.is_hopeless
    told = telling.reported(told, e)
    page = _note(d, page, told)
    if page.is_open and e.report is Report.FAILED and not was_hopeless:
        _go_on(d, page, told)


def on_channel_connected(d: Draft, e: ev.ChannelConnected) -> None:
    """What could not be sent while the channel was away is sent now, and not when its next try would be due."""
    for page in tuple(d.pages.values()):
        for told in page.told if page.is_open else ():
            if told.channel == e.channel and told.delivery is Delivery.DEFERRED and not told.given_up:
                d.no_timer("page", page.id, telling.retry(told))
                _send(d, d.pages[page.id], told)


# --- What people say ------------------------------------------------------------------------------------------------


def on_answered(d: Draft, e: ev.PageAnswered) -> None:
    """A person took it. The first answer counts; what still runs is stopped, and the others are told who has it."""
    page = d.pages.get(e.page)
    if page is None:
        proofs.on_answered(d, e)
        return
    by = _known(d, page, e.by, e.means)
    if not page.is_open:
        _tell_second(d, page, by, e.means)
        return
    if not by:
        return
    page = d.page(page, PageCause.ANSWERED, answered_by=by, answered_at=d.at, means=e.means)
    d.no_timer("page", page.id, "next")
    for told in page.told:
        if told.delivery is Delivery.DEFERRED:
            d.no_timer("page", page.id, telling.retry(told))
        elif told.waits:
            d.no_timer("page", page.id, f"turn {told.person}")
    _stand_down(d, page, *(t for t in page.told if t.attempt))
    channel = next((t.channel for t in page.told if t.message == e.message), e.means)
    proofs.answered(d, by, channel)
    d.timer("page", page.id, "forget", KEEP_ANSWERED_S)
    _forget_oldest(d)


def _tell_second(d: Draft, page: Page, by: str, means: str) -> None:
    """Tell one who answers what somebody else has taken who that is, where the answer came from."""
    told = next((t for t in reversed(page.told) if t.attempt and (t.person, t.channel) == (by, means)), None)
    if told is not None and by != page.answered_by:
        _stand_down(d, page, told)


def on_passed(d: Draft, e: ev.PagePassed) -> None:
    """A person cannot take it: nothing more is sent to that person for now, and who is next need not wait."""
    page = d.pages.get(e.page)
    if page is None:
        proofs.on_answered(d, ev.PageAnswered(id=e.id, at=e.at, page=e.page, by=e.by, means=e.means))
        return
    by = _known(d, page, e.by, e.means)
    if not page.is_open or not by or by in page.passed:
        return
    page = d.page(page, passed=(*page.passed, by))
    theirs = [t for t in page.told if t.person == by]
    answered = [t for t in theirs if t.attempt and t.channel == e.means] or [t for t in theirs if t.attempt]
    for told in theirs:
        page = _give_up(d, page, replace(told, passed_at=d.at) if told in answered[-1:] else told)
    _escalate_if_hopeless(d, page)


# --- What time does -------------------------------------------------------------------------------------------------


def on_timer(d: Draft, e: ev.TimerFired) -> None:
    """The rung's time is over, or it is the next channel's turn, or a message may be tried again."""
    page = d.pages.get(e.timer.entity_id)
    if page is None:
        return
    what, _, which = e.timer.what.partition(" ")
    if what == "forget" and not page.is_open:
        d.drop(page)
    elif not page.is_open:
        return
    elif what == "next":
        _escalate(d, page)
    elif what == "turn":
        _next_turn(d, page, which)
    elif what == "retry":
        told = next((t for t in page.told if t.message == which), None)
        if told is not None and told.delivery is not Delivery.SENT and not told.given_up:
            _send(d, page, told)


def _forget_oldest(d: Draft) -> None:
    answered = [page for page in d.pages.values() if not page.is_open]
    for page in answered[: len(answered) - KEEP_ANSWERED] if len(answered) > KEEP_ANSWERED else ():
        d.no_timer("page", page.id, "forget")
        d.drop(page)


# --- Rungs ----------------------------------------------------------------------------------------------------------


def _escalate(d: Draft, page: Page) -> None:
    step = len(page.plan.steps) if page.step == LAST_RESORT else page.step
    rung = _next_rung(d, page.plan, step, page.round)
    cause = PageCause.EXHAUSTED if rung.step == LAST_RESORT else PageCause.NEXT
    for told in page.rung:
        if told.waits:
            page = _give_up(d, page, told)
    if rung.step == LAST_RESORT:
        rung = _with_unreached(d, page, rung)
    page = d.page(page, cause, step=rung.step, round=rung.round, passed=())
    _tell_rung(d, page, rung)


def _next_rung(d: Draft, plan: PagePlan, step: int, rounds_done: int) -> Rung:
    """Look up who is on call now, and by the policy as it is now: a swap counts for pages that are under way."""
    rules, earlier = d.policy.now, (rules for _, rules in d.policy.earlier)
    return next_rung(staffed(plan, d.at, rules, *earlier), rules.office, d.at, step, rounds_done)


def _with_unreached(d: Draft, page: Page, rung: Rung) -> Rung:
    """Tell with the last resort those of the plan whom nothing has reached: what was refused may be over by now."""
    rules, earlier = d.policy.now, (rules for _, rules in d.policy.earlier)
    reached = {t.person for t in page.told if t.passed_at is not None or not t.is_hopeless}
    is_open = rules.office.is_open(d.at)
    steps = [s for s in staffed(page.plan, d.at, rules, *earlier).steps if s.when.covers(is_open=is_open)]
    more = (p for s in steps for p in s.people if p.channels and p.name not in reached)
    return replace(rung, people=tuple({p.name: p for p in (*rung.people, *more)}.values()))


def _tell_rung(d: Draft, page: Page, rung: Rung) -> Page:
    for person in rung.people:
        for way in person.channels:
            page = _queue(d, page, person, way)
    d.timer("page", page.id, "next", rung.wait_s)
    for told in page.rung:
        if told.waits and not rung.in_turn_s:
            page = _send(d, page, told)
    for person in rung.people if rung.in_turn_s else ():
        page = _next_turn(d, page, person.name)
    return page


def _queue(d: Draft, page: Page, person: Contact, way: tuple[str, str]) -> Page:
    """Put a message on the present rung; an earlier one that is still to be tried at that address gives way to it."""
    for told in page.told:
        if (told.channel, told.address) == way and told.delivery is Delivery.DEFERRED:
            page = _give_up(d, page, told)
    code = next((t.code for t in page.told if t.person == person.name), 0)
    code = code or free_code(d, person.name, *(address for _, address in person.channels))
    told = telling.message(page.id, len(page.told), person, way, d.at, code)
    return d.page(page, told=(*page.told, replace(told, step=page.step, round=page.round)))


def _next_turn(d: Draft, page: Page, person: str) -> Page:
    """Use the person's next channel, and set the time for the one after it."""
    waiting = [t for t in page.rung if t.person == person and t.waits]
    if not waiting:
        return page
    page = _send(d, page, waiting[0])
    if len(waiting) > 1:
        d.timer("page", page.id, f"turn {person}", page.plan.steps[page.step].in_turn_s)
    return page


def _go_on(d: Draft, page: Page, told: Told) -> None:
    """Do not wait for a message that has failed, or that nobody can vouch for: the next channel, or the next rung."""
    rung = page.rung
    theirs = [t for t in rung if t.person == told.person]
    is_last = next((t for t in reversed(theirs) if t.attempt), None) == told  # an earlier one's turn is over already
    if is_last and any(t.waits for t in theirs):
        d.no_timer("page", page.id, f"turn {told.person}")
        page = _next_turn(d, page, told.person)
    _escalate_if_hopeless(d, page)


def _escalate_if_hopeless(d: Draft, page: Page) -> None:
    """Escalate where nobody on the present rung can be reached, or will come: its time need not be waited out."""
    if page.step != LAST_RESORT and all(t.is_hopeless for t in page.rung):
        _escalate(d, page)


# --- Messages -------------------------------------------------------------------------------------------------------


def _send(d: Draft, page: Page, told: Told) -> Page:
    sent = telling.send(d, told, page=page.id, incident=page.incident, reason=page.reason, severity=page.severity)
    return _note(d, page, sent)


def _note(d: Draft, page: Page, told: Told) -> Page:
    return d.page(page, told=tuple(told if t.message == told.message else t for t in page.told))


def _stand_down(d: Draft, page: Page, *told: Told) -> None:
    addresses = tuple(dict.fromkeys((t.channel, t.address, t.language) for t in told))
    d.act(StandDown, page=page.id, incident=page.incident, by=page.answered_by, told=addresses)


def _give_up(d: Draft, page: Page, told: Told) -> Page:
    if told.delivery is Delivery.DEFERRED:
        d.no_timer("page", page.id, telling.retry(told))
    elif told.waits:
        d.no_timer("page", page.id, f"turn {told.person}")
    return _note(d, page, replace(told, given_up=True))


# --- Names ----------------------------------------------------------------------------------------------------------


def _known(d: Draft, page: Page, by: str, means: str) -> str:
    """Return the name as policy has it.

    "" for one who is none of ours, where anybody may write a name: the alarm goes on, and the name stays out of the
    trail.
    """
    if means != "mqtt":
        return by
    return next((name for name in _names(d, page) if name.casefold() == by.casefold()), "")


def _names(d: Draft, page: Page) -> set[str]:
    """Return everybody who can be paged: by the page's own plan, by any plan or rota in force; and who was told."""
    plans = (page.plan, *d.policy.now.pages.values())
    contacts = [c for plan in plans for c in (plan.last_resort, *(p for step in plan.steps for p in step.people))]
    told = {told.person for told in page.told}
    return told.union((c.name for c in contacts), *(rota.everybody for rota in d.policy.now.rotas.values()))
