"""What goes wrong: on the wire to the PBX, at the carriers. Each run has its own mix, drawn from the seed."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import timedelta
from random import Random
from typing import Any, TypeVar

from adapters.simulator.link import Link
from adapters.simulator.parts import Notice
from adapters.simulator.world import SimWorld
from policies import actions as act
from policies import events as ev
from policies.events import Delivery, Report, Says
from policies.model import Outcome
from telephony.errors import PbxTimeoutError, PbxUnreachableError
from telephony.ports import Clock
from tests.simulation.process import Process

T = TypeVar("T")
REPLY_MOST_S = 2.0


@dataclass
class Faults:
    """Which kinds of faults a run has; all off is a healthy world.

    Attributes:
        events: the PBX's notices are lost, late, doubled, out of order.
        commands: requests and replies are lost or late.
        network: the wire is cut now and then.
        pbx: the PBX dies and comes back.
        kills: the service is killed at any step.
        store: the store stalls or fails.
        clock: the service's clock jumps.
        pauses: the PBX refuses pauses.
        media: callers miss announcements.
        carriers: messages are refused, deferred, lost, slow.
    """

    events: bool = False
    commands: bool = False
    network: bool = False
    pbx: bool = False
    kills: bool = False
    store: bool = False
    clock: bool = False
    pauses: bool = False
    media: bool = False
    carriers: bool = False

    @classmethod
    def drawn(cls, rng: Random) -> "Faults":
        """Draw a mix: one run in five is healthy, the others have few kinds or many."""
        if rng.random() < 0.2:
            return cls()
        share = rng.choice((0.15, 0.4, 0.8))
        return cls(**{f.name: rng.random() < share for f in fields(cls)})

    @property
    def none(self) -> bool:
        """Tell whether the world is healthy."""
        return not any(getattr(self, f.name) for f in fields(self))

    def stop(self) -> None:
        """Let nothing more go wrong."""
        for f in fields(self):
            setattr(self, f.name, False)


class FaultyLink(Link):
    """A wire on which requests, replies and notices get lost, late, doubled and out of order."""

    def __init__(self, world: SimWorld, process: Process, faults: Faults, rng: Random) -> None:
        super().__init__(world)
        self._process = process
        self._faults = faults
        self._rng = rng
        self._silent_until = world.time.now()

    def fall_silent(self, for_s: float) -> None:
        """Let every notice get lost for a while; requests and replies go through."""
        self._silent_until = self.world.time.now() + timedelta(seconds=for_s)

    async def ask(self, name: str, do: Callable[[], T]) -> T:
        """Ask as `Link.ask` does, when the wire lets it."""
        await self._process.step()
        fate = self._rng.random() if self._faults.commands and name != "read all" else 1.0
        if fate < 0.03:
            raise PbxUnreachableError(name, "no route")
        if fate < 0.06:
            await asyncio.sleep(REPLY_MOST_S)
            raise PbxTimeoutError(name, "request lost")
        if fate < 0.12:
            return await self._late(name, do, in_time=fate < 0.09)
        reply = await super().ask(name, do)
        await self._process.step()
        return reply

    async def _late(self, name: str, do: Callable[[], T], *, in_time: bool) -> T:
        """The PBX does it, in time or much too late; nobody is told."""
        boot = self.world.boot

        def at_last() -> None:
            if self.world.is_running and self.world.boot == boot:
                self.world.note("late", name)
                do()

        self.world.time.after(0.01 if in_time else self._rng.uniform(2.5, 6.0), at_last)
        await asyncio.sleep(REPLY_MOST_S)
        raise PbxTimeoutError(name, "reply lost")

    def listen(self, take: Callable[[Notice], None]) -> Callable[[], None]:
        """Listen; while notices go astray, each has its own fate."""
        cut = self._cut

        def arrive(notice: Notice) -> None:
            if self._process.is_alive and self.is_up and not cut.is_set():
                take(notice)

        def astray(notice: Notice) -> None:
            fate = self._rng.random() if self._faults.events else 1.0
            if fate < 0.05 or self.world.time.now() < self._silent_until:
                return
            if fate < 0.2:
                self.world.time.after(self._rng.uniform(0.01, 3.0), lambda: arrive(notice))
                return
            arrive(notice)
            if fate < 0.3:
                self.world.time.after(self._rng.uniform(0.0, 1.0), lambda: arrive(notice))

        return super().listen(astray)


@dataclass(frozen=True)
class Attempt:
    """One message that the service handed to a carrier.

    Attributes:
        at: the loop's time.
        notify: the message.
        reached: whether it came to the person.
        delivery: what the carrier said.
    """

    at: float
    notify: act.Notify
    reached: bool
    delivery: Delivery


@dataclass(frozen=True)
class Word:
    """What a person, or a carrier, says of a message later.

    Attributes:
        notify: the message.
        does: "take", "reply", "pass", "mumble"; "delivered" or "failed" is the carrier's.
    """

    notify: act.Notify
    does: str

    def event(self, clock: Clock) -> ev.Event:
        """Return it as the service takes it in."""
        stamp: dict[str, Any] = {"id": clock.new_id(), "at": clock.now()}
        sent = self.notify
        by: dict[str, Any] = {"page": self.notify.page, "by": self.notify.person, "means": self.notify.channel}
        match self.does:
            case "take":
                return ev.PageAnswered(**stamp, **by)
            case "pass":
                return ev.PagePassed(**stamp, **by)
            case "reply" | "mumble":
                says = Says.TAKE if self.does == "reply" else Says.UNCLEAR
                return ev.PageReplied(**stamp, channel=sent.channel, address=sent.address, says=says, code=sent.code)
            case _:
                return ev.MessageReported(**stamp, message=sent.message, report=Report(self.does))


class Carriers:
    """Everything that reaches people, and the people: they answer pages, or do not. Survives the service's kills.

    Attributes:
        attempts: everything handed over, oldest first.
        answered: page -> when a person's answer was handed to the service.
        patience: chance that a person who was reached answers.
    """

    def __init__(self, rng: Random, faults: Faults) -> None:
        self.attempts: list[Attempt] = []
        self.answered: dict[str, float] = {}
        self.stood_down: list[act.StandDown] = []
        self.replied: list[act.ReplyTo] = []
        self.patience = 0.3
        self.rng = rng
        self.faults = faults
        self.words: asyncio.Queue[Word] = asyncio.Queue()

    def take(self, notify: act.Notify) -> tuple[float, Delivery]:
        """Take a message; returns how long the carrier needs, and what it says."""
        fate = self.rng.random() if self.faults.carriers else 1.0
        slow_s = 0.05 if fate > 0.3 else self.rng.choice((0.05, 3.0, 45.0))
        delivery = Delivery.SENT
        if fate < 0.1:
            delivery = Delivery.DEFERRED
        elif fate < 0.15:
            delivery = Delivery.REFUSED
        elif fate < 0.25:
            delivery = Delivery.UNKNOWN
        reached = delivery is Delivery.SENT and fate >= 0.35
        reached = reached or (delivery is Delivery.UNKNOWN and self.rng.random() < 0.5)
        now = asyncio.get_running_loop().time()
        self.attempts.append(Attempt(now, notify, reached, delivery))
        if self.faults.carriers and self.rng.random() < 0.3:
            self._later(Word(notify, "delivered" if reached else "failed"))
        if reached and self.rng.random() < self.patience:
            self._later(Word(notify, self.rng.choice(("take", "reply"))))
        elif reached and self.faults.carriers and self.rng.random() < 0.2:
            self._later(Word(notify, self.rng.choice(("pass", "mumble"))))
        return slow_s, delivery

    def _later(self, word: Word) -> None:
        asyncio.get_running_loop().call_later(self.rng.uniform(1.0, 90.0), self.words.put_nowait, word)


class FakePager:
    """Fits `telephony.ports.Pager` for one process."""

    def __init__(self, carriers: Carriers, process: Process, clock: Clock) -> None:
        self._carriers = carriers
        self._process = process
        self._clock = clock

    async def run(self, emit: Callable[[ev.Event], None]) -> None:
        """Take in answers; one that the service was not there for is kept for it."""
        while True:
            word = await self._carriers.words.get()
            if not self._process.is_alive:
                self._carriers.words.put_nowait(word)
                return
            if word.does in ("take", "reply"):
                self._carriers.answered.setdefault(word.notify.page, asyncio.get_running_loop().time())
            emit(word.event(self._clock))

    async def notify(self, action: act.Notify) -> ev.Notified:
        """Send one message."""
        await self._process.step()
        takes_s, delivery = self._carriers.take(action)
        await self._process.step()
        await asyncio.sleep(takes_s)
        return ev.Notified(
            id=self._clock.new_id(), at=self._clock.now(), action=action.id, page=action.page, delivery=delivery
        )

    async def stand_down(self, action: act.StandDown) -> ev.ActionFinished:
        """Tell those who were paged who has it."""
        await self._process.step()
        self._carriers.stood_down.append(action)
        return self._done(action)

    async def reply(self, action: act.ReplyTo) -> ev.ActionFinished:
        """Answer a reply."""
        await self._process.step()
        self._carriers.replied.append(action)
        return self._done(action)

    def _done(self, action: act.Action) -> ev.ActionFinished:
        return ev.ActionFinished(id=self._clock.new_id(), at=self._clock.now(), action=action.id, outcome=Outcome.DONE)
