"""The HTTP server: one aiohttp application, a route for each thing.

    POST /v1/keys/{key}                   Authorization: Bearer <agent token>
    GET  /v1/keys/{key}?token=…           a desk phone's action URL; own token kind, source-address allowlist
    POST /v1/pages/{page}/acknowledge     Authorization: Bearer <person token>
    POST /v1/breaks/{break}/end           likewise
    POST /v1/calls/{call}/open-latch      likewise; two different people are needed
    GET  /prompts/{language}/{name}.wav   for the PBX
    GET  /healthz, /metrics

Errors are problem details (RFC 9457). See docs/http.md.
"""

import asyncio
import logging
from dataclasses import dataclass

import structlog
from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from adapters.http.doors import DOORS, Doors
from adapters.http.keys import press_by_action_url, press_by_post
from adapters.http.people import acknowledge, end_break, open_latch
from adapters.http.problems import MOST_BYTES, add_headers, as_problems, problem
from adapters.prompts.errors import PromptError, PromptFileError

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """How the server is reached.

    Attributes:
        host: address to listen on.
        port: port to listen on; 0 for any free one.
    """

    host: str = "127.0.0.1"
    port: int = 8480


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


def make_app(doors: Doors) -> web.Application:
    """Return the application."""
    app = web.Application(client_max_size=MOST_BYTES, middlewares=[as_problems])
    app[DOORS] = doors
    app.on_response_prepare.append(add_headers)
    app.add_routes(
        [
            web.post("/v1/keys/{key}", press_by_post),
            # A HEAD must not press a key: RFC 9110 §9.2.1 calls it safe, and checkers send it unasked.
            web.get("/v1/keys/{key}", press_by_action_url, allow_head=False),
            web.post("/v1/pages/{page}/acknowledge", acknowledge),
            web.post("/v1/breaks/{break_id}/end", end_break),
            web.post("/v1/calls/{call}/open-latch", open_latch),
            web.get("/prompts/{language}/{name}.wav", prompt),
            web.get("/healthz", healthz),
            web.get("/metrics", metrics),
        ]
    )
    return app


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
        site = web.TCPSite(self._runner, self._config.host, self._config.port)
        await site.start()
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
