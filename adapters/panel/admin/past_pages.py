"""Pages over the API: one with its time line, those of a time, and the figures. Auditors read no names here either.

Whoever looks at what is over leaves a line in the audit trail.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from adapters.accounts.from_settings import audit_by
from adapters.http.doors import DOORS
from adapters.http.problems import problem
from adapters.panel.access import DUTY
from adapters.panel.admin.doors import ADMIN
from adapters.panel.admin.pseudonyms import Pseudonyms
from adapters.panel.api import PANEL
from adapters.panel.identity import identity_of
from adapters.panel.past import MOST_COUNTED, Span
from adapters.panel.routes import SESSION, Route, answer, query_of
from policies.pages import Page
from telephony.errors import BagvagtError
from telephony.report import LATE_AFTER_S, Report, report
from telephony.screens.model import PagePicture
from telephony.screens.page import page_picture

MOST: Final = 200
LOOK_BACK: Final = timedelta(days=30)
_YEARS: Final = range(1971, 9999)  # so that every time of the clock on a wall is one in UTC


def _in_range(at: datetime) -> datetime:
    if at.year not in _YEARS:
        raise ValueError(at.year)
    return at


Time = Annotated[datetime, AfterValidator(_in_range)]


class Asked(BaseModel):
    """What is looked for; what is left out does not matter.

    Attributes:
        since: pages that began from then on; a time without a zone is the site's.
        until: and before this.
    """

    model_config = ConfigDict(extra="forbid")

    since: Time | None = None
    until: Time | None = None

    def span(self, zone: ZoneInfo) -> Span:
        """Return it for the store."""
        return Span(*(at.replace(tzinfo=zone) if at and at.tzinfo is None else at for at in (self.since, self.until)))


class AskedPages(Asked):
    """Likewise, page by page.

    Attributes:
        before: id of the one after which to go on.
        most: how many.
    """

    before: str = Field(default="", max_length=255)
    most: int = Field(default=50, ge=1, le=MOST)


class AskedReport(Asked):
    """Likewise, counted.

    Attributes:
        late_after_s: a page that nobody has had after this time is late, in seconds.
    """

    late_after_s: float = Field(default=LATE_AFTER_S, gt=0, le=7 * 86_400)


class PageList(BaseModel):
    """Pages, the newest first.

    Attributes:
        pages: see there.
        next: what to give as `before` for those after these; None when there are none.
        names: whether names are shown.
    """

    pages: list[PagePicture]
    next: str | None
    names: bool


def sees_names(request: web.Request) -> bool:
    """Tell whether who asks works with the names anyway, or is an auditor who may see them."""
    identity = identity_of(request)
    return not DUTY.isdisjoint(identity.roles) or request.app[ADMIN].sees_names(identity)


def shown(request: web.Request, pages: Iterable[Page]) -> list[PagePicture]:
    """Return pages as who asks may see them."""
    pictures = map(page_picture, pages)
    if sees_names(request):
        return list(pictures)
    pseudonyms = request.app[ADMIN].pseudonyms
    return [_masked(picture, pseudonyms) for picture in pictures]


async def find(request: web.Request, id_: str) -> PagePicture | web.Response:
    """Return a page as who asks may see it, or the refusal."""
    found = request.app[DOORS].engine.state.pages.get(id_)
    if found is None:
        _note(request, f"page_read: {id_}")
        try:
            found = await request.app[PANEL].past.one(id_)
        except BagvagtError as error:
            return _no_store(error)
    if found is None:
        return problem(404, "no-such-page", "No such page, or not any more")
    return shown(request, [found])[0]


async def look(request: web.Request, wanted: AskedPages) -> PageList | web.Response:
    """Return pages, or the refusal."""
    _note(request, "pages_read")
    try:
        pages, more = await request.app[PANEL].past.some(
            wanted.span(_zone(request)), most=wanted.most, before=wanted.before
        )
    except LookupError:
        return problem(404, "no-such-page", "No such page to go on after, or not any more")
    except BagvagtError as error:
        return _no_store(error)
    pictures = shown(request, pages)
    return PageList(pages=pictures, next=pictures[-1].id if more else None, names=sees_names(request))


async def count(request: web.Request, wanted: Asked, *, late_after_s: float = LATE_AFTER_S) -> Report | web.Response:
    """Return the figures, or the refusal."""
    zone = _zone(request)
    span = wanted.span(zone)
    until = span.until or request.app[PANEL].screens.now()
    since = span.since or until - LOOK_BACK
    try:
        pages, more = await request.app[PANEL].past.some(Span(since, until), most=MOST_COUNTED)
    except BagvagtError as error:
        return _no_store(error)
    if more:
        return problem(
            409, "too-many-pages", "Too many pages for one report: ask for a shorter time", most=MOST_COUNTED
        )
    counted = partial(report, pages, since, until, zone, late_after_s=late_after_s)
    return await asyncio.to_thread(counted)


async def page(request: web.Request) -> web.Response:
    """Send one page."""
    found = await find(request, request.match_info["page"])
    return found if isinstance(found, web.Response) else answer(found)


async def pages(request: web.Request) -> web.Response:
    """Send pages."""
    wanted = query_of(request, AskedPages)
    found = wanted if isinstance(wanted, web.Response) else await look(request, wanted)
    return found if isinstance(found, web.Response) else answer(found)


async def figures(request: web.Request) -> web.Response:
    """Send the figures."""
    wanted = query_of(request, AskedReport)
    found = (
        wanted if isinstance(wanted, web.Response) else await count(request, wanted, late_after_s=wanted.late_after_s)
    )
    return found if isinstance(found, web.Response) else answer(found)


def _zone(request: web.Request) -> ZoneInfo:
    return ZoneInfo(request.app[DOORS].engine.policy.now.office.zone)


def _note(request: web.Request, what: str) -> None:
    audit_by(request.app[DOORS].engine)(identity_of(request).name, what, "", request.remote or "")


def _no_store(error: BagvagtError) -> web.Response:
    return problem(503, "store", "The store cannot be read now", detail=str(error))


def _masked(page: PagePicture, pseudonyms: Pseudonyms) -> PagePicture:
    """Return a page without names, and without a carrier's words, in which one may stand."""

    def of(name: str) -> str:
        return pseudonyms.of(page.incident, name)

    told = tuple(t.model_copy(update={"person": of(t.person), "detail": ""}) for t in page.told)
    changed = {"told": told, "passed": tuple(map(of, page.passed)), "answered_by": of(page.answered_by)}
    return page.model_copy(update=changed)


_WHEN: Final = {
    "since": "pages that began from this time on; without a zone it is the site's",
    "until": "and before this time",
}
_PROBLEMS: Final = {422: "`not-valid`: what is wrong with the query.", 503: "`store`: the store does not answer."}
_GONE: Final = {404: "`no-such-page`: it is not there, or not any more."}

ROUTES: Final = (
    Route(
        "GET",
        "/v1/pages",
        pages,
        "Pages, open ones and those that are over, newest first; for auditors with pseudonyms",
        response_model=PageList,
        proof=(SESSION,),
        query={**_WHEN, "before": "go on after this page: `next` of the answer before", "most": "how many"},
        problems=_PROBLEMS | _GONE,
    ),
    Route(
        "GET",
        "/v1/pages/{page}",
        page,
        "One page, with the times of each message, open or over; for auditors with pseudonyms",
        response_model=PagePicture,
        proof=(SESSION,),
        problems=_GONE | {503: _PROBLEMS[503]},
    ),
    Route(
        "GET",
        "/v1/report",
        figures,
        "Figures: how long pages took, and which way did not work; without names, by hour only for five pages or more",
        response_model=Report,
        proof=(SESSION,),
        query={**_WHEN, "late_after_s": "a page that nobody has had after so many seconds is late"},
        problems=_PROBLEMS | {409: "`too-many-pages`: ask for a shorter time."},
    ),
)
