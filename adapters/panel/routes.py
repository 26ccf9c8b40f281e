"""A route as data: what the router needs of it, and what the OpenAPI document says of it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from adapters.http.problems import problem

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
M = TypeVar("M", bound=BaseModel)

EVENTS = "text/event-stream"
SESSION, BEARER, URL_TOKEN = "session", "bearer", "urlToken"
"""How a request proves who it comes from, as the document names it."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route of the API. Who may use it stands in `adapters.panel.access`.

    Attributes:
        method: "GET", "POST" …
        path: with parameters in braces, `/v1/accounts/{account}`.
        handler: what answers.
        summary: one line, for the document.
        request_model: of the JSON body, None for a request without one.
        response_model: of the JSON answer, None for an answer without one.
        status: of the answer when all went well.
        proof: how the request proves who it comes from, where that does not follow from the table.
        problems: further statuses with problem details, and when they come.
        media: of the answer; an event stream is described by `response_model`, the data of its events.
        query: parameters after the question mark, and what they are.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    request_model: type[BaseModel] | None = None
    response_model: type[BaseModel] | None = None
    status: int = 200
    proof: tuple[str, ...] = ()
    problems: Mapping[int, str] = field(default_factory=dict)
    media: str = "application/json"
    query: Mapping[str, str] = field(default_factory=dict)


def add_routes(app: web.Application, routes: Iterable[Route]) -> None:
    """Put routes into an application. None answers HEAD: nothing here is worth asking about without getting it.

    So a HEAD presses no key either: RFC 9110 §9.2.1 calls it safe, and checkers send it unasked.
    """
    for one in routes:
        app.router.add_route(one.method, one.path, one.handler)


def answer(model: BaseModel, status: int = 200) -> web.Response:
    """Return a model as JSON."""
    return web.Response(text=model.model_dump_json(by_alias=True), status=status, content_type="application/json")


async def body_of(request: web.Request, model: type[M]) -> M | web.Response:
    """Return the JSON body, or the refusal, which names what is wrong and repeats nothing of it."""
    if request.content_type != "application/json":
        return problem(415, "not-json", "The body must be JSON", {"Accept": "application/json"})
    try:
        return model.model_validate_json(await request.read(), strict=True)
    except ValidationError as error:
        return _not_valid(error, "The body is not what is wanted")


def query_of(request: web.Request, model: type[M]) -> M | web.Response:
    """Return what the query asks for, or the refusal. A field of a form that was left empty is left out."""
    try:
        return model.model_validate({name: value for name, value in request.query.items() if value})
    except ValidationError as error:
        return _not_valid(error, "The query is not what is wanted")


def _not_valid(error: ValidationError, title: str) -> web.Response:
    wrong = [{"where": ".".join(map(str, e["loc"])), "what": e["type"]} for e in error.errors(include_input=False)]
    return problem(422, "not-valid", title, errors=wrong)
