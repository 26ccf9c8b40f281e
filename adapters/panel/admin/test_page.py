"""A test of the way to the backup: a page on the live path, that says it is a test.

It is a page like any other: it goes on, rung by rung, until somebody answers it. It takes nothing from an alarm: there
is no limit that both share, and while an acute alarm is open no test begins.
"""

from typing import Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from adapters.http.doors import DOORS
from adapters.http.problems import problem
from adapters.panel.admin.doors import note
from adapters.panel.api import PANEL
from adapters.panel.routes import SESSION, Route, answer, body_of
from policies import events as ev
from policies.rules import Severity
from telephony.screens.model import PagePicture

REASON: Final = "test"


class NewTestPage(BaseModel):
    """A test that is wanted.

    Attributes:
        plan: name of a plan in [pages].
    """

    model_config = ConfigDict(extra="forbid")

    plan: str = Field(min_length=1, max_length=64)


class TestPage(BaseModel):
    """A test that has begun.

    Attributes:
        incident: what the messages name; the test is asked for by it.
        plan: by which plan.
    """

    __test__ = False  # no test for pytest

    incident: str
    plan: str


class TestPageList(BaseModel):
    """Tests, the newest first: those that nobody has answered, and those answered a short while ago."""

    __test__ = False

    pages: list[PagePicture]


def tests(request: web.Request) -> list[PagePicture]:
    """Return the tests, newest first."""
    found = [p for p in request.app[PANEL].screens.duty().pages if p.reason == REASON]
    return sorted(found, key=lambda p: p.opened_at, reverse=True)


async def test_pages(request: web.Request) -> web.Response:
    """Send every test."""
    return answer(TestPageList(pages=tests(request)))


async def test_page(request: web.Request) -> web.Response:
    """Send one test."""
    wanted = request.match_info["incident"]
    found = next((p for p in tests(request) if p.incident == wanted), None)
    return problem(404, "no-such-test", "No such test, or not any more") if found is None else answer(found)


async def open_test_page(request: web.Request) -> web.Response:
    """Page whom a plan names, for a test."""
    wanted = await body_of(request, NewTestPage)
    if isinstance(wanted, web.Response):
        return wanted
    engine = request.app[DOORS].engine
    plans = engine.policy.now.pages
    if wanted.plan not in plans:
        return problem(404, "no-such-plan", "No such plan", plans=sorted(plans))
    open_pages = [p for p in engine.state.pages.values() if p.is_open]
    if any(p.severity is Severity.ACUTE for p in open_pages):
        return problem(409, "alarm-open", "An acute alarm is open; a test would confuse it")
    if any(p.reason == REASON and p.plan.name == wanted.plan for p in open_pages):
        return problem(409, "test-open", "A test of this plan is under way, and nobody has answered it")
    stamp = engine.stamp()
    incident = f"{REASON}-{stamp['id']}"
    engine.take(ev.PageOpened(**stamp, plan=wanted.plan, incident=incident, reason=REASON))
    note(request, f"test_page: {wanted.plan}")
    return answer(TestPage(incident=incident, plan=wanted.plan), 202)


ROUTES: Final = (
    Route(
        "GET",
        "/v1/test-pages",
        test_pages,
        "Tests of the way to the backup: open ones, and those answered in the last hour",
        response_model=TestPageList,
        proof=(SESSION,),
    ),
    Route(
        "POST",
        "/v1/test-pages",
        open_test_page,
        "Page whom a plan names, for a test; it goes on until somebody answers",
        request_model=NewTestPage,
        response_model=TestPage,
        status=202,
        proof=(SESSION,),
        problems={
            404: "`no-such-plan`, with the plans that there are.",
            409: "`alarm-open`: an acute alarm is open; `test-open`: a test of this plan is under way.",
            415: "`not-json`",
            422: "`not-valid`: what is wrong with the body.",
        },
    ),
    Route(
        "GET",
        "/v1/test-pages/{incident}",
        test_page,
        "One test, with everybody who was told",
        response_model=PagePicture,
        proof=(SESSION,),
        problems={404: "It is not there, or not any more."},
    ),
)
