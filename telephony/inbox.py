"""What waits for its decision. Ten thousand carriers may answer at once, and timers come due: no key waits behind them.

What people do, and what the PBX shows, comes first, in the order in which it came in. What moves a page by itself comes
after it, that of acute pages before the rest. So is what concerns one call decided in order, and what concerns one page
by itself too; between the two no order is promised, as there is none in the world: a report may be late.
"""

import asyncio
from collections.abc import Callable, Mapping
from itertools import count

from policies import events as ev
from policies.model import Timer
from policies.pages import Page
from policies.rules import Severity

_FIRST, _ACUTE, _LAST = range(3)


class Inbox:
    """Events that wait.

    Args:
        pages: the pages as they are now.
    """

    def __init__(self, pages: Callable[[], Mapping[str, Page]]) -> None:
        self._pages = pages
        self._queue: asyncio.PriorityQueue[tuple[int, int, ev.Event]] = asyncio.PriorityQueue()
        self._count = count()

    def put_nowait(self, event: ev.Event) -> None:
        """Put one in; never blocks."""
        self._queue.put_nowait((self._rank(event), next(self._count), event))

    async def get(self) -> ev.Event:
        """Wait for the next one, and take it out."""
        _rank, _number, event = await self._queue.get()
        return event

    def is_urgent(self, event: ev.Event) -> bool:
        """Tell whether it goes before what moves pages that are not acute."""
        return self._rank(event) < _LAST

    def _rank(self, event: ev.Event) -> int:
        match event:
            case ev.Notified(page=id_) | ev.TimerFired(timer=Timer(entity="page", entity_id=id_)):
                return self._rank_of(id_)
            case ev.MessageReported(message=message):
                return self._rank_of(message.rpartition(".")[0])  # a message is named after its page
            case ev.TimerFired(timer=Timer(entity="proof")) | ev.ActionFinished():
                return _LAST
            case _:
                return _FIRST

    def _rank_of(self, page_id: str) -> int:
        page = self._pages().get(page_id)
        return _ACUTE if page is not None and page.severity is Severity.ACUTE else _LAST
