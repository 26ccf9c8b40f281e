"""The screen behind a message's link: one page, and two buttons (`adapters.paging.links`).

To open it does nothing: mail scanners, previews and link expanders open every link. Only the form on it answers, and it
carries what stands on the screen alone, so that neither does one who posts to the link without having opened it. The
secret in the link is the proof of who answers; there is no session, no cookie, and no script.

A right link is never refused for how often it comes, since it is the answer to an alarm; wrong ones are counted.
"""

import asyncio
import hmac
from contextlib import suppress
from typing import Any, Final

from aiohttp import web

from adapters.http.doors import DOORS
from adapters.paging.links import PATH, Linked, Links
from adapters.panel.identity import FIELD, LOGIN, is_own, viewer
from adapters.panel.login import see
from adapters.panel.pages import Pages, Viewer
from adapters.panel.routes import Route
from policies import events as ev
from policies.events import Delivery
from policies.pages import Page, Told
from policies.proofs import Proof, ProofState

PATTERN: Final = f"{PATH}{{token}}"
MEANS: Final = "link"
DECIDED_WITHIN_S: Final = 3.0
_LOOK_EVERY_S: Final = 0.02
_TAKE, _PASS = "take", "pass"


class TakePages:
    """The pages of this side.

    Args:
        pages: for what the screens show of the policy.
        links: know which message a token belongs to.
    """

    def __init__(self, pages: Pages, links: Links) -> None:
        self._pages = pages
        self._links = links

    def routes(self) -> tuple[Route, ...]:
        """Return the routes; none of them is part of the API."""
        return (
            Route("GET", PATTERN, self.look, "The screen behind a message's link"),
            Route("POST", PATTERN, self.answer, "Take a page, or pass it on, by a message's link"),
        )

    async def look(self, request: web.Request) -> web.Response:
        """Send the screen. Nothing follows from it."""
        linked = self._linked(request)
        return self._unknown(request) if linked is None else self._screen(request, linked)

    async def answer(self, request: web.Request) -> web.Response:
        """Take the page for the person to whom the message went, or pass it on; then show what has come of it."""
        linked = self._linked(request)
        if linked is None:
            return self._unknown(request)
        form = await request.post()
        given, does = form.get(FIELD, ""), form.get("does", "")
        wanted = self._links.form(linked.told.message)
        is_ours = isinstance(given, str) and hmac.compare_digest(given.encode(errors="replace"), wanted.encode())
        if does not in (_TAKE, _PASS) or not is_ours or not is_own(request, request.app[LOGIN].url):
            return self._screen(request, linked, 403, problem="form")
        if is_open(linked) and not await self._decided(request, linked, str(does)):
            return self._screen(request, linked, 202, problem="asked")
        return see(request.path)

    async def _decided(self, request: web.Request, linked: Linked, does: str) -> bool:
        """Give the answer to the engine; return whether it has been decided on."""
        engine, told = request.app[DOORS].engine, linked.told
        said: dict[str, Any] = {
            "page": linked.of.id if isinstance(linked.of, Page) else linked.of.page,
            "by": told.person,
            "means": MEANS,
        }
        if does == _TAKE:
            engine.take(ev.PageAnswered(**engine.stamp(), **said, message=told.message))
        else:
            engine.take(ev.PagePassed(**engine.stamp(), **said))

        def has_come() -> bool:
            now = self._linked(request)
            return now is None or not is_open(now) or (does == _PASS and has_passed(now))

        with suppress(TimeoutError):
            async with asyncio.timeout(DECIDED_WITHIN_S):
                while not has_come():  # noqa: ASYNC110 -- the engine has no signal for a single page
                    await asyncio.sleep(_LOOK_EVERY_S)
                return True
        return False

    def _linked(self, request: web.Request) -> Linked | None:
        return self._links.find(request.match_info["token"], request.app[DOORS].engine.state)

    def _screen(self, request: web.Request, linked: Linked, status: int = 200, problem: str = "") -> web.Response:
        told, of = linked
        shown = {"told": told, "form": self._links.form(told.message), "problem": problem, "is_open": is_open(linked)}
        if isinstance(of, Proof):
            return self._draw(request, "take_test.html", told.language, status, **shown)
        is_mine = of.answered_by.casefold() == told.person.casefold()
        more = {"at": of, "is_mine": is_mine, "passed": has_passed(linked), "others": _others(of, told)}
        return self._draw(request, "take.html", told.language, status, **shown, **more)

    def _unknown(self, request: web.Request) -> web.Response:
        """Say that there is no such page, and what to do; after too many such links, when it may be tried again."""
        wait_s = request.app[LOGIN].attempts.take_link(request.remote or "")
        language = viewer(request).language
        answer = self._draw(request, "take_unknown.html", language, 429 if wait_s else 404, is_many=bool(wait_s))
        if wait_s:
            answer.headers["Retry-After"] = str(int(wait_s) + 1)
        return answer

    def _draw(self, request: web.Request, template: str, language: str, status: int, **context: Any) -> web.Response:
        stranger = Viewer("", frozenset(), language, "")  # whoever may be logged in here: the link is the message's
        return Pages(self._pages.site, lambda _: stranger).page(request, template, status, **context)


def is_open(linked: Linked) -> bool:
    """Tell whether an answer is still wanted."""
    of = linked.of
    return of.is_open if isinstance(of, Page) else of.state is not ProofState.PROVED


def has_passed(linked: Linked) -> bool:
    """Tell whether the person has said that they cannot take it."""
    told, of = linked
    if not isinstance(of, Page):
        return False
    # A deferred message is also given up when a later one takes its place; but then nobody has its link.
    return told.person in of.passed or (told.given_up and told.delivery is not Delivery.DEFERRED)


def _others(page: Page, told: Told) -> list[Told]:
    """Return the latest message to each of the others."""
    sent = {t.person: t for t in page.told if t.attempt and t.person != told.person}
    return list(sent.values())
