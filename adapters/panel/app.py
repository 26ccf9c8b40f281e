"""The web application: every route, every middleware, the streams. The one place where they are put together.

    /v1/…                                 the API, see `adapters.panel.v1` and docs/openapi.json
    GET  /prompts/{language}/{name}.wav   for the PBX
    GET  /healthz, /metrics

Errors are problem details (RFC 9457). See docs/http.md.
"""

from collections.abc import Sequence
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from adapters.http.doors import DOORS, Doors
from adapters.http.problems import MOST_BYTES, add_headers, as_problems
from adapters.http.server import healthz, metrics, prompt
from adapters.panel.api import PANEL, Panel
from adapters.panel.openapi import served
from adapters.panel.routes import Route, add_routes
from adapters.panel.v1 import V1

OPENAPI: Final = "/v1/openapi.json"


def make_app(
    doors: Doors, panel: Panel, *, middlewares: Sequence[Middleware] = (), routes: Sequence[Route] = ()
) -> web.Application:
    """Return the application.

    Args:
        doors: what the keys' routes need.
        panel: what the screens' routes need.
        middlewares: find out who sends a request, and refuse what is not theirs; errors are made problems around them.
        routes: further ones: login, accounts, the panel's pages.
    """
    app = web.Application(client_max_size=MOST_BYTES, middlewares=[as_problems, *middlewares])
    app[DOORS] = doors
    app[PANEL] = panel
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(panel.hub.close)  # a stream never ends by itself
    add_routes(app, (*V1, *routes))
    app.router.add_route("GET", OPENAPI, served((*V1, *routes)))
    app.add_routes(
        [
            web.get("/prompts/{language}/{name}.wav", prompt),
            web.get("/healthz", healthz),
            web.get("/metrics", metrics),
        ]
    )
    return app
