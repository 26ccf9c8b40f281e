"""The ARI client: one websocket for one application, and requests over connections that are kept open.

Nobody's call enters the application: it gets the events of our own announcers and of the calls that we place ourselves,
and of nothing else. While the websocket is away, events are lost and nothing tells which; so whoever waits for one then
gets `PbxTimeoutError`: the outcome is unknown.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, NoReturn

import aiohttp
import structlog

from adapters.asterisk.ami import AmiTiming, retry_delay_s
from adapters.asterisk.ari_codec import AriEvent, decode_event, error_text
from telephony.errors import (
    LegGoneError,
    PbxError,
    PbxProtocolError,
    PbxRejectedError,
    PbxTimeoutError,
    PbxUnreachableError,
)

log = structlog.get_logger(__name__)

_NOT_FOUND, _FIRST_ERROR = 404, 400
_LOGIN_REFUSED = (401, 403)
# Asterisk closes an idle connection after 15 s (http.conf, session_keep_alive); ours are given up before.
_KEEP_ALIVE_S = 10.0


class AriClient:
    """ARI of one Asterisk; comes back by itself.

    Args:
        base_url: root of Asterisk's HTTP server, `http://127.0.0.1:8088`.
        username: the ARI user.
        password: its password; never shown or logged.
        app: name of the Stasis application; one client has it at a time.
        on_up: called when the websocket is up.
        on_lost: called with the reason when it is gone (not when `run` is cancelled).
        on_event: called with every event, after those who expect one; must not block.
        timing: all waits; those of AMI, since it is the same PBX.
        sleep: how to wait between tries.
        jitter: from 0 to 1, by chance.

    Attributes:
        is_ready: the websocket is up.
        last_error: why it was lost, or not to be had, the last time.
    """

    def __init__(
        self,
        base_url: str,
        username: str,
        password: str,
        *,
        app: str = "bagvagt",
        on_up: Callable[[], None] | None = None,
        on_lost: Callable[[PbxError], None] | None = None,
        on_event: Callable[[AriEvent], None] | None = None,
        timing: AmiTiming | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.app = app
        self.is_ready = False
        self.last_error: PbxError | None = None
        self._headers = {"Authorization": aiohttp.encode_basic_auth(username, password)}
        self._on_up = on_up
        self._on_lost = on_lost
        self._on_event = on_event
        self._timing = timing or AmiTiming()
        self._sleep = sleep
        self._jitter = jitter
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._waiting: dict[tuple[str, str], list[asyncio.Future[AriEvent]]] = {}

    def __repr__(self) -> str:
        """Name the PBX; never the password."""
        return f"<AriClient {self.base_url} {self.app} {'up' if self.is_ready else 'away'}>"

    async def run(self) -> NoReturn:
        """Connect, serve, connect again: until cancelled."""
        failures = 0
        connector = aiohttp.TCPConnector(keepalive_timeout=_KEEP_ALIVE_S)
        async with aiohttp.ClientSession(connector=connector, headers=self._headers) as self._session:
            while True:
                was_ready, error = await self._one_connection(self._session)
                self.last_error = error
                failures = 1 if was_ready else failures + 1
                delay_s = retry_delay_s(failures, self._timing, self._jitter())
                if isinstance(error, PbxRejectedError):
                    delay_s = self._timing.refused_s
                    log.error("ari_refused", url=self.base_url, app=self.app, detail=error.detail)
                else:
                    log.warning("ari_away", url=self.base_url, error=str(error), failures=failures)
                await self._sleep(delay_s)

    def drop(self) -> None:
        """Give the websocket up, and connect anew: what it told may have holes."""
        if self._socket is not None:
            self._end(self._socket)

    async def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, timeout_s: float | None = None
    ) -> bytes:
        """Send one request, once, and return the answer's body.

        Args:
            method: HTTP method.
            path: below `/ari/`.
            body: parameters; ARI takes them from a JSON body as well as from the query.
            timeout_s: for the whole answer.

        Raises:
            PbxUnreachableError: not connected; nothing was sent.
            PbxTimeoutError: sent, and no answer: the outcome is unknown.
            LegGoneError: 404: the leg, playback or bridge is not there.
            PbxRejectedError: the PBX said no.
        """
        action = f"{method} /{path.partition('?')[0]}"
        if self._session is None or not self.is_ready:
            raise PbxUnreachableError(action, "not connected")
        timeout_s = self._timing.action_s if timeout_s is None else timeout_s
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._session.request(
                    method, f"{self.base_url}/ari/{path}", json=body, allow_redirects=False
                ) as answer,
            ):
                text = await answer.read()
        except aiohttp.ClientConnectorError as error:
            raise PbxUnreachableError(action, str(error)) from None
        except TimeoutError:
            raise PbxTimeoutError(action, f"no answer within {timeout_s:g} s") from None
        except aiohttp.ClientError as error:
            raise PbxTimeoutError(action, f"connection lost: {str(error) or type(error).__name__}") from None
        if answer.status == _NOT_FOUND:
            raise LegGoneError(action, error_text(text))
        if answer.status >= _FIRST_ERROR:
            raise PbxRejectedError(action, error_text(text), {"status": str(answer.status)})
        return text

    @contextlib.asynccontextmanager
    async def expecting(self, kind: str, subject: str) -> AsyncIterator[asyncio.Future[AriEvent]]:
        """Give a future of the next event of this type about `subject`; begin before asking for what causes it.

        The future raises PbxTimeoutError when the websocket is lost meanwhile.
        """
        future: asyncio.Future[AriEvent] = asyncio.get_running_loop().create_future()
        key = (kind, subject)
        self._waiting.setdefault(key, []).append(future)
        try:
            yield future
        finally:
            others = [f for f in self._waiting[key] if f is not future]
            if others:
                self._waiting[key] = others
            else:
                del self._waiting[key]
            if future.done() and not future.cancelled():
                future.exception()  # nobody may have come to await it
            future.cancel()

    # The websocket.

    async def _one_connection(self, session: aiohttp.ClientSession) -> tuple[bool, PbxError]:
        try:
            async with asyncio.timeout(self._timing.connect_s):
                socket = await session.ws_connect(
                    f"{self.base_url}/ari/events", params={"app": self.app}, heartbeat=self._timing.ping_every_s
                )
        except aiohttp.WSServerHandshakeError as error:
            if error.status in _LOGIN_REFUSED:
                return False, PbxRejectedError("GET /events", "user or password refused", {"status": str(error.status)})
            return False, PbxUnreachableError("GET /events", f"HTTP {error.status}: is res_ari loaded?")
        except (OSError, aiohttp.ClientError) as error:  # TimeoutError is an OSError
            return False, PbxUnreachableError("GET /events", str(error) or type(error).__name__)
        self._socket, self.is_ready = socket, True
        log.info("ari_connected", url=self.base_url, app=self.app)
        if self._on_up is not None:
            self._on_up()
        keep_alive = asyncio.create_task(self._keep_alive(socket), name="ari-keep-alive")
        reason: PbxError = PbxUnreachableError("websocket", "closed by the PBX")
        try:
            reason = await self._read(socket) or reason
        finally:
            keep_alive.cancel()
            self._socket, self.is_ready = None, False
            self._fail_waiting(reason)
            self._end(socket)
        if self._on_lost is not None:
            self._on_lost(reason)
        return True, reason

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> PbxError | None:
        async for frame in socket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                continue
            try:
                event = decode_event(frame.data)
            except PbxProtocolError as error:
                return error
            if event is None:
                continue
            if event.type == "ApplicationReplaced":
                return PbxRejectedError("websocket", f"another client has taken the application {self.app}")
            for future in self._waiting.get((event.type, event.subject), ()):
                if not future.done():
                    future.set_result(event)
            if self._on_event is not None:
                self._on_event(event)
        broken = socket.exception()
        return PbxUnreachableError("websocket", str(broken) or type(broken).__name__) if broken else None

    def _fail_waiting(self, reason: PbxError) -> None:
        for (kind, _), futures in self._waiting.items():
            for future in futures:
                if not future.done():
                    future.set_exception(PbxTimeoutError(kind, f"websocket lost: {reason.detail}"))

    def _end(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Cut the socket off without the closing handshake, which a frozen PBX never answers."""
        socket._response.close()  # noqa: SLF001 - aiohttp has no other way

    async def _keep_alive(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Keep one request connection warm, and notice a PBX that takes connections and answers nothing."""
        while True:
            try:
                await self.ask("GET", "asterisk/ping", timeout_s=self._timing.ping_reply_s)
            except PbxError as error:
                log.warning("ari_ping_failed", url=self.base_url, error=str(error))
                self._end(socket)
                return
            await asyncio.sleep(self._timing.ping_every_s)
