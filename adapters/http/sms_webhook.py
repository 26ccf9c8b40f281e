"""Where an SMS provider says what became of a message, and what somebody replied.

A request proves where it comes from by one of: the address that we gave for that message; the secret in the query
(`token`), as Bearer, or as the password of Basic; GatewayAPI's signed token, whose claims are then taken instead of the
body. A wrong one is a guess and is counted as such. A right one is never held up by a limit: it may take an acute page.

The answer is 200 only after the event was handed over, and has no body: 46elks would send that as an SMS.
"""

import base64
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import structlog
from aiohttp import web
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from adapters.http.access import Allowed
from adapters.http.doors import DOORS, bearer, refuse
from adapters.http.problems import problem, route
from adapters.paging.sms_incoming import (
    MESSAGE,
    RECEIPTS_PATH,
    REPLIES_PATH,
    SIGNATURE,
    TOKEN,
    FieldError,
    Fields,
    ReceiptUrls,
    read_receipt,
    read_sms,
)
from adapters.paging.sms_template import CHANNEL
from adapters.panel.routes import BEARER, URL_TOKEN, Route
from policies.events import Event, MessageReported, PageReplied
from telephony.ports import Clock

_log = structlog.get_logger(__name__)

LEAST_SECRET_CHARS = 16
MOST_BYTES = 16 * 1024
MOST_AT_ONCE = 100
JWT_HEADER = "X-Gwapi-Signature"
_PROOF = (BEARER, URL_TOKEN)

_Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """What is taken in, and from whom.

    Attributes:
        secret: shared with the provider.
        fields: how the provider names things.
        networks: from which requests may come; empty for any.
    """

    secret: str = field(repr=False)
    fields: Fields
    networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Proved:
    """A request that is the provider's.

    Attributes:
        claims: what stood in its signed token, None when it proved itself in another way.
        message: which message it is about, where its address says so.
    """

    claims: _Item | None = None
    message: str = ""


class SmsWebhook:
    """The two routes.

    Args:
        config: what is taken in.
        emit: gets the events; it must not block.
        clock: time and ids of the events.

    Raises:
        ValueError: the secret is too short to be one, or a network is none.
    """

    def __init__(self, config: WebhookConfig, emit: Callable[[Event], None], clock: Clock) -> None:
        if len(config.secret) < LEAST_SECRET_CHARS:
            raise ValueError(f"the webhook's secret must have at least {LEAST_SECRET_CHARS} characters")
        self._config = config
        self._emit = emit
        self._clock = clock
        self._networks = Allowed(config.networks) if config.networks else None
        self._urls = ReceiptUrls(config.secret)
        self._key = OctKey.import_key(config.secret)

    def routes(self) -> Sequence[Route]:
        """Return the routes, for the application: those whose fields have names."""
        fields, routes = self._config.fields, []
        address = {403: "`address`: not from this address."}
        if fields.status:
            problems = address | {400: "`not-a-receipt`: the field that is missing or is something else."}
            routes.append(
                Route("POST", RECEIPTS_PATH, self.receipts, "Say what became of SMS", proof=_PROOF, problems=problems)
            )
        if fields.number and fields.text:
            problems = address | {400: "`not-a-reply`: the field that is missing or is something else."}
            routes.append(
                Route(
                    "POST",
                    REPLIES_PATH,
                    self.replies,
                    "Hand over SMS that people sent",
                    proof=_PROOF,
                    problems=problems,
                )
            )
        return routes

    async def receipts(self, request: web.Request) -> web.Response:
        """Take in what became of messages."""

        def read(item: _Item, proved: _Proved) -> Event | None:
            message, report, detail = read_receipt(self._config.fields, item, proved.message)
            if report is None or not message:
                return None
            return MessageReported(**self._stamp(), message=message, report=report, detail=detail)

        return await self._take(request, "not-a-receipt", read)

    async def replies(self, request: web.Request) -> web.Response:
        """Take in what people wrote."""

        def read(item: _Item, _: _Proved) -> Event:
            number, says, code = read_sms(self._config.fields, item, self._clock.now())
            return PageReplied(**self._stamp(), channel=CHANNEL, address=number, says=says, code=code)

        return await self._take(request, "not-a-reply", read)

    async def _take(
        self, request: web.Request, wrong: str, read: Callable[[_Item, _Proved], Event | None]
    ) -> web.Response:
        if self._networks is not None and (request.remote or "") not in self._networks:
            request.app[DOORS].metrics.refused("address")
            _log.warning("http_address_refused", route=route(request), address=request.remote)
            return problem(403, "address", "This address may not use the webhook")
        proved = self._prove(request)
        if proved is None:
            return refuse(request)
        try:
            items = [proved.claims] if proved.claims is not None else await _items(request)
            # All are read before the first is handed over: a body that is refused comes again, as a whole.
            events = [read(item, proved) for item in items]
        except FieldError as error:
            _log.warning("sms_webhook_body_wrong", route=route(request), field=str(error))
            return problem(400, wrong, "The body is not what is wanted", field=str(error))
        for event in events:
            if event is not None:
                self._emit(event)
        return web.Response(status=200)

    def _prove(self, request: web.Request) -> _Proved | None:
        message = request.query.get(MESSAGE, "")
        if request.path == RECEIPTS_PATH and self._urls.is_ours(message, request.query.get(SIGNATURE, "")):
            return _Proved(message=message)
        if any(self._is_secret(given) for given in (request.query.get(TOKEN, ""), bearer(request), _password(request))):
            return _Proved(message=message)
        signed = request.headers.get(JWT_HEADER, "")
        if not signed:
            return None
        try:
            token = jwt.decode(signed, self._key, algorithms=["HS256"])
            jwt.JWTClaimsRegistry().validate(token.claims)
        except (JoseError, ValueError):
            return None
        return _Proved(token.claims)

    def _is_secret(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(errors="replace"), self._config.secret.encode())

    def _stamp(self) -> dict[str, Any]:
        return {"id": self._clock.new_id(), "at": self._clock.now()}


def _password(request: web.Request) -> str:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(given, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


async def _items(request: web.Request) -> list[_Item]:
    """Return what a body holds: one thing, or a list of them.

    Raises:
        FieldError: it is neither JSON nor a form, or too much.
    """
    raw = bytearray()
    async for chunk in request.content.iter_any():
        raw += chunk
        if len(raw) > MOST_BYTES:
            raise web.HTTPRequestEntityTooLarge(MOST_BYTES, len(raw))
    text = raw.decode(errors="replace")
    if request.content_type == "application/x-www-form-urlencoded":
        return [dict(parse_qsl(text, keep_blank_values=True))]
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise FieldError("body") from None
    items = found if isinstance(found, list) else [found]
    if len(items) > MOST_AT_ONCE or not all(isinstance(item, dict) for item in items):
        raise FieldError("body")
    return items
