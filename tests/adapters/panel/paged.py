"""The whole application with a page of which somebody has been told, and that somebody's phone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from policies import events as ev
from policies.pages import Page
from policies.proofs import Proof, ProofState
from policies.rules import Severity
from tests.adapters.panel.guarded import Browser, Guarded, guarded

CHIEF, DEPUTY = "Chief", "Deputy"
ELSEWHERE = "https://vagt.example"


class Paged:
    """The service with a page to the chief, and the phone of one who was told."""

    def __init__(self, g: Guarded) -> None:
        self.g = g
        self.engine = g.site.service.engine
        self.phone: Browser = g.browser()

    @property
    def page(self) -> Page:
        """The page, as it is now."""
        [page] = self.engine.state.pages.values()
        return page

    def path(self, person: str = CHIEF) -> str:
        """Return where the link in a person's latest message leads."""
        message = [t.message for t in self.page.told if t.person == person][-1]
        return self.g.links(message).removeprefix(ELSEWHERE)

    async def press(self, does: str, path: str = "", **more: Any) -> tuple[int, str]:
        """Open the screen, press, and go where that leads; returns status and text."""
        path = path or self.path()
        status, text, leads = await self.phone.submit(path, {"does": does}, **more)
        if status == 303:
            assert leads == path
            status, text, _ = await self.phone.get(leads)
        return status, text

    def test_of_path(self) -> str:
        """Let a test of a path be out, and nothing else; return where its link leads."""
        told = replace(self.page.told[0], message="t-1.0")
        proof = Proof("Chief/sms", CHIEF, "sms", "sms:Chief", told.language, ProofState.ASKED, page="t-1", told=told)
        self.engine.state = replace(self.engine.state, pages={}, proofs={proof.id: proof})
        return self.g.links("t-1.0").removeprefix(ELSEWHERE)

    @property
    def answers(self) -> list[tuple[str, str]]:
        """By whom it was taken or passed on, and by what means."""
        service = self.g.site.service
        return [(e.by, e.means) for e in (*service.saw(ev.PageAnswered), *service.saw(ev.PagePassed))]


@asynccontextmanager
async def paged(folder: Path, language: str = "en") -> AsyncIterator[Paged]:
    """Run it, with an acute page whose first rung has been told."""
    async with guarded(folder) as g:
        made = Paged(g)
        opened = ev.PageOpened(
            **made.engine.stamp(), plan="backup", incident="i-7", reason="call", severity=Severity.ACUTE
        )
        made.engine.take(opened)
        await g.site.service.until(lambda: made.engine.state.pages)
        await g.site.service.settled()
        speaks(made, language)
        yield made


def speaks(p: Paged, language: str) -> None:
    """Let everybody who was told have this language."""
    page = replace(p.page, told=tuple(replace(t, language=language) for t in p.page.told))
    p.engine.state = replace(p.engine.state, pages={page.id: page})
