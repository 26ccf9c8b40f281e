"""Keys over HTTP: by POST from a screen or program, by GET from a desk phone that can do nothing else."""

import asyncio
from typing import Any

import structlog
from aiohttp import web

from adapters.http.access import TokenKind
from adapters.http.doors import DOORS, Doors, bearer, check
from adapters.http.problems import problem
from policies.actions import Tell
from policies.model import AgentId, KeyUse, Source
from policies.reasons import SENTENCES

_log = structlog.get_logger()

# What a browser or a mail scanner says when it fetches a link before anybody has clicked it.
_PREFETCH = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")


async def press_by_post(request: web.Request) -> web.Response:
    """Press a key with a per-agent token."""
    return await _press(request, bearer(request), TokenKind.AGENT, Source.HTTP)


async def press_by_action_url(request: web.Request) -> web.Response:
    """Press a key from a desk phone, which can only GET."""
    doors = request.app[DOORS]
    if (request.remote or "") not in doors.access.action_urls:
        doors.metrics.refused("address")
        _log.warning("http_address_refused", address=request.remote)
        return problem(403, "address", "This address may not use action URLs", address=request.remote)
    if any(word in request.headers.get(name, "").lower() for name in _PREFETCH for word in ("prefetch", "preview")):
        return problem(403, "prefetch", "A link that is fetched beforehand presses no key")
    return await _press(request, request.query.get("token", ""), TokenKind.ACTION_URL, Source.ACTION_URL)


async def _press(request: web.Request, secret: str, kind: TokenKind, source: Source) -> web.Response:
    doors = request.app[DOORS]
    keys = doors.engine.policy.now.keys
    key = keys.get(request.match_info["key"])
    token = check(request, secret, kind, never_refused=key is not None and _is_acute(doors, key))
    if isinstance(token, web.Response):
        return token
    if key is None:
        return problem(404, "no-such-key", "No such key", keys=sorted(keys))
    try:
        async with asyncio.timeout(doors.answer_within_s):
            tell = await doors.engine.press(AgentId(token.owner), key, source)
    except TimeoutError:
        title = "The key was taken, and there is no answer yet"
        return problem(503, "not-decided", title, detail="Do not count on it; it may still be obeyed.", taken=True)
    return web.json_response(answer(tell))


def _is_acute(doors: Doors, key: KeyUse) -> bool:
    rules = doors.engine.policy.now.kinds.get(key.kind)
    return rules is not None and rules.latched


def answer(tell: Tell) -> dict[str, Any]:
    """Return a key's answer as it goes over the wire."""
    return {
        "verdict": tell.verdict.value,
        "reason": tell.reason.value,
        "text": SENTENCES[tell.reason],
        "rule": tell.rule,
        "wait_s": round(tell.wait_s, 1),
        "who": tell.who,
    }
