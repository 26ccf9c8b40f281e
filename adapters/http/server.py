"""The HTTP server, and what it answers beside the API: prompts for the PBX, health, metrics."""

import asyncio
import logging
import ssl
from dataclasses import dataclass

import structlog
from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from adapters.http.doors import DOORS
from adapters.http.problems import problem
from adapters.prompts.errors import PromptError, PromptFileError

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """How the server is reached.

    Attributes:
        host: address to listen on.
        port: port to listen on; 0 for any free one.
        tls: what is needed to speak TLS too, None for no TLS.
        tls_host: address on which it is spoken.
        tls_port: likewise; what is at `port` stays without, for the PBX and for desk phones.
    """

    host: str = "127.0.0.1"
    port: int = 8480
    tls: ssl.SSLContext | None = None
    tls_host: str = "127.0.0.1"
    tls_port: int = 8443


class _TypesOnly(logging.Handler):
    """Says of aiohttp's own errors only what kind they are: a bad request is quoted in them, with its token."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0] if record.exc_info else None
        _log.warning("http_protocol_error", error=kind.__name__ if kind else record.levelname)


def _protocol_log() -> logging.Logger:
    log = logging.getLogger("bagvagt.http.protocol")
    log.propagate = False
    log.setLevel(logging.WARNING)
    log.handlers = [_TypesOnly()]
    return log


class HttpServer:
    """Runs the application.

    Attributes:
        port: the port that it really listens on, once `start` is done.
    """

    def __init__(self, config: HttpConfig, app: web.Application) -> None:
        self.port = config.port
        self._config = config
        # No access log: it would hold the tokens of action URLs.
        self._runner = web.AppRunner(app, access_log=None, logger=_protocol_log(), shutdown_timeout=2.0)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        await self._runner.setup()
        config = self._config
        await web.TCPSite(self._runner, config.host, config.port).start()
        if config.tls is not None:
            await web.TCPSite(self._runner, config.tls_host, config.tls_port, ssl_context=config.tls).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening; what is under way has two seconds to end."""
        await self._runner.cleanup()


async def prompt(request: web.Request) -> web.StreamResponse:
    """Send a prompt to the PBX, which keeps it in its cache and asks again whether it changed."""
    library = request.app[DOORS].prompts
    language, name = request.match_info["language"], request.match_info["name"]
    try:
        # In a thread: a folder on a network drive that hangs must not stop the loop.
        if language == "tones":
            found = await asyncio.to_thread(library.find_tone, name)
        else:
            found = await asyncio.to_thread(library.find, name, language)
    except PromptFileError as error:
        _log.error("prompt_damaged", error=str(error))
        return problem(500, "prompt-damaged", "The prompt cannot be played")
    except PromptError:
        return problem(404, "no-such-prompt", "No such prompt")
    return web.FileResponse(found.path, headers={"Content-Type": "audio/x-wav", "Cache-Control": "max-age=60"})


async def healthz(request: web.Request) -> web.Response:
    """Tell whether protection is on; 503 when it is not."""
    health = request.app[DOORS].health()
    return web.json_response(health, status=200 if health["ok"] else 503)


async def metrics(request: web.Request) -> web.Response:
    """Send the metrics in Prometheus' text form."""
    body = generate_latest(request.app[DOORS].metrics.registry)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
