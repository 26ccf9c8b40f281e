"""What the contract suite needs of a world with a PBX in it; real phones on one side, the simulator on the other.

The tests of this folder run over every world, so that the simulator cannot drift from the real Asterisk. A world is a
small contact centre: a caller's number that leads to the queue `support`; agents `agent1` and `agent2` and the phones
`colleague` and `chief`. agent1 is a static member of the queues `support` and `second`, agent2 of `second` alone; the
other two of none. A phone that nobody has seated does not answer. Everybody who is seated talks all the time, each in a
voice of their own, unless muted.

Each kind of world is a module with one function `open_world(folder: Path) -> AbstractAsyncContextManager[World]`:
`tests/contract/asterisk_world.py` and `tests/contract/simulator_world.py`.

Prompts `warning`, `closing`, `brief-takeover`, `brief-confirm` and those of a call about an acute page exist in `da`
and last 1 to 3 s; `nowhere` does not.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

from adapters.paging.voice_call import Caller
from policies.model import LiveCall
from telephony.ports import Pbx, Seen

Answers = Literal["at_once", "never", "busy"]


class Person(Protocol):
    """Somebody with a phone: the caller, an agent, a colleague. Listens all the time."""

    @property
    def name(self) -> str:
        """Who: `caller`, `agent1`, `agent2`, `colleague`, `chief`. Also the name of the person's voice."""
        ...

    @property
    def is_in_call(self) -> bool:
        """Whether the phone is up in a call now."""
        ...

    def listen_anew(self) -> None:
        """Forget what was heard so far."""
        ...

    def has_heard(self, sound: str) -> bool:
        """Tell whether this was heard since `listen_anew`.

        Args:
            sound: a person's name (the voice, for at least 0.2 s and lately), `music` likewise, or a prompt's name
                (the whole of it, from its beginning to its end).
        """
        ...

    def has_heard_any(self, sound: str) -> bool:
        """Tell whether even a part (half a second) of this prompt was heard since `listen_anew`."""
        ...

    def has_heard_keys(self) -> bool:
        """Tell whether a DTMF digit reached this phone since `listen_anew`."""
        ...

    def mute(self, *, on: bool = True) -> None:
        """Send no media at all, as a muted phone or one with silence suppression does."""
        ...

    async def hold(self) -> None:
        """Put the other side on hold."""
        ...

    async def resume(self) -> None:
        """Take the other side back."""
        ...

    async def hang_up(self) -> None:
        """Leave the call."""
        ...

    async def transfer(self, to: str) -> None:
        """Transfer the other side blindly to another person's phone; returns when the PBX has taken it."""
        ...

    async def press(self, keys: str) -> None:
        """Press digits in the call."""
        ...


class World(Protocol):
    """A PBX, its people, and the adapter under test, whose `run` is under way."""

    @property
    def pbx(self) -> Pbx:
        """The adapter under test."""
        ...

    @property
    def page_calls(self) -> Caller:
        """What rings people for pages, of the same adapter."""
        ...

    @property
    def prompts_folder(self) -> Path | None:
        """The prompts of this world; None where the placeholders stand for them."""
        ...

    @property
    def seen(self) -> list[Seen]:
        """Everything that `run` has emitted, oldest first."""
        ...

    async def until(self, condition: Callable[[], object], within_s: float = 5.0, what: str = "") -> None:
        """Let time pass until `condition` is true.

        Raises:
            TimeoutError: it was not, within `within_s` of the world's own time.
        """
        ...

    async def pass_time(self, seconds: float) -> None:
        """Let the world's time pass: for showing that something does *not* happen."""
        ...

    async def seat(self, name: str, answers: Answers = "at_once") -> Person:
        """Put somebody at the phone `name` (an agent, `colleague`, `chief`)."""
        ...

    async def queue_call(self, agent: Person) -> tuple[Person, LiveCall]:
        """A caller rings the queue and `agent`, who is seated and free, answers; both hear each other.

        Returns:
            the caller, and the call as the adapter shows it.
        """
        ...

    async def throw_voice_out(self, call: LiveCall) -> None:
        """Somebody else takes what speaks for Bagvagt out of the call, in the middle; caller and agent talk on."""
        ...

    async def pauses(self, agent: str) -> dict[str, str | None]:
        """What the PBX itself says, past the adapter: queue -> reason of the pause, None where there is no pause."""
        ...

    async def pause_by_hand(self, agent: str, queue: str, reason: str) -> None:
        """Somebody else pauses (reason "lunch") or, with the reason "", unpauses the agent in one queue."""
        ...

    async def lose_connection(self) -> None:
        """Cut the adapter off from the PBX for a moment; calls go on, and the adapter may connect again."""
        ...

    async def kill_pbx(self) -> None:
        """The PBX dies, with all its calls, and stays away."""
        ...

    async def start_pbx(self) -> None:
        """A killed PBX comes back, on the same address, without calls."""
        ...
