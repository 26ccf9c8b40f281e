"""Other Bagvagts, watched by this one: who does not answer, or says that its protection is off, is paged about here.

Whether the other one is dead or the network between us, nobody can tell from here. Alarms fail open: a person is woken,
and looks. One page for an outage: none while one about the same Bagvagt is open, or was answered since the outage
began. The core keeps an answered page for an hour; so one that restarts later than that, in the same outage, pages
again, since it cannot know that anybody still works on it.
"""

import asyncio
import json
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from adapters.watching.fetching import Answer, NoAnswerError, fetch
from policies.events import Event, PageOpened
from policies.pages import Page
from policies.rules import Severity
from policies.state import State
from telephony.ports import Clock

_log = structlog.get_logger()

REASON = "watch"
_LOOK_MOST_S = 10.0
_WORD = re.compile(r"[a-z_]{1,16}")
_MOST_WORDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another Bagvagt.

    Attributes:
        name: what it is called; the page's incident is `watch-<name>`.
        url: its `/healthz`.
        plan: who is paged.
        every_s: how often it is asked.
        silent_s: how long it may be unwell, from the first look that finds it so. An answer may take half of it, at
            most ten seconds.
        ca_file: PEM of the authority of its certificate, None for the system's.
        severity: of the page.
    """

    name: str
    url: str = field(repr=False)
    plan: str
    every_s: float = 15.0
    silent_s: float = 60.0
    ca_file: Path | None = None
    severity: Severity = Severity.URGENT

    @property
    def incident(self) -> str:
        """What pages about it name."""
        return f"{REASON}-{self.name}"


class Peers:
    """Watches them.

    Args:
        peers: whom.
        clock: time and ids of the events.
        state: the engine's, once it has read the journal back.
        looked: called after each look with the name, and whether protection is on there.
        sleep: how to wait.
        now_s: a monotonic clock, seconds; it stands still while this machine sleeps, so that waking is no outage.
    """

    def __init__(
        self,
        peers: Sequence[Peer],
        clock: Clock,
        state: Callable[[], State],
        *,
        looked: Callable[[str, bool], None] = lambda _name, _on: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._looked = looked
        self._sleep = sleep
        self._now_s = now_s
        self._watches = [_Watch(peer, clock, state, now_s) for peer in peers]

    async def run(self, emit: Callable[[Event], None]) -> None:
        """Look, until cancelled; none waits for another."""
        async with asyncio.TaskGroup() as tasks:
            for watch in self._watches:
                tasks.create_task(self._keep(watch, emit), name=watch.peer.incident)

    async def _keep(self, watch: "_Watch", emit: Callable[[Event], None]) -> None:
        while True:
            began_s = self._now_s()
            wrong = await watch.look()
            self._looked(watch.peer.name, not wrong)
            watch.judge(wrong, emit)
            await self._sleep(max(0.0, watch.peer.every_s - (self._now_s() - began_s)))


class _Watch:
    """What is known of one of them."""

    def __init__(self, peer: Peer, clock: Clock, state: Callable[[], State], now_s: Callable[[], float]) -> None:
        self.peer = peer
        self._clock = clock
        self._state = state
        self._now_s = now_s
        self._tls: ssl.SSLContext | None = None
        self._looked_s = 0.0
        self._was_well = False
        self._since: tuple[float, datetime] | None = None
        self._asked = 0
        self._settled = False

    async def look(self) -> str:
        """Return what is wrong there, "" when protection is on."""
        peer, self._looked_s = self.peer, self._now_s()
        try:
            if self._tls is None and peer.ca_file is not None:
                self._tls = ssl.create_default_context(cafile=peer.ca_file)
            return wrong_in(await fetch(peer.url, min(peer.silent_s / 2, _LOOK_MOST_S), tls=self._tls))
        except NoAnswerError as error:
            return f"does not answer: {error.why}"
        except Exception as error:  # noqa: BLE001 -- who watches must not stop the work; and who cannot look must say so
            return f"cannot be asked: {type(error).__name__}"

    def judge(self, wrong: str, emit: Callable[[Event], None]) -> None:
        """Page when it has been wrong for long enough, and nobody has been paged."""
        peer, now_s = self.peer, self._now_s()
        if not wrong:
            if self._since is not None:
                _log.info("watch_well", name=peer.name, unwell_s=round(now_s - self._since[0]))
            self._was_well, self._since, self._asked, self._settled = True, None, 0, False
            return
        if self._since is None:
            self._since = (self._looked_s, self._clock.now())
            _log.warning("watch_unwell", name=peer.name, what=wrong)
        if self._settled or now_s - self._since[0] < peer.silent_s:
            return
        self._settled = any(self._is_of_this_outage(page, self._since[1]) for page in self._state().pages.values())
        if not self._settled:
            self._open(wrong, emit)

    def _is_of_this_outage(self, page: Page, since: datetime) -> bool:
        if page.incident != self.peer.incident:
            return False
        # Answered before: in a former outage, unless this one is older than we are.
        return page.answered_at is None or page.answered_at >= since or not self._was_well

    def _open(self, wrong: str, emit: Callable[[Event], None]) -> None:
        """Ask for a page. That there is one is believed once it is seen, at the next look; until then, again."""
        peer = self.peer
        self._asked += 1
        if self._asked == 1:
            _log.error("watch_paged", name=peer.name, what=wrong, incident=peer.incident, plan=peer.plan)
        elif self._asked == 2:  # noqa: PLR2004 -- said once
            _log.critical("watch_not_paged", name=peer.name, plan=peer.plan, remedy="is the plan still in [pages]?")
        emit(
            PageOpened(
                id=self._clock.new_id(),
                at=self._clock.now(),
                plan=peer.plan,
                incident=peer.incident,
                reason=REASON,
                severity=peer.severity,
            )
        )


def wrong_in(answer: Answer) -> str:
    """Return what an answer of `/healthz` says is wrong, "" for nothing. Not any 200 will do: it may be a proxy's."""
    try:
        said: Any = json.loads(answer.body)
    except ValueError:
        said = None
    if not isinstance(said, dict) or not isinstance(said.get("ok"), bool):
        return f"does not answer as Bagvagt: HTTP {answer.status}"
    if said["ok"] and answer.status == 200:  # noqa: PLR2004 -- RFC 9110 §15.3.1
        return ""
    why = said.get("why")
    words = [w for w in why if isinstance(w, str) and _WORD.fullmatch(w)] if isinstance(why, list) else []
    return f"says that protection is off: {', '.join(words[:_MOST_WORDS]) or 'no reason given'}"
