"""Calls about pages on the simulated PBX: the wire to them, and what the PBX and the people rung do of themselves."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from adapters.paging.voice_call import TONES, About, Heard, News, Standing, Words
from adapters.simulator.following import Follower
from adapters.simulator.link import Link
from adapters.simulator.parts import SERVICE, Leg, PagedShown, Place, Role
from adapters.simulator.world import SimWorld
from policies.model import LegId
from telephony.errors import LegGoneError, PbxRejectedError

ALIVE_S = 20.0
PAUSE_S = 1.0
_HEARD = {"answered": Heard.ANSWERED, "key": Heard.KEY, "said": Heard.SAID, "gone": Heard.GONE}
_PBX_ENDS = "nobody spoke"


class SimulatedCaller:
    """Fits `adapters.paging.voice_call.Caller`.

    Args:
        world: the PBX's own truth.
        link: the wire.
        follower: who listens at its end.
    """

    def __init__(self, world: SimWorld, link: Link, follower: Follower) -> None:
        self._world, self._link, self._follower = world, link, follower
        self._phones = PagePhones(world)

    async def connected(self) -> asyncio.Event:
        """Wait until the PBX is seen; return what is set when it is not any more."""
        await self._follower.is_up.wait()
        return self._follower.lost

    @contextlib.contextmanager
    def follow(self, told: Callable[[News], None]) -> Iterator[None]:
        """Have `told` called with what happens."""
        self._follower.paged = lambda shown: told(News(shown.leg, _HEARD[shown.what], shown.detail))
        try:
            yield
        finally:
            self._follower.paged = lambda _shown: None

    async def standing(self) -> Mapping[LegId, Standing]:
        """Read our calls."""

        def read() -> dict[LegId, Standing]:
            ours = [leg for leg in self._world.legs.values() if leg.role is Role.PAGED]
            return {
                leg.id: Standing(
                    leg.id, leg.about if isinstance(leg.about, About) else None, leg.place is not Place.RINGING
                )
                for leg in ours
            }

        return await self._link.ask("legs", read)

    async def place(self, leg: LegId, about: About, *, ring_s: float, caller_id: str) -> bool:  # noqa: ARG002 -- nobody looks
        """Ring somebody; False when this leg is there already."""
        return await self._link.ask("originate", lambda: self._phones.ring(leg, about, ring_s))

    async def say(self, leg: LegId, words: Words, lasts_s: float, *, is_last: bool = False) -> None:
        """Silence what plays, and play these."""
        if not await self._link.ask("play", lambda: self._phones.say(leg, words, lasts_s, is_last=is_last)):
            raise LegGoneError("play", "no such leg")

    async def hang_up(self, leg: LegId) -> None:
        """End a call, ringing or up."""
        await self._link.ask("hang up", lambda: self._phones.hang_up(leg))


class PagePhones:
    """What the PBX does with such calls, and the people at the phones."""

    def __init__(self, world: SimWorld) -> None:
        self._world = world

    def ring(self, leg_id: LegId, about: About, ring_s: float) -> bool:
        """Ring a phone; False when this leg is there already.

        Raises:
            PbxRejectedError: there is no such phone.
        """
        world = self._world
        if leg_id in world.legs:
            return False
        phone = world.phones.get(about.address)
        if phone is None:
            raise PbxRejectedError("originate", "the PBX has no such endpoint, or cannot reach it")
        leg = world.make_leg(phone, Role.PAGED, Place.RINGING, leg_id)
        leg.about = about
        world.note("paged", leg.id, SERVICE, about.announcement)
        if phone.is_busy:
            world.time.after(0.0, partial(world.end, leg, "busy"))
            return True
        world.time.after(ring_s, partial(self._not_answered, leg))
        if phone.answers_after_s is not None:
            world.time.after(phone.answers_after_s, partial(self.answers, leg))
        return True

    def answers(self, leg: Leg) -> None:
        """Let one who is rung pick up, and press the keys that the phone's owner presses."""
        if leg.place is not Place.RINGING:
            return
        self._world.put(leg, Place.BRIEF)
        self._world.tell(PagedShown(leg.id, "answered"))
        self._bound(leg, ALIVE_S)
        for number, key in enumerate(leg.phone.presses, 1):
            self._world.time.after(number * leg.phone.presses_after_s, partial(self.presses, leg, key))

    def presses(self, leg: Leg, key: str) -> None:
        """Let one who listens press a key."""
        if leg.place is Place.BRIEF:
            self._world.note("pressed", leg.id, leg.phone.endpoint, key)
            self._world.tell(PagedShown(leg.id, "key", key))

    def say(self, leg_id: LegId, words: Words, lasts_s: float, *, is_last: bool = False) -> bool:
        """Silence what plays, and play these; False when there is no such leg."""
        leg = self._world.legs.get(leg_id)
        if leg is None or leg.place is not Place.BRIEF:
            return False
        self._world.media.leave(leg)
        self._bound(leg, lasts_s + ALIVE_S)
        if is_last:
            leg.about = None
        self._say(leg, tuple(words))
        return True

    def _say(self, leg: Leg, words: Sequence[tuple[str, str]]) -> None:
        if not words:
            self._world.tell(PagedShown(leg.id, "said"))
            return
        (name, language), *rest = words
        what = f"tone:{name}" if language == TONES else f"prompt:{name}:{language}"
        length_s = PAUSE_S if language == TONES else self._world.length_s(name, language) or 0.0

        def then(state: str) -> None:
            if state == "done":
                self._say(leg, rest)

        self._world.settle()
        self._world.media.play(f"page-{leg.id}", what, length_s, leg=leg, done=then)

    def hang_up(self, leg_id: LegId) -> bool:
        """End a call because the service asked; False when it is gone."""
        leg = self._world.legs.get(leg_id)
        if leg is not None:
            self._world.end(leg, "service", SERVICE)
        return leg is not None

    def _not_answered(self, leg: Leg) -> None:
        if leg.place is Place.RINGING:
            self._world.end(leg, "no answer")

    def _bound(self, leg: Leg, seconds: float) -> None:
        """End the call by itself unless something is said until then, as TIMEOUT(absolute) does."""
        due = leg.joined_at = self._world.time.now()

        def end() -> None:
            if leg.is_up and leg.joined_at == due:
                self._world.end(leg, _PBX_ENDS)

        self._world.time.after(seconds, end)
