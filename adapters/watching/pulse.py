"""The proof that the engine still decides, and that the store still answers."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from policies import events as ev
from policies.actions import Action
from policies.state import State
from telephony.engine import Engine


class Pulse:
    """Gives the engine an event without consequence, and waits until it has decided. A `Listener`.

    Args:
        ask_store: asks the journal anything; returns or raises when it answers.

    Attributes:
        engine: whose pulse; set once the engine, which has this as a listener, was made.
    """

    def __init__(self, ask_store: Callable[[], Awaitable[object]]) -> None:
        self.engine: Engine | None = None
        self._ask_store = ask_store
        self._decided = asyncio.Event()

    def decided(self, event: ev.Event, state: State, actions: Iterable[Action]) -> None:  # noqa: ARG002
        """Note that it decides; whatever event it was."""
        self._decided.set()

    async def beat(self) -> None:
        """Return when the engine has decided and the store has answered; never, when one of them hangs.

        Raises:
            BagvagtError: the store's answer is an error.
        """
        if self.engine is not None:
            self._decided.clear()
            # That no channel has come back changes nothing, is not journaled, and is seen by nobody but the listeners.
            self.engine.take(ev.ChannelConnected(**self.engine.stamp(), channel=""))
            await self._decided.wait()
        await self._ask_store()
