"""The wire between the service and the simulated PBX. This one is perfect but for a delay.""" ""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from adapters.simulator.parts import Notice
from adapters.simulator.world import SimWorld
from telephony.errors import PbxTimeoutError, PbxUnreachableError

T = TypeVar("T")
DELAY_S = 0.003


class Link:
    """Commands one way, notices the other.

    Attributes:
        world: the PBX at its end.
    """

    def __init__(self, world: SimWorld, delay_s: float = DELAY_S) -> None:
        self.world = world
        self._delay_s = delay_s
        self._up = asyncio.Event()
        self._up.set()
        self._cut = asyncio.Event()

    @property
    def is_up(self) -> bool:
        """Tell whether commands can be sent."""
        return self._up.is_set() and self.world.is_running

    def go_down(self) -> None:
        """Cut the wire; whoever has followed the PBX over it must connect anew."""
        self._up.clear()
        self._cut.set()

    def come_up(self) -> None:
        """Mend the wire."""
        self._cut = asyncio.Event()
        self._up.set()

    async def connected(self) -> None:
        """Wait until the wire is whole."""
        await self._up.wait()

    async def cut(self) -> None:
        """Wait until the wire is cut."""
        await self._cut.wait()

    async def ask(self, name: str, do: Callable[[], T]) -> T:
        """Have the PBX do something, and return its reply.

        Raises:
            PbxUnreachableError: nothing was sent.
            PbxTimeoutError: sent, and no reply came.
        """
        if not self.is_up:
            raise PbxUnreachableError(name, "no connection")
        await self.world.time.sleep(self._delay_s)
        if not self.is_up:
            raise PbxTimeoutError(name, "connection lost")
        return do()

    def listen(self, take: Callable[[Notice], None]) -> Callable[[], None]:
        """Have `take` called for the PBX's notices; returns how to stop that."""
        cut = self._cut

        def arrive(notice: Notice) -> None:
            if not cut.is_set() and self.world.is_running:
                take(notice)

        return self.world.listen(arrive)
