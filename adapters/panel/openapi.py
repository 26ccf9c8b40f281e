"""The OpenAPI 3.1 document of the API, made from its routes and models. It stands at /v1/openapi.json, and in docs/."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from adapters.panel.access import PUBLIC, TABLE, TOKENS
from adapters.panel.routes import BEARER, EVENTS, SESSION, URL_TOKEN, Handler, Route
from telephony.screens.model import Alive

PROBLEM: Final = "application/problem+json"
_REF: Final = "#/components/schemas/{model}"
_PARAMETER: Final = re.compile(r"{(\w+)}")

_HEAD: Final = {
    "openapi": "3.1.0",
    "info": {
        "title": "Bagvagt",
        "version": "1",
        "description": "Keys, screens, and what the duty desk does. Errors are problem details (RFC 9457).",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    },
}
_SCHEMES: Final = {
    SESSION: {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-bagvagt",
        "description": "A session of the panel. What is not a GET needs the header `X-CSRF-Token` too.",
    },
    BEARER: {"type": "http", "scheme": "bearer", "description": "A token, see docs/http.md."},
    URL_TOKEN: {"type": "apiKey", "in": "query", "name": "token", "description": "The token of a desk phone."},
}
_ALWAYS: Final = {
    401: "Nobody in particular, or somebody else than is needed.",
    403: "Not for this role; or the account belongs to no agent; or the CSRF token is missing.",
    429: "Too often; `Retry-After` says how long to wait.",
}


class _Schemas(GenerateJsonSchema):
    """A set is taken from any list, with repetitions too."""

    def frozenset_schema(self, schema: core_schema.FrozenSetSchema) -> JsonSchemaValue:
        made = super().frozenset_schema(schema)
        del made["uniqueItems"]
        return made


class Problem(BaseModel):
    """What went wrong (RFC 9457). Some have further members.

    Attributes:
        type: `urn:bagvagt:problem:…`, or "about:blank" where the status says all.
        title: the same for every problem of the type.
        status: the status, once more.
    """

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """Return the document that describes those of `routes` that are the API's."""
    routes = tuple(r for r in routes if r.path.startswith("/v1/"))
    models = [m for r in routes for m in (r.request_model, r.response_model) if m is not None]
    chosen: list[type[BaseModel]] = list(dict.fromkeys((Problem, Alive, *models)))
    # Requests as they are taken, answers as they are given: a field with a default is always there in an answer.
    asked = {m for r in routes if (m := r.request_model) is not None}
    modes: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (m, "validation" if m in asked else "serialization") for m in chosen
    ]
    _, schemas = models_json_schema(modes, ref_template=_REF, schema_generator=_Schemas)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        **_HEAD,
        "paths": paths,
        "components": {"schemas": schemas["$defs"], "securitySchemes": _SCHEMES},
    }


def served(routes: Iterable[Route]) -> Handler:
    """Return a handler that answers with the document."""
    made = document(routes)

    async def openapi(_request: web.Request) -> web.Response:
        return web.json_response(made)

    return openapi


def _operation(route: Route) -> dict[str, Any]:
    answers: dict[str, Any] = {str(route.status): _answer(route)}
    proof = _proof(route)
    wrong = (_ALWAYS if proof else {}) | dict(route.problems)
    answers |= {str(status): _problem(text) for status, text in sorted(wrong.items())}
    made: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "description": _roles(route),
        "parameters": _parameters(route),
        "responses": answers,
        "security": [{one: []} for one in proof],
    }
    if route.request_model is not None:
        content = {"application/json": {"schema": _schema(route.request_model)}}
        made["requestBody"] = {"required": True, "content": content}
    return made


def _proof(route: Route) -> tuple[str, ...]:
    """Return how a request may prove who it comes from: any one of these; none where the route is open to all."""
    place = (route.method, route.path)
    if route.proof or TABLE.get(place) is PUBLIC:
        return route.proof
    return (SESSION, BEARER) if place in TOKENS else (SESSION,)


def _roles(route: Route) -> str:
    who = TABLE.get((route.method, route.path))
    return f"Roles: {', '.join(sorted(who))}." if isinstance(who, frozenset) else ""


def _parameters(route: Route) -> list[dict[str, Any]]:
    some, any_ = {"type": "string", "minLength": 1}, {"type": "string"}
    in_path = [{"name": n, "in": "path", "required": True, "schema": some} for n in _PARAMETER.findall(route.path)]
    in_query = [{"name": n, "in": "query", "description": d, "schema": any_} for n, d in route.query.items()]
    return in_path + in_query


def _answer(route: Route) -> dict[str, Any]:
    made: dict[str, Any] = {"description": HTTPStatus(route.status).phrase}
    if route.response_model is None:
        return made
    if route.media == EVENTS:
        model = route.response_model.__name__
        made["description"] = f"`screen`: a {model}; `alive`: an Alive. A stream never ends by itself."
        return made | {"content": {EVENTS: {"schema": {"type": "string"}}}}
    return made | {"content": {route.media: {"schema": _schema(route.response_model)}}}


def _problem(text: str) -> dict[str, Any]:
    return {"description": text, "content": {PROBLEM: {"schema": _schema(Problem)}}}


def _schema(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}
