"""What a person does over HTTP: take a page, end a break, agree that a call is acute no more.

The answer is 202: it says that the request was taken. What came of it shows in the state.
"""

from aiohttp import web
from pydantic import BaseModel, Field

from adapters.http.access import TokenKind
from adapters.http.doors import DOORS, owner_of
from adapters.http.problems import problem
from policies import events as ev
from policies.guards import CallState
from policies.model import CallId
from policies.proofs import ProofState
from policies.state import State


class Acknowledged(BaseModel):
    """A page that was taken."""

    page: str
    acknowledged_by: str


class EndedBreak(BaseModel):
    """A break that was ended."""

    break_id: str = Field(alias="break")
    ended_by: str


class Agreed(BaseModel):
    """An acute call, and who agrees that it is acute no more."""

    call: str
    agreed_by: str


async def acknowledge(request: web.Request) -> web.Response:
    """Take a page."""
    person = owner_of(request, TokenKind.PERSON)
    if isinstance(person, web.Response):
        return person
    page = request.match_info["page"]
    engine = request.app[DOORS].engine
    if not _is_open(engine.state, page):
        return problem(404, "no-such-page", "No such open page", detail="It may have been answered already.")
    engine.take(ev.PageAnswered(**engine.stamp(), page=page, by=person, means="http"))
    return taken(Acknowledged(page=page, acknowledged_by=person))


def _is_open(state: State, page: str) -> bool:
    """Tell whether an answer is still wanted, to an alarm or to the test of a path."""
    found = state.pages.get(page)
    asked = (proof.page for proof in state.proofs.values() if proof.state is ProofState.ASKED)
    return found.is_open if found is not None else page in asked


async def end_break(request: web.Request) -> web.Response:
    """End an agent's break before its time."""
    person = owner_of(request, TokenKind.PERSON)
    if isinstance(person, web.Response):
        return person
    break_id = request.match_info["break_id"]
    engine = request.app[DOORS].engine
    if break_id not in engine.state.breaks:
        return problem(404, "no-such-break", "No such break")
    engine.take(ev.BreakEnded(**engine.stamp(), break_id=break_id, by=person))
    return taken(EndedBreak(**{"break": break_id}, ended_by=person))


async def open_latch(request: web.Request) -> web.Response:
    """Agree that an acute call is acute no more."""
    person = owner_of(request, TokenKind.PERSON)
    if isinstance(person, web.Response):
        return person
    call = CallId(request.match_info["call"])
    engine = request.app[DOORS].engine
    guard = engine.state.guards.get(call)
    if guard is None:
        return problem(404, "no-such-call", "No such guarded call")
    if guard.state is not CallState.ACUTE:
        return problem(409, "not-acute", "The call is not acute", state=guard.state.value)
    engine.take(ev.LatchAgreed(**engine.stamp(), call=call, by=person))
    return taken(Agreed(call=call, agreed_by=person))


def taken(model: BaseModel) -> web.Response:
    """Return 202 with what was taken."""
    return web.json_response(text=model.model_dump_json(by_alias=True), status=202)
