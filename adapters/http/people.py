"""What a person does over HTTP: take a page, end a break, agree that a call is acute no more.

The answer is 202: it says that the request was taken. What came of it shows in the state.
"""

from aiohttp import web

from adapters.http.access import TokenKind
from adapters.http.doors import DOORS, bearer, check
from adapters.http.problems import problem
from policies import events as ev
from policies.guards import CallState
from policies.model import CallId


async def acknowledge(request: web.Request) -> web.Response:
    """Take a page."""
    person = check(request, bearer(request), TokenKind.PERSON)
    if isinstance(person, web.Response):
        return person
    page = request.match_info["page"]
    engine = request.app[DOORS].engine
    if page not in engine.state.pages:
        return problem(404, "no-such-page", "No such open page", detail="It may have been answered already.")
    engine.take(ev.PageAnswered(**engine.stamp(), page=page, by=person.owner, means="http"))
    return web.json_response({"page": page, "acknowledged_by": person.owner}, status=202)


async def end_break(request: web.Request) -> web.Response:
    """End an agent's break before its time."""
    person = check(request, bearer(request), TokenKind.PERSON)
    if isinstance(person, web.Response):
        return person
    break_id = request.match_info["break_id"]
    engine = request.app[DOORS].engine
    if break_id not in engine.state.breaks:
        return problem(404, "no-such-break", "No such break")
    engine.take(ev.BreakEnded(**engine.stamp(), break_id=break_id, by=person.owner))
    return web.json_response({"break": break_id, "ended_by": person.owner}, status=202)


async def open_latch(request: web.Request) -> web.Response:
    """Agree that an acute call is acute no more."""
    person = check(request, bearer(request), TokenKind.PERSON)
    if isinstance(person, web.Response):
        return person
    call = CallId(request.match_info["call"])
    engine = request.app[DOORS].engine
    guard = engine.state.guards.get(call)
    if guard is None:
        return problem(404, "no-such-call", "No such guarded call")
    if guard.state is not CallState.ACUTE:
        return problem(409, "not-acute", "The call is not acute", state=guard.state.value)
    engine.take(ev.LatchAgreed(**engine.stamp(), call=call, by=person.owner))
    return web.json_response({"call": call, "agreed_by": person.owner}, status=202)
