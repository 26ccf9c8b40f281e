"""How the simulated PBX is followed: connect, read all of it anew, take what it tells, notice the loss."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from adapters.simulator.link import Link
from adapters.simulator.parts import (
    CallGone,
    CallShown,
    CodeShown,
    MemberShown,
    Notice,
    PagedShown,
    PlayEnded,
    RungEnded,
)
from adapters.simulator.seen import SeenCalls
from adapters.simulator.world import SimWorld
from policies import events as ev
from policies.model import CallId, LiveCall, Member
from telephony.errors import PbxError
from telephony.ports import Clock, CodePressed, Seen

RECONNECT_S = 0.5


class Follower:
    """One service's view of the PBX, over its link.

    Attributes:
        lost: set when this connection is gone; a new one for each.
        is_up: set while the PBX is seen.
        paged: takes what happens to those who are rung for pages.
        seen: calls and members.
        ends: what is waited for, a play or a rung leg -> how it ended; "lost" with the connection.
    """

    def __init__(self, world: SimWorld, clock: Clock, link: Link) -> None:
        self._world = world
        self._clock = clock
        self._link = link
        self._epoch = 0
        self.seen = SeenCalls(clock)
        self.ends: dict[str, asyncio.Future[str]] = {}
        self.lost = asyncio.Event()
        self.is_up = asyncio.Event()
        self.paged: Callable[[PagedShown], None] = lambda _shown: None

    async def run(self, emit: Callable[[Seen], None]) -> None:
        """Connect, follow, reconnect, until cancelled."""
        while True:
            await self._link.connected()
            with suppress(PbxError):
                await self._follow(emit)
            await self._world.time.sleep(RECONNECT_S)

    async def _follow(self, emit: Callable[[Seen], None]) -> None:
        waiting: list[Notice] = []
        unlisten: list[Callable[[], None]] = []
        connected = False

        def take(notice: Notice) -> None:
            if connected:
                self._take(notice, emit)
            else:
                waiting.append(notice)

        def read() -> tuple[tuple[LiveCall, ...], tuple[Member, ...]]:
            unlisten.append(self._link.listen(take))
            return self._read()

        try:
            calls, members = await self._link.ask("read all", read)
            self._epoch += 1
            self.seen.read_anew(calls, members, self._world.time.now())
            seen = tuple(self.seen.calls.values())
            emit(ev.PbxConnected(**self.stamp(), epoch=self._epoch, calls=seen, members=members))
            connected = True
            self.lost = asyncio.Event()
            self.is_up.set()
            for notice in waiting:
                self._take(notice, emit)
            await self._link.cut()
        finally:
            for stop in unlisten:
                stop()
            if connected:
                self._lost(emit)

    def _read(self) -> tuple[tuple[LiveCall, ...], tuple[Member, ...]]:
        calls = tuple(self._world.shown(leg) for leg in self._world.callers())
        return calls, tuple(m.shown() for m in self._world.queues.members.values())

    def _lost(self, emit: Callable[[Seen], None]) -> None:
        for end in tuple(self.ends.values()):
            if not end.done():
                end.set_result("lost")
        self.is_up.clear()
        self.lost.set()
        emit(ev.PbxLost(**self.stamp(), epoch=self._epoch))

    def _take(self, notice: Notice, emit: Callable[[Seen], None]) -> None:
        match notice:
            case CallShown(call):
                emit(ev.CallChanged(**self.stamp(), call=self.seen.changed(call, self._world.time.now())))
            case CallGone(leg):
                self.seen.ended(leg)
                emit(ev.CallEnded(**self.stamp(), call=CallId(leg)))
            case MemberShown(member):
                self.seen.members[member.agent, member.queue] = member
                emit(ev.MemberChanged(**self.stamp(), member=member))
            case CodeShown(key, agent, leg, source, at):
                ago = self._world.time.now() - at  # on its way, by the PBX's own time
                emit(CodePressed(key, agent, leg, source, self._clock.now() - ago))
            case PlayEnded(play, state):
                self._ended(play, state)
            case RungEnded(leg, joined, detail):
                self._ended(leg, "joined" if joined else detail)
            case PagedShown():
                self.paged(notice)

    def _ended(self, what: str, how: str) -> None:
        end = self.ends.get(what)
        if end is not None and not end.done():
            end.set_result(how)

    def stamp(self) -> dict[str, Any]:
        """Return id and time of an event."""
        return {"id": self._clock.new_id(), "at": self._clock.now()}
