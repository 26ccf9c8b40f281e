"""Keys over HTTP: by POST from a screen or program, by GET from a desk phone that can do nothing else."""

import asyncio

import structlog
from aiohttp import web
from pydantic import BaseModel

from adapters.http.access import TokenKind
from adapters.http.doors import DOORS, Doors, owner_of
from adapters.http.problems import problem
from policies.actions import Tell
from policies.model import AgentId, KeyUse, Source
from policies.reasons import SENTENCES

_log = structlog.get_logger()

# What a browser or a mail scanner says when it fetches a link before anybody has clicked it.
_PREFETCH = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")


class KeyAnswer(BaseModel):
    """What a key did. A key that policy refuses is answered with 200: the answer is the answer.

    Attributes:
        verdict: "accepted", "not_permitted" or "not_yet".
        reason: a word for programs.
        text: the sentence for people, in English.
        rule: the line of the policy that says so, "" for none.
        wait_s: when waiting is all that is missing, for how long.
        who: a name that belongs to the sentence, "" for none.
    """

    verdict: str
    reason: str
    text: str
    rule: str
    wait_s: float
    who: str


async def press_by_post(request: web.Request) -> web.Response:
    """Press a key with a per-agent token, or as the agent who is logged in."""
    return await _press(request, TokenKind.AGENT, None, Source.HTTP)


async def press_by_action_url(request: web.Request) -> web.Response:
    """Press a key from a desk phone, which can only GET."""
    doors = request.app[DOORS]
    if (request.remote or "") not in doors.access.action_urls:
        doors.metrics.refused("address")
        _log.warning("http_address_refused", address=request.remote)
        return problem(403, "address", "This address may not use action URLs", address=request.remote)
    if any(word in request.headers.get(name, "").lower() for name in _PREFETCH for word in ("prefetch", "preview")):
        return problem(403, "prefetch", "A link that is fetched beforehand presses no key")
    return await _press(request, TokenKind.ACTION_URL, request.query.get("token", ""), Source.ACTION_URL)


async def _press(request: web.Request, kind: TokenKind, secret: str | None, source: Source) -> web.Response:
    doors = request.app[DOORS]
    keys = doors.engine.policy.now.keys
    key = keys.get(request.match_info["key"])
    agent = owner_of(request, kind, secret=secret, never_refused=key is not None and is_acute(doors, key.kind))
    if isinstance(agent, web.Response):
        return agent
    if key is None:
        return problem(404, "no-such-key", "No such key", keys=sorted(keys))
    return await answered(doors, AgentId(agent), key, source)


async def answered(doors: Doors, agent: AgentId, key: KeyUse, source: Source) -> web.Response:
    """Press the key, and return its answer."""
    try:
        async with asyncio.timeout(doors.answer_within_s):
            tell = await doors.engine.press(agent, key, source)
    except TimeoutError:
        title = "The key was taken, and there is no answer yet"
        return problem(503, "not-decided", title, detail="Do not count on it; it may still be obeyed.", taken=True)
    return web.json_response(text=_answer(tell).model_dump_json())


def is_acute(doors: Doors, kind: str) -> bool:
    """Tell whether a key of this kind is never refused by a limit."""
    rules = doors.engine.policy.now.kinds.get(kind)
    return rules is not None and rules.latched


def _answer(tell: Tell) -> KeyAnswer:
    return KeyAnswer(
        verdict=tell.verdict.value,
        reason=tell.reason.value,
        text=SENTENCES[tell.reason],
        rule=tell.rule,
        wait_s=round(tell.wait_s, 1),
        who=tell.who,
    )
