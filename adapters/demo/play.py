"""A phone in your own hands: callers ring without end, and your keys are those of the policy."""

import asyncio
import itertools
from dataclasses import dataclass
from datetime import timedelta

from adapters.demo.stage import QUEUE, Stage
from adapters.demo.visitors import YOU
from adapters.paging.mqtt_codec import PersonPage
from adapters.simulator.parts import Leg

HINT = "keys:  w warn, and later end   c colleague   h chief   s suicide   b end your break   q quit"
_KEYS = {"w": "warn", "c": "colleague", "h": "chief", "s": "suicide", "b": "back"}
_OWN = "yours"  # a queue of your own, so that nobody else takes your callers
_SPEAKS_EVERY_S = 8.0
_TAKER_STAYS_S = 6.0


@dataclass(frozen=True, slots=True)
class Persona:
    """Somebody who rings.

    Attributes:
        who: for the narration.
        lines: what they say, one after the other; then they hang up.
        rounds: how often they say all of it.
    """

    who: str
    lines: tuple[str, ...]
    rounds: int = 1


_PERSONAS = (
    Persona(
        "angry caller",
        (
            "Finally! How long does one have to wait for you idiots?",
            "Are you even listening, you cow?",
            "I'll go on shouting as long as I like!",
            "Useless. You are all useless.",
            "You people make me sick.",
            "Say something, stupid!",
        ),
        rounds=3,
    ),
    Persona(
        "old man",
        (
            "Good evening. My wife always did these letters.",
            "She died in January. I don't understand what they want from me.",
            "Sometimes I think there's no point any more in going on.",
            "Are you still there?",
            "Thank you for listening.",
        ),
    ),
    Persona(
        "man who demands the chief",
        (
            "I want your superior. Now.",
            "I don't talk to the likes of you.",
            "Are you deaf? Your chief!",
            "I have all night, you know.",
        ),
        rounds=3,
    ),
)


class Play:
    """Callers for you, and keys in your hands.

    Args:
        stage: the world.
        keys: what you press.
    """

    def __init__(self, stage: Stage, keys: "asyncio.Queue[str]") -> None:
        self._stage = stage
        self._keys = keys
        self._page_seen = len(stage.shown)

    async def run(self) -> None:
        """Go on until you press q."""
        s = self._stage
        s.narrator.heading(
            "Your turn: you are the agent", f"Callers ring, and your phone answers by itself.{s.invitation}"
        )
        self._people()
        async with asyncio.TaskGroup() as tasks:
            others = [
                tasks.create_task(self._callers(), name="callers"),
                tasks.create_task(self._backup(), name="backup"),
            ]
            await self._follow_keys()
            for task in others:
                task.cancel()

    def _people(self) -> None:
        s = self._stage
        s.people.agent(YOU, _OWN, answers_after_s=1.0)
        for name in ("ida", "jonas"):
            s.people.agent(name, QUEUE, answers_after_s=1.5)
            s.world.phones[f"PJSIP/{name}"].answers_after_s = 1.5
        s.people.phone("PJSIP/mette", answers_after_s=2.0)
        s.chronicle.introduce("PJSIP/mette", "Mette (chief)")

    async def _follow_keys(self) -> None:
        s = self._stage
        while True:
            pressed = await self._keys.get()
            if pressed == "q":
                s.narrator.note("You quit. Good night.")
                return
            if pressed in _KEYS:
                s.press(YOU, _KEYS[pressed])
            elif pressed.isprintable() and not pressed.isspace():
                s.narrator.note(HINT)

    async def _callers(self) -> None:
        s = self._stage
        for count, persona in enumerate(itertools.cycle(_PERSONAS)):
            await s.time.sleep(2)
            caller = s.call(persona.who, f"+4520102{count % 1000:03d}", _OWN)
            await self._connected(caller)
            s.narrator.note(HINT)
            await self._talks(caller, persona)

    async def _connected(self, caller: Leg) -> None:
        s = self._stage
        is_told = False
        while s.agent_of(caller) is None:
            s.service.look()
            if not is_told and any(m.paused for m in s.world.queues.of(YOU)):
                is_told = True
                s.narrator.line("you", f"You have a break; {s.chronicle.of(caller)} waits. (b ends your break.)")
            await s.time.sleep(0.1)

    async def _talks(self, caller: Leg, persona: Persona) -> None:
        s = self._stage
        for line in persona.lines * persona.rounds:
            if not self._is_mine(caller):
                break
            s.says(caller, line)
            await self._while_mine(caller, _SPEAKS_EVERY_S)
        if caller.bridge is not None and not self._is_mine(caller):
            await s.time.sleep(_TAKER_STAYS_S)  # with whoever took the call over
        while caller.is_up and caller.bridge is None:
            await s.time.sleep(0.1)  # hears the closing message
        if caller.is_up:
            s.people.hangs_up(caller)

    async def _while_mine(self, caller: Leg, seconds: float) -> None:
        until = self._stage.time.now() + timedelta(seconds=seconds)
        while self._is_mine(caller) and self._stage.time.now() < until:
            await self._stage.time.sleep(0.1)

    def _is_mine(self, caller: Leg) -> bool:
        return caller in self._stage.world.talks_with(YOU)

    async def _backup(self) -> None:
        """Anna sleeps; Bo answers. Whoever else is reached answers too, unless a person is at the duty desk."""
        s = self._stage
        while True:
            await s.time.sleep(0.2)
            fresh, self._page_seen = s.shown[self._page_seen :], len(s.shown)
            for person, page in fresh:
                if isinstance(page, PersonPage) and person != "anna" and not s.is_desk_taken:
                    await s.time.sleep(2)
                    await s.phones.take(page, person)
