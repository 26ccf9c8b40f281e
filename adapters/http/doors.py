"""What the routes need, and how a request proves who it comes from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from aiohttp import web

from adapters.accounts.model import IDENTITY
from adapters.http.access import Access, Token, TokenKind
from adapters.http.problems import problem, route, too_many, unknown_token
from adapters.metrics import Metrics
from adapters.prompts.library import PromptLibrary
from telephony.engine import Engine

_log = structlog.get_logger()

ANSWER_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Doors:
    """What the routes need.

    Attributes:
        engine: the service.
        access: who may.
        prompts: for the PBX.
        metrics: for `/metrics`.
        health: for `/healthz`; `ok` decides between 200 and 503.
        answer_within_s: how long a key's answer is waited for.
    """

    engine: Engine
    access: Access
    prompts: PromptLibrary
    metrics: Metrics
    health: Callable[[], dict[str, Any]]
    answer_within_s: float = ANSWER_WITHIN_S


DOORS: Final = web.AppKey("doors", Doors)


def bearer(request: web.Request) -> str:
    """Return the secret of the Authorization header, "" when there is none."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def owner_of(
    request: web.Request, kind: TokenKind, *, secret: str | None = None, never_refused: bool = False
) -> str | web.Response:
    """Return for whom the request acts, or the refusal. A session counts as a token of what it may do here.

    Args:
        request: the request.
        kind: what kind of token it must be: the answer is an agent's id, or for PERSON who it is.
        secret: the token where it does not stand in the header.
        never_refused: an acute key: a right token is let through whatever the limits say.
    """
    doors, address = request.app[DOORS], request.remote or ""
    token = _of_session(request, kind) or doors.access.find(bearer(request) if secret is None else secret, kind)
    if token is None:
        return refuse(request)
    if not token.owner:
        return problem(403, "not-an-agent", "This account belongs to no agent")
    if never_refused:
        doors.access.know(token, address)
        return token.owner
    wait_s = doors.access.right(token, address)
    if wait_s:
        doors.metrics.refused("limit")
        _log.warning("http_limited", route=route(request), address=address, token=token.name)
        return too_many(wait_s)
    return token.owner


def refuse(request: web.Request) -> web.Response:
    """Return the refusal of somebody who has not proved who they are, and count it: it may be a guess."""
    doors = request.app[DOORS]
    wait_s = doors.access.wrong(request.remote or "")
    doors.metrics.refused("guess_limit" if wait_s else "token")
    if wait_s:
        return too_many(wait_s)
    _log.warning("http_token_unknown", route=route(request), address=request.remote)
    return unknown_token()


def _of_session(request: web.Request, kind: TokenKind) -> Token | None:
    """Whether the role fits was seen before, by `adapters.panel.identity`."""
    identity = request.get(IDENTITY)
    if identity is None or not identity.session or kind is TokenKind.ACTION_URL:
        return None
    owner = identity.agent if kind is TokenKind.AGENT else identity.person or identity.name
    return Token(identity.name, kind, identity.session, owner)
