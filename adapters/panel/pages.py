"""The panel's screens as HTML: the frame of each, and what its stream puts into it (docs/adr/0006-panel.md).

A frame holds no state: what somebody sees always came over the stream, and is never a browser's memory of yesterday.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from aiohttp import web
from babel.dates import format_date, format_datetime, format_time
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from adapters.accounts.model import IDENTITY, Role
from adapters.http.problems import problem
from adapters.panel.api import PANEL
from adapters.panel.i18n import known, locale, translations
from adapters.panel.routes import Route
from adapters.panel.streams import Look
from policies.model import AgentId
from policies.reasons import SENTENCES, Reason
from telephony.screens.model import AgentScreen, DutyScreen, Mood, NextPress
from telephony.screens.page import time_line

STATIC: Final = Path(__file__).with_name("static")
"""Styles and scripts, served under `/panel/static` as they are."""

_HOUR: Final = 60  # minutes
_PEOPLE: Final = frozenset({"colleague", "chief"})
_OVER_AT: Final[Mapping[Reason, frozenset[Mood]]] = {
    # What an answer promises is said once it has happened, and what has happened is said by the mood.
    Reason.ENDING: frozenset({Mood.CLOSING, Mood.FREE, Mood.BREAK}),
}
_SAID_BY_MOOD: Final = frozenset(
    {
        Reason.WARNING_STARTED,
        Reason.FLAGGED,
        Reason.ACUTE,
        Reason.RINGING,
        Reason.CHIEF_RINGING,
        Reason.BREAK_ON,
        Reason.JOINED,
    }
)


@dataclass(frozen=True, slots=True)
class Site:
    """What the screens show of the policy.

    Attributes:
        name: the workplace's.
        zone: in which times are shown.
        acute: kinds of calls that no key ends.
        desk: phone number of the duty desk, for when nothing here works; "" for none.
    """

    name: str
    zone: ZoneInfo
    acute: frozenset[str] = frozenset()
    desk: str = ""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks.

    Attributes:
        name: shown.
        roles: which screens there are.
        language: two letters.
        csrf: goes back with every act.
    """

    name: str
    roles: frozenset[Role]
    language: str
    csrf: str


class Pages:
    """Draws.

    Args:
        site: what policy shows; replaced when the policy is reloaded.
        viewer: who sends a request; it has been let in already.
    """

    def __init__(self, site: Site, viewer: Callable[[web.Request], Viewer]) -> None:
        self.site = site
        self._viewer = viewer

    def routes(self) -> tuple[Route, ...]:
        """Return the screens' routes; none of them is part of the API."""
        return (
            Route("GET", "/panel/agent", self.agent, "The agent's screen"),
            Route("GET", "/panel/agent/stream", self.agent_stream, "What the agent's screen shows"),
            Route("GET", "/panel/duty", self.duty, "The duty desk's screen"),
            Route("GET", "/panel/duty/stream", self.duty_stream, "What the duty desk's screen shows"),
            Route("GET", "/panel/wall", self.wall, "The wallboard"),
            Route("GET", "/panel/wall/stream", self.wall_stream, "What the wallboard shows"),
        )

    def render_agent(self, picture: AgentScreen, language: str) -> str:
        """Return what goes into an agent's screen."""
        groups = _groups(picture, self.site.acute)
        return self._fragment(
            "agent_screen.html", language, at=picture, groups=groups, last=_last(picture), next=_next(picture, groups)
        )

    def render_duty(self, picture: DutyScreen, language: str) -> str:
        """Return what goes into the duty desk's screen."""
        waiting = [p for p in picture.pages if not p.answered_by]
        alarming = [p.id for p in waiting if p.severity == "acute"]
        return self._fragment(
            "duty_screen.html", language, at=picture, alarming=alarming, waiting=[p.id for p in waiting]
        )

    def render_wall(self, picture: DutyScreen, language: str) -> str:
        """Return what goes onto the wallboard: nothing of a caller."""
        return self._fragment("wall_screen.html", language, at=picture)

    async def agent(self, request: web.Request) -> web.Response:
        """Send the frame of the agent's screen."""
        return self.page(request, "agent.html")

    async def duty(self, request: web.Request) -> web.Response:
        """Send the frame of the duty desk's screen."""
        return self.page(request, "duty.html")

    async def wall(self, request: web.Request) -> web.Response:
        """Send the frame of the wallboard."""
        return self.page(request, "wall.html")

    async def agent_stream(self, request: web.Request) -> web.StreamResponse:
        """Send what the agent's screen shows, whenever it changes."""
        panel, language, agent = request.app[PANEL], self._viewer(request).language, request[IDENTITY].agent
        if not agent:
            return problem(403, "not-an-agent", "This account belongs to no agent")
        look: Look[AgentScreen] = Look(f"agent:{language}", lambda picture: self.render_agent(picture, language))
        return await panel.hub.agent(request, panel.screens, AgentId(agent), look)

    async def duty_stream(self, request: web.Request) -> web.StreamResponse:
        """Send what the duty desk's screen shows, whenever it changes."""
        panel, language = request.app[PANEL], self._viewer(request).language
        look: Look[DutyScreen] = Look(f"duty:{language}", lambda picture: self.render_duty(picture, language))
        return await panel.hub.duty(request, panel.screens, look)

    async def wall_stream(self, request: web.Request) -> web.StreamResponse:
        """Send what the wallboard shows, whenever it changes."""
        panel, language = request.app[PANEL], self._viewer(request).language
        look: Look[DutyScreen] = Look(f"wall:{language}", lambda picture: self.render_wall(picture, language))
        return await panel.hub.duty(request, panel.screens, look)

    def page(self, request: web.Request, template: str, status: int = 200, **context: Any) -> web.Response:
        """Return a whole page, in the viewer's language.

        Args:
            request: tells who looks, and where.
            template: its name; it extends `base.html`.
            status: of the answer.
            context: what the template needs besides `viewer`, `site`, `language` and `here`.
        """
        viewer = self._viewer(request)
        text = self._fragment(template, viewer.language, viewer=viewer, here=request.path, **context)
        return web.Response(text=text, status=status, content_type="text/html")

    def _fragment(self, template: str, language: str, **context: Any) -> str:
        return _templates(known(language), self.site.zone).get_template(template).render(site=self.site, **context)


@cache
def _templates(language: str, zone: ZoneInfo) -> Environment:
    """Return the templates in one language, with its times in the site's zone."""
    made = Environment(
        loader=PackageLoader("adapters.panel"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words, writes = translations(language), locale(language)
    made.install_gettext_translations(words, newstyle=True)  # type: ignore[attr-defined] # of the extension
    sentences = {reason.value: words.gettext(sentence) for reason, sentence in SENTENCES.items()}
    made.globals |= {"language": language, "sentences": sentences}
    made.filters |= {
        "sentence": lambda code: sentences.get(code, code),
        "iso": lambda at: at.isoformat(timespec="milliseconds"),
        "clock_s": lambda at: format_time(at, "medium", zone, writes),
        "day": lambda at: format_date(at.astimezone(zone), "medium", writes),
        "clock": lambda at: format_time(at, "short", zone, writes),
        "day_clock": lambda at: format_datetime(at, "EEE HH:mm", zone, writes),
        "minutes": _minutes,
        "line": time_line,
        "segment": lambda text: quote(text, safe=""),
    }
    return made


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= _HOUR else f"{minutes}:{rest:02d}"


def _groups(picture: AgentScreen, acute: frozenset[str]) -> dict[str, list[Any]]:
    """Put the keys where the eye looks for them. Each stays in its place, whatever the call's state."""

    def those(wanted: Callable[[NextPress], bool]) -> list[NextPress]:
        return [press for press in picture.keys if wanted(press)]

    flags = those(lambda press: press.does == "flag")
    marked = {press.kind for press in flags}
    return {
        "end": those(lambda press: press.does in ("warn", "end")),
        "people": those(lambda press: press.does in _PEOPLE),
        "back": those(lambda press: press.does == "back" and picture.break_ is not None),
        "acute": [press for press in flags if press.kind in acute],
        "marks": [press for press in flags if press.kind not in acute],
        "kinds": [kind for kind in picture.kinds if kind not in marked],
    }


def _next(picture: AgentScreen, groups: dict[str, list[Any]]) -> str:
    """Return the key that warns or ends and is meant now: of the call's kind, else the policy's first. It is large."""
    kind = picture.call.kind if picture.call else ""
    meant = [press.key for press in groups["end"] if press.kind == kind] or [press.key for press in groups["end"]]
    return meant[0] if meant else ""


def _last(picture: AgentScreen) -> str:
    """Return the code of what is still to be said of the latest press, "" for nothing."""
    if not picture.last or picture.last_at is None or picture.last in _SAID_BY_MOOD:
        return ""
    wanted = _OVER_AT.get(Reason(picture.last))
    return picture.last if wanted is None or picture.mood in wanted else ""
