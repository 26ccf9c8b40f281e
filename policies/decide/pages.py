"""What follows for pages: open, escalate, try again, answered."""

from dataclasses import replace

from policies import events as ev
from policies.actions import Notify, StandDown
from policies.events import Delivery
from policies.pages import LAST_RESORT, Page, PageCause, PageState, Rung, Told, next_rung, staffed
from policies.rules import PagePlan, Severity
from policies.state import Draft

RETRY_FIRST_S = 5.0
RETRY_MOST_S = 30.0  # an alarm is not put off for long because a carrier was away


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
    plan = d.policy.now.pages.get(e.plan)
    if plan is not None:
        open_page(d, plan, e.incident, e.severity, e.reason)


def on_notified(d: Draft, e: ev.Notified) -> None:
    """A carrier answered for one message. It is noted; only a person's answer ends the page."""
    page = d.pages.get(e.page)
    if page is None:
        return
    told = next((t for t in page.told if t.action == e.action), None)
    if told is None:
        return
    page = _note(d, page, replace(told, delivery=e.delivery, detail=e.detail, at=d.at))
    if page.state is PageState.ANSWERED:
        return
    if e.delivery is Delivery.UNKNOWN and told.attempt == 1:
        _send(d, page, told)  # an alarm whose fate nobody knows is sent again, under the same message id
    elif e.delivery in (Delivery.DEFERRED, Delivery.UNKNOWN):
        again_s = min(RETRY_FIRST_S * 2.0 ** (told.attempt - 1), RETRY_MOST_S)
        d.timer("page", page.id, f"retry {told.message}", max(again_s, e.retry_after_s or 0.0))
    elif e.delivery is Delivery.REFUSED and _all_refused(page):
        _escalate(d, page)


def on_answered(d: Draft, e: ev.PageAnswered) -> None:
    """A person took it. The first answer counts; the others are told who has it."""
    page = d.pages.get(e.page)
    if page is None or page.state is PageState.ANSWERED:
        return
    if e.means == "mqtt" and e.by.casefold() not in _names(d, page):
        return  # not one of ours: the alarm goes on, and a name that anybody may write does not get into the trail
    page = d.page(page, PageCause.ANSWERED, answered_by=e.by, answered_at=d.at, means=e.means)
    d.no_timer("page", page.id, "next")
    for told in page.told:
        d.no_timer("page", page.id, f"retry {told.message}")
    addresses = tuple(dict.fromkeys((t.channel, t.address, t.language) for t in page.told))
    d.act(StandDown, page=page.id, incident=page.incident, by=e.by, told=addresses)
    d.drop(page)


def on_channel_connected(d: Draft, e: ev.ChannelConnected) -> None:
    """What could not be sent while the channel was away is sent now, and not when its next try would be due."""
    for page in tuple(d.pages.values()):
        for told in page.told:
            if told.channel == e.channel and told.delivery is Delivery.DEFERRED:
                d.no_timer("page", page.id, f"retry {told.message}")
                _send(d, d.pages[page.id], told)


def on_timer(d: Draft, e: ev.TimerFired) -> None:
    """The rung's time is over, or a message may be tried again."""
    page = d.pages.get(e.timer.entity_id)
    if page is None or page.state is PageState.ANSWERED:
        return
    if e.timer.what == "next":
        _escalate(d, page)
        return
    message = e.timer.what.removeprefix("retry ")
    told = next((t for t in page.told if t.message == message), None)
    if told is not None and told.delivery is not Delivery.SENT:
        _send(d, page, told)


def _escalate(d: Draft, page: Page) -> None:
    step = len(page.plan.steps) if page.step == LAST_RESORT else page.step
    rung = _next_rung(d, page.plan, step, page.round)
    cause = PageCause.EXHAUSTED if rung.step == LAST_RESORT else PageCause.NEXT
    page = d.page(page, cause, step=rung.step, round=rung.round)
    _tell_rung(d, page, rung)


def _next_rung(d: Draft, plan: PagePlan, step: int, rounds_done: int) -> Rung:
    """Look up who is on call now, and by the policy as it is now: a swap counts for pages that are under way."""
    rules, earlier = d.policy.now, (rules for _, rules in d.policy.earlier)
    return next_rung(staffed(plan, d.at, rules, *earlier), rules.office, d.at, step, rounds_done)


def _tell_rung(d: Draft, page: Page, rung: Rung) -> Page:
    for person in rung.people:
        for channel, address in person.channels:
            message = f"{page.id}.{len(page.told)}"
            told = Told(
                message=message,
                person=person.name,
                channel=channel,
                address=address,
                language=person.language,
                step=rung.step,
                round=rung.round,
                attempt=0,
                action="",
                delivery=None,
                at=d.at,
            )
            page = d.page(page, told=(*page.told, told))
            page = _send(d, page, told)
    d.timer("page", page.id, "next", rung.wait_s)
    return page


def _send(d: Draft, page: Page, told: Told) -> Page:
    notify = d.act(
        Notify,
        page=page.id,
        incident=page.incident,
        reason=page.reason,
        severity=page.severity,
        person=told.person,
        channel=told.channel,
        address=told.address,
        language=told.language,
        step=told.step,
        attempt=told.attempt + 1,
        message=told.message,
    )
    return _note(d, page, replace(told, attempt=told.attempt + 1, action=notify.id, delivery=None, at=d.at))


def _note(d: Draft, page: Page, told: Told) -> Page:
    return d.page(page, told=tuple(told if t.message == told.message else t for t in page.told))


def _all_refused(page: Page) -> bool:
    """Tell whether nobody on the current rung can be reached, so that its time need not be waited out."""
    if page.step == LAST_RESORT:
        return False
    current = [t for t in page.told if (t.step, t.round) == (page.step, page.round)]
    return all(t.delivery is Delivery.REFUSED for t in current)


def _names(d: Draft, page: Page) -> set[str]:
    """Return everybody who can be paged: by the page's own plan, by any plan or rota in force; and who was told."""
    plans = (page.plan, *d.policy.now.pages.values())
    contacts = [c for plan in plans for c in (plan.last_resort, *(p for step in plan.steps for p in step.people))]
    names = {told.person for told in page.told}.union(*(rota.everybody for rota in d.policy.now.rotas.values()))
    return {name.casefold() for name in names.union(c.name for c in contacts)}
