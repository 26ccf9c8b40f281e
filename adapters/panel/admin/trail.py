"""The audit trail, as the panel reads it: beside the writer, in a thread, and never all of it at once."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Final

from adapters.panel.admin.runs import Runs
from adapters.store import audit
from adapters.store.audit import Found, Wanted
from adapters.store.chain import Head, Verified
from telephony.ports import Clock

VERIFY_LIMIT_S: Final = 300.0
_READERS: Final = 2  # a reader that hangs on a slow disk takes no threads from the rest


class Trail:
    """Reads and checks it.

    Attributes:
        runs: the latest check of the chain.
        checked: how many lines the check that runs has read.

    Args:
        url: the store.
        head: the end of the chain as the service has written it: what was cut off since shows.
        clock: the time.
        limit_s: after this a check is stopped.
    """

    def __init__(self, url: str, head: Callable[[], Head], clock: Clock, limit_s: float = VERIFY_LIMIT_S) -> None:
        self.runs: Runs[Verified] = Runs("audit-verify", clock, limit_s)
        self.checked = 0
        self._url = url
        self._head = head
        self._limit_s = limit_s
        self._stop = threading.Event()
        self._turns = asyncio.Semaphore(_READERS)

    async def read(self, wanted: Wanted, *, most: int, before: int | None = None, after: int | None = None) -> Found:
        """Return some lines, see `adapters.store.audit.read`.

        Raises:
            StoreError: the store cannot be read.
        """
        async with self._turns:
            return await asyncio.to_thread(audit.read, self._url, wanted, most=most, before=before, after=after)

    def verify(self, by: str) -> bool:
        """Begin to check the whole chain; False when a check is running already."""
        return self.runs.start(by, self._verify)

    async def close(self) -> None:
        """Stop a check that runs."""
        self._stop.set()
        await self.runs.close()

    async def _verify(self) -> Verified:
        self.checked = 0
        until = time.monotonic() + self._limit_s
        expected = self._head()

        def progress(count: int) -> None:
            self.checked = count
            if self._stop.is_set() or time.monotonic() > until:
                raise TimeoutError

        found = await asyncio.to_thread(audit.verify, self._url, expected, progress)
        self.checked = found.count
        return found
