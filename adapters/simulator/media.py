"""What the world's phones hear, and how many packets went to each leg: what came through, not what was asked."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from adapters.simulator.parts import PACKETS_PER_S, Bridge, Leg, Place, Sound
from adapters.simulator.timing import LoopTime


@dataclass(slots=True, eq=False)
class Play:
    """A prompt that runs, in a bridge or to one leg.

    Attributes:
        id: given by whoever asked for it.
        what: as in `Sound`.
        length_s: how long.
        began: when.
        bridge: where, or None when it is for one leg.
        leg: for whom, or None when it is for a bridge.
        ears: what each leg has heard of it so far, by leg id.
        since: when `ears` was last brought up to date.
        done: called at the end with "done", "stopped" or "failed".
        timer: its end.
    """

    id: str
    what: str
    length_s: float
    began: datetime
    bridge: Bridge | None
    leg: Leg | None
    done: Callable[[str], None]
    since: datetime
    ears: dict[str, Sound] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None

    def listeners(self) -> list[Leg]:
        """Return who is being played to now."""
        if self.bridge is not None:
            return [leg for leg in self.bridge.legs if not leg.deaf]
        return [self.leg] if self.leg is not None and self.leg.is_up and not self.leg.deaf else []


class Media:
    """All that runs, all that is heard."""

    def __init__(self, time: LoopTime) -> None:
        self._time = time
        self.plays: dict[str, Play] = {}

    def play(
        self,
        play_id: str,
        what: str,
        length_s: float,
        *,
        bridge: Bridge | None = None,
        leg: Leg | None = None,
        done: Callable[[str], None] = lambda _state: None,
    ) -> None:
        """Begin to play; `done` is called once, at its end or when it is stopped."""
        now = self._time.now()
        play = Play(play_id, what, length_s, now, bridge, leg, done, now)
        self.plays[play_id] = play
        play.timer = self._time.after(length_s, lambda: self.stop(play_id, "done"))

    def stop(self, play_id: str, state: str = "stopped") -> bool:
        """End a prompt; False when there is none of that id."""
        play = self.plays.get(play_id)
        if play is None:
            return False
        self.settle(play.bridge.legs if play.bridge else [play.leg] if play.leg else [])
        del self.plays[play_id]
        if play.timer is not None:
            play.timer.cancel()
        play.done(state)
        return True

    def leave(self, leg: Leg) -> None:
        """Let go of what was played to one leg alone."""
        for play in [p for p in self.plays.values() if p.leg is leg]:
            self.stop(play.id)

    def dissolved(self, bridge: Bridge) -> None:
        """Let go of what was played into a bridge that is no more."""
        for play in [p for p in self.plays.values() if p.bridge is bridge]:
            self.stop(play.id)

    def settle(self, legs: list[Leg]) -> None:
        """Bring ears and packet counts up to date; called before anything changes around `legs`."""
        now = self._time.now()
        for play in self.plays.values():
            self._hear(play, now)
        for leg in legs:
            passed_s = (now - leg.packets_at).total_seconds() if leg.packets_at is not None else 0.0
            if passed_s and self._is_sent_something(leg):
                leg.packets += passed_s * PACKETS_PER_S
            if passed_s and not leg.deaf:
                for voice in _voices(leg):
                    leg.phone.voices[voice] = leg.phone.voices.get(voice, 0.0) + passed_s
            leg.packets_at = now

    def _hear(self, play: Play, now: datetime) -> None:
        passed_s = (now - play.since).total_seconds()
        here = play.bridge.legs if play.bridge else []
        company = frozenset(x.phone.agent for x in here if x.phone.agent is not None)
        for leg in play.listeners():
            ear = play.ears.get(leg.id)
            if ear is None:
                ear = play.ears[leg.id] = Sound(play.what, play.since, 0.0, play.length_s, company)
                leg.phone.heard.append(ear)
            ear.heard_s += passed_s
            ear.company &= company
        play.since = now

    def _is_sent_something(self, leg: Leg) -> bool:
        if leg.deaf or not leg.is_up:
            return False
        if leg.place in (Place.QUEUE, Place.MUSIC) or leg.held:
            return True
        if any(p.leg is leg or (p.bridge is not None and p.bridge is leg.bridge) for p in self.plays.values()):
            return True
        return leg.bridge is not None and any(not other.muted for other in leg.bridge.legs if other is not leg)


def _voices(leg: Leg) -> list[str]:
    """Return whom a leg hears now; hold cuts both ways, and gives the held one music."""
    if leg.place in (Place.QUEUE, Place.MUSIC) or leg.held:
        return ["music"]
    others = leg.bridge.legs if leg.bridge is not None else []
    return [x.phone.endpoint for x in others if x is not leg and not x.muted and not x.held]
