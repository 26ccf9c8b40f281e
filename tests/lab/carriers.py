"""SMS providers on loopback that misbehave as told, and the service's webhook that they report to.

A `Carrier` takes SMS as 46elks or GatewayAPI does. Its behaviour is a function that gets the carrier and the SMS, and
answers the request; before, meanwhile or later it may report and reply as the real ones do.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self, cast

import aiohttp
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import OctKey

from adapters.http.access import Access, Tokens
from adapters.http.doors import DOORS, Doors
from adapters.http.problems import MOST_BYTES, as_problems
from adapters.http.server import HttpConfig, HttpServer
from adapters.http.sms_webhook import JWT_HEADER, SmsWebhook, WebhookConfig
from adapters.metrics import Metrics
from adapters.paging.sms_incoming import REPLIES_PATH, TOKEN, Fields
from adapters.paging.sms_providers import elks, gatewayapi
from adapters.panel.routes import add_routes
from adapters.prompts.library import PromptLibrary
from policies.events import Event, MessageReported, PageReplied
from telephony.engine import Engine
from telephony.ports import Clock

SECRET = "a-secret-of-the-webhook-0123456789"
USER, PASSWORD, API_TOKEN = "api-user", "api-password", "api-token"


class Webhook:
    """The service's side: the two routes on a real socket.

    Attributes:
        emitted: what was handed over.
        refused: whether handing over fails, as when the service is stopping.
        now_s: the monotonic clock of the limits, moved by hand.
    """

    def __init__(self, fields: Fields, clock: Clock, networks: tuple[str, ...] = ()) -> None:
        self.emitted: list[Event] = []
        self.refused = False
        self.now_s = 1000.0
        self.metrics = Metrics()
        app = web.Application(client_max_size=MOST_BYTES, middlewares=[as_problems])
        access = Access(Tokens([]), (), 60, lambda: self.now_s)
        # The routes ask for who may, and count what was refused; the engine is reached by what they are given.
        app[DOORS] = Doors(cast("Engine", None), access, PromptLibrary(None), self.metrics, dict)
        add_routes(app, SmsWebhook(WebhookConfig(SECRET, fields, networks), self._take, clock).routes())
        self._server = HttpServer(HttpConfig(port=0), app)

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def reports(self) -> list[tuple[str, str]]:
        return [(e.message, e.report.value) for e in self.emitted if isinstance(e, MessageReported)]

    @property
    def replies(self) -> list[tuple[str, str, int]]:
        return [(e.address, e.says.value, e.code) for e in self.emitted if isinstance(e, PageReplied)]

    def _take(self, event: Event) -> None:
        if self.refused:
            raise RuntimeError
        self.emitted.append(event)


@dataclass(frozen=True)
class Taken:
    """One SMS as a provider read it.

    Attributes:
        to: number, with plus.
        text: what it says.
        callback: where its receipts go, "" for nowhere.
        ref: our reference, "" where the provider has none.
        request: which it came by.
    """

    request: web.Request
    to: str
    text: str
    callback: str
    ref: str = ""


Behaves = Callable[["Carrier", Taken], Awaitable[web.StreamResponse]]


class Carrier:
    """What both have in common.

    Attributes:
        behaves: how the next SMS is answered.
        taken: every SMS that was read with the right key, in order.
        answers: the status of each call of the webhook.
    """

    def __init__(self, behaves: Behaves, replies_to: str = "") -> None:
        self.behaves = behaves
        self.taken: list[Taken] = []
        self.answers: list[int] = []
        self._replies_to = replies_to
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/{tail:.*}", self._send)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/api"

    async def _send(self, request: web.Request) -> web.StreamResponse:
        sms = await self.read(request)
        if sms is None:
            return web.Response(status=401)
        self.taken.append(sms)
        return await self.behaves(self, sms)

    async def read(self, request: web.Request) -> Taken | None:
        """The SMS, None without the right key."""
        raise NotImplementedError

    async def report(self, sms: Taken, status: str) -> None:
        """Say what became of it: "delivered", "failed", or that it is under way: "sent"."""
        raise NotImplementedError

    async def reply(self, sms: Taken, text: str, *, sent: float = 0) -> None:
        """Hand over what its receiver replied, at `sent` (seconds since 1970; 0 says nothing of it)."""
        raise NotImplementedError

    async def post(self, url: str, **body: Any) -> None:
        """Call the webhook, once; what it answers is noted."""
        async with aiohttp.ClientSession() as session, session.post(url, **body) as answer:
            self.answers.append(answer.status)
            assert answer.status != 200 or await answer.read() == b"", "46elks would send it as an SMS"


class Elks(Carrier):
    """46elks: forms both ways; a receipt says nothing of ours but what stands in its address."""

    gateway = staticmethod(lambda url: elks(USER, PASSWORD, url=url, receipts=True))

    async def read(self, request: web.Request) -> Taken | None:
        if request.path != "/api/sms" or request.headers.get("Authorization") != aiohttp.encode_basic_auth(
            USER, PASSWORD
        ):
            return None
        form = await request.post()
        assert form["from"]
        return Taken(request, str(form["to"]), str(form["message"]), str(form.get("whendelivered", "")))

    async def report(self, sms: Taken, status: str) -> None:
        delivered = {"delivered": "2027-03-28T02:30:00.1"} if status == "delivered" else {}
        await self.post(sms.callback, data={"id": "s70df59406a1b4643b96f3f91e0bfb7b0", "status": status, **delivered})

    async def reply(self, sms: Taken, text: str, *, sent: float = 0) -> None:
        form = {
            "direction": "incoming",
            "id": "sf8425555e5d8db61",
            "from": sms.to,
            "to": "+4512345678",
            "message": text,
        }
        await self.post(f"{self._replies_to}{REPLIES_PATH}?{TOKEN}={SECRET}", data=form | _sent("created", sent))


class GatewayApi(Carrier):
    """GatewayAPI: JSON both ways; replies carry a signed token with all that the body says."""

    gateway = staticmethod(lambda url: gatewayapi(API_TOKEN, url=url, receipts=True))

    async def read(self, request: web.Request) -> Taken | None:
        if request.path != "/api/mtsms" or request.headers.get("Authorization") != f"Token {API_TOKEN}":
            return None
        sms = await request.json()
        [to] = sms["recipients"]
        return Taken(request, f"+{to['msisdn']}", sms["message"], sms.get("callback_url", ""), sms["userref"])

    async def report(self, sms: Taken, status: str) -> None:
        receipt = {
            "id": 1000001,
            "msisdn": int(sms.to[1:]),
            "time": 1450000000,
            "status": {"delivered": "DELIVERED", "failed": "UNDELIVERABLE", "sent": "ENROUTE"}[status],
            "error": "Absent Subscriber" if status == "failed" else None,
            "userref": sms.ref,
        }
        await self.post(sms.callback, json=receipt)

    async def reply(self, sms: Taken, text: str, *, sent: float = 0) -> None:
        body = {"id": 1000001, "msisdn": int(sms.to[1:]), "receiver": 451204, "message": text}
        signed = jwt.encode({"alg": "HS256"}, body | _sent("senttime", sent), OctKey.import_key(SECRET))
        await self.post(f"{self._replies_to}{REPLIES_PATH}", json=body, headers={JWT_HEADER: signed})


def _sent(name: str, sent: float) -> dict[str, Any]:
    return {name: sent} if sent else {}


# Behaviours


async def silent(_: Carrier, __: Taken) -> web.StreamResponse:
    """Says 200, and nothing comes."""
    return web.json_response({"status": "created"})


async def hangs(_: Carrier, __: Taken) -> web.StreamResponse:
    """Has taken it, and never says so."""
    await asyncio.Event().wait()
    raise AssertionError


async def drips(_: Carrier, sms: Taken) -> web.StreamResponse:
    """Says 200 with a body that never ends."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(sms.request)
    await response.write(b"{")
    await asyncio.Event().wait()
    return response


def broken(times: int, status: int = 500, **headers: str) -> Behaves:
    """Answers with this so many times, and is well again then; `Retry_After` is written with an underscore."""
    left = [times]

    async def answer(carrier: Carrier, sms: Taken) -> web.StreamResponse:
        if left[0]:
            left[0] -= 1
            carrier.taken.pop()
            return web.Response(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})
        return await silent(carrier, sms)

    return answer


def first(*events: str, then: Behaves = silent) -> Behaves:
    """Does these before it answers: "delivered", "failed", "sent" are reported, all else is replied by the person."""

    async def answer(carrier: Carrier, sms: Taken) -> web.StreamResponse:
        for event in events:
            await (carrier.report if event in ("delivered", "failed", "sent") else carrier.reply)(sms, event)
        return await then(carrier, sms)

    return answer
