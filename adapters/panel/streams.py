"""The streams: a screen is sent when it has changed, a sign of life every two seconds.

One task for each connection, in its request's handler. There is no queue: what changed is a flag, and the task builds
the picture of now when it gets to it. So a slow client skips pictures, and a dead one is dropped; neither delays
anybody. One picture is built in each turn of the loop: when all screens change at once, a key still gets in between.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeVar

import structlog
from aiohttp import web

from adapters.accounts.model import IDENTITY
from adapters.http.problems import problem, route
from adapters.panel.stream import Stream
from policies import events as ev
from policies.actions import Action
from policies.model import AgentId
from policies.state import State
from telephony.screens.model import AgentScreen, DutyScreen, Picture
from telephony.screens.recent import Concerned, Recent
from telephony.screens.show import Screens

_log = structlog.get_logger()

BEAT_S: Final = 2.0
BUSY_S: Final = 5.0  # how long an agent's screen is believed when nothing is told: during a call, and else
QUIET_S: Final = 30.0
MOST_OF_ONE: Final = 12

P = TypeVar("P", AgentScreen, DutyScreen)


@dataclass(frozen=True, slots=True)
class Look(Generic[P]):
    """How a picture becomes the text of an event.

    Attributes:
        name: the same for the same text, "json" or "wall:da": the duty desk's texts are shared by it.
        draw: does it.
    """

    name: str
    draw: Callable[[P], str]


def _json(picture: Picture) -> str:
    return picture.model_dump_json(by_alias=True)


AGENT_JSON: Final[Look[AgentScreen]] = Look("json", _json)
DUTY_JSON: Final[Look[DutyScreen]] = Look("json", _json)


class Hub:
    """Knows every stream, and whom to wake. A `telephony.ports.Listener`.

    Attributes:
        recent: what was said lately; fed from here.

    Args:
        is_live: tells whether who opened a stream may still have it; asked at every beat.
    """

    def __init__(self, is_live: Callable[[web.Request], bool]) -> None:
        self.recent = Recent()
        self._is_live = is_live
        self._state = State()
        self._decided: list[tuple[ev.Event, State, State, Iterable[Action]]] = []
        self._streams: dict[AgentId | None, set[Stream]] = {}  # None: the duty desk's
        self._of: Counter[str] = Counter()
        self._turn = asyncio.Lock()
        self._duty: tuple[DutyScreen, float] | None = None
        self._drawn: dict[str, str] = {}
        self._drawn_of: DutyScreen | None = None
        self._is_closed = False

    def __len__(self) -> int:
        return sum(map(len, self._streams.values()))

    # What happens.

    def decided(self, event: ev.Event, state: State, actions: Iterable[Action]) -> None:
        """Note a decision. Looked at in the loop's next turn: what was decided is on its way to the PBX first."""
        if not self._decided:
            asyncio.get_running_loop().call_soon(self._look)
        self._decided.append((event, self._state, state, actions))
        self._state = state

    def glimpsed(self, seen: ev.CallChanged | ev.CallEnded) -> None:
        """Note what happened to a call that nobody guards; fits the engine's `glimpsed`."""
        self._wake(self.recent.glimpsed(seen))

    def _look(self) -> None:
        decided, self._decided = self._decided, []
        for one in decided:
            self._wake(self.recent.decided(*one))

    def _wake(self, concerned: Concerned) -> None:
        if concerned.duty:
            self._duty = None
        agents = (a for a in self._streams if a is not None) if concerned.everybody else concerned.agents
        for key in (*agents, *((None,) if concerned.duty else ())):
            for stream in self._streams.get(key, ()):
                stream.changed.set()

    async def close(self, _app: web.Application | None = None) -> None:
        """End every stream, at once; fits `on_shutdown`."""
        self._is_closed = True
        for stream in [s for streams in self._streams.values() for s in streams]:
            stream.end()

    # The streams.

    async def agent(
        self, request: web.Request, screens: Screens, agent: AgentId, look: Look[AgentScreen]
    ) -> web.StreamResponse:
        """Send one agent's screen until the client goes."""
        return await self._serve(request, agent, screens, lambda: screens.agent(agent), look.draw)

    async def duty(self, request: web.Request, screens: Screens, look: Look[DutyScreen]) -> web.StreamResponse:
        """Send the duty desk's screen until the client goes."""
        return await self._serve(
            request, None, screens, lambda: self._duty_now(screens), lambda p: self._duty_text(look, p)
        )

    async def _serve(
        self,
        request: web.Request,
        key: AgentId | None,
        screens: Screens,
        build: Callable[[], P],
        draw: Callable[[P], str],
    ) -> web.StreamResponse:
        name = request[IDENTITY].name
        if self._of[name] >= MOST_OF_ONE:
            return problem(429, "too-many-streams", "Too many open screens", {"Retry-After": "10"}, most=MOST_OF_ONE)
        stream = Stream(request)
        self._streams.setdefault(key, set()).add(stream)
        self._of[name] += 1
        try:
            await stream.begin()
            await self._feed(stream, screens, build, draw)
        except (TimeoutError, ConnectionError):
            stream.drop()  # the client is slow or gone
        except Exception as error:  # noqa: BLE001 -- the answer has begun; the client comes back
            _log.exception("stream_failed", route=route(request), error=type(error).__name__)
            stream.drop()
        finally:
            self._forget(key, stream, name)
        return stream.response

    def _forget(self, key: AgentId | None, stream: Stream, name: str) -> None:
        self._streams[key].discard(stream)
        if not self._streams[key]:
            del self._streams[key]
        self._of -= Counter((name,))  # drops those that come to nothing

    async def _feed(
        self,
        stream: Stream,
        screens: Screens,
        build: Callable[[], P],
        draw: Callable[[P], str],
    ) -> None:
        now_s = asyncio.get_running_loop().time
        sent: P | None = None
        beat_at = look_at = 0.0
        while not self._is_closed and self._is_live(stream.request):
            if now_s() >= beat_at:
                beat_at = now_s() + BEAT_S
                alive = screens.alive()
                await stream.send("alive", alive.model_dump_json())
                if sent is not None and alive.protection != sent.protection:
                    stream.changed.set()
            if stream.changed.is_set() or now_s() >= look_at:
                stream.changed.clear()
                async with self._turn:
                    picture = build()
                    look_at = now_s() + _believed_s(picture, screens.now())
                    await asyncio.sleep(0)
                if picture != sent:
                    sent = picture
                    await stream.send("screen", draw(picture))
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(beat_at, look_at)):
                    await stream.changed.wait()

    def _duty_now(self, screens: Screens) -> DutyScreen:
        """Return the duty desk's screen; one for all who look, while nothing happens and it is not old."""
        now_s = asyncio.get_running_loop().time()
        if self._duty is None or now_s - self._duty[1] >= BEAT_S:
            self._duty = (screens.duty(), now_s)
        return self._duty[0]

    def _duty_text(self, look: Look[DutyScreen], picture: DutyScreen) -> str:
        if self._drawn_of != picture:
            self._drawn_of, self._drawn = picture, {}
        if look.name not in self._drawn:
            self._drawn[look.name] = look.draw(picture)
        return self._drawn[look.name]


def _believed_s(picture: AgentScreen | DutyScreen, now: datetime) -> float:
    """Return for how long a picture stands when nothing happens: until time alone changes it."""
    if isinstance(picture, DutyScreen):
        return BEAT_S
    is_busy = picture.calls or picture.over
    turns = [(k.permitted_at - now).total_seconds() for k in picture.keys if k.permitted_at is not None]
    return max(0.0, min([BUSY_S if is_busy else QUIET_S, *turns]))
