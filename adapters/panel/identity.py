"""Who a request comes from, and whether they may: one middleware before every route.

A session proves itself by its cookie, so whatever it changes must also carry its CSRF token and come from our own
screens. A token stands in a header that no other site can set. The limits of keys are counted where keys are pressed,
so that none of them stands before an acute key.
"""

import hmac
from typing import Final
from urllib.parse import quote

import structlog
from aiohttp import web

from adapters.accounts.login import Login
from adapters.accounts.model import IDENTITY, Identity, Role
from adapters.http.access import TokenKind
from adapters.http.doors import DOORS, bearer, refuse
from adapters.http.problems import Respond, problem, route
from adapters.panel.access import PUBLIC, TABLE, TOKENS, Place, may
from adapters.panel.i18n import LANGUAGES, known
from adapters.panel.pages import Viewer
from adapters.panel.security import PANEL

_log = structlog.get_logger()

LOGIN: Final = web.AppKey("login", Login)
COOKIE: Final = "__Host-bagvagt"
"""A browser takes a cookie of this prefix only with Secure, for the whole of one host, and from nobody else."""
HEADER: Final = "X-CSRF-Token"
FIELD: Final = "csrf"

_READS = ("GET", "HEAD", "OPTIONS")
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_OF_TOKEN = {TokenKind.AGENT: frozenset({Role.AGENT}), TokenKind.PERSON: frozenset({Role.BACKUP})}

__all__ = ["COOKIE", "FIELD", "HEADER", "IDENTITY", "LOGIN", "identity_of", "is_own", "may_still", "viewer", "who_may"]


def identity_of(request: web.Request) -> Identity:
    """Return who a request comes from; on a route that is not public there is somebody."""
    return request[IDENTITY]


def may_still(request: web.Request) -> bool:
    """Tell whether who opened a stream may still have it: asked at each of its beats. It counts as use of a session."""
    place = _place(request)
    found = None if place is None else _identify(request, place)
    return place is not None and found is not None and found.name == request[IDENTITY].name and may(found, place)


def viewer(request: web.Request) -> Viewer:
    """Return who looks at a screen; a stranger, who is at the login, has a browser's language."""
    identity = request.get(IDENTITY)
    if identity is not None:
        return Viewer(identity.shown or identity.name, identity.roles, known(identity.language), identity.csrf)
    return Viewer("", frozenset(), _language(request), "")


@web.middleware
async def who_may(request: web.Request, handler: Respond) -> web.StreamResponse:
    """Let through who may, and put who it is on the request."""
    if request.match_info.http_exception is not None:  # no such route, or no such method
        return await handler(request)
    place = _place(request)
    if place is None or place not in TABLE:
        _log.error("route_not_in_table", route=route(request))
        return problem(403, "not-open", "Nobody may do this")
    identity = _identify(request, place)
    if identity is not None:
        request[IDENTITY] = identity
    if TABLE[place] is PUBLIC:
        return await handler(request)
    if identity is None:
        return _stranger(request)
    if not may(identity, place):
        return _refuse(request, "role", "This is not among what you may do")
    if identity.session and request.method not in _READS and not await _is_meant(request, identity):
        return _refuse(request, "csrf", "The request does not come from a screen of this session")
    return await handler(request)


def is_own(request: web.Request, url: str) -> bool:
    """Tell whether a browser says that our own screen sent this; one that says nothing is not believed.

    Args:
        request: what was sent.
        url: of the panel as browsers know it, where a proxy stands between.
    """
    origin = request.headers.get("Origin") or "null"
    if origin != "null":
        return origin in (url, f"{request.scheme}://{request.host}")
    return request.headers.get("Sec-Fetch-Site") == "same-origin"


def _place(request: web.Request) -> Place | None:
    resource = request.match_info.route.resource
    if resource is None:
        return None
    return ("GET" if request.method == "HEAD" else request.method), resource.canonical


def _identify(request: web.Request, place: Place) -> Identity | None:
    login = request.app[LOGIN]
    secret = bearer(request)
    if secret:
        token = request.app[DOORS].access.find(secret, *TOKENS.get(place, ()))
        if token is None:
            return None
        agent, person = (token.owner, "") if token.kind is TokenKind.AGENT else ("", token.owner)
        roles = _OF_TOKEN[token.kind]
        return Identity(token.name, roles, agent, person, login.language, token=token.kind, shown=token.owner)
    session = login.sessions.find(request.cookies.get(COOKIE, ""))
    return None if session is None else login.accounts.identity(session, login.language)


def _stranger(request: web.Request) -> web.Response:
    is_page = request.path.startswith(PANEL) and "text/html" in request.headers.get("Accept", "")
    if request.method == "GET" and is_page and "HX-Request" not in request.headers:
        return web.Response(status=303, headers={"Location": f"/panel/login?next={quote(request.path_qs, safe='')}"})
    if request.path.startswith(PANEL) or COOKIE in request.cookies:
        return problem(401, "not-logged-in", "You are logged out", {"WWW-Authenticate": 'Bearer realm="bagvagt"'})
    return refuse(request)


async def _is_meant(request: web.Request, identity: Identity) -> bool:
    if not is_own(request, request.app[LOGIN].url):
        return False
    given: object = request.headers.get(HEADER, "")
    if not given and request.path.startswith(PANEL) and request.content_type in _FORMS:
        given = (await request.post()).get(FIELD, "")
    return isinstance(given, str) and hmac.compare_digest(given.encode(errors="replace"), identity.csrf.encode())


def _refuse(request: web.Request, code: str, title: str) -> web.Response:
    request.app[DOORS].metrics.refused(code)
    _log.warning("http_refused", route=route(request), why=code, account=request[IDENTITY].name)
    return problem(403, code, title)


def _language(request: web.Request) -> str:
    for wanted in request.headers.get("Accept-Language", "").lower().split(","):
        two = wanted.strip()[:2]
        two = "nb" if two in ("no", "nn") else two
        if two in LANGUAGES:
            return two
    return known(request.app[LOGIN].language)
