"""The durable timers, in memory: to look at what is due costs no trip to the store, and waits for no stalled one."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping
from datetime import datetime

from policies.model import Timer

_Place = tuple[datetime, str, str, str]
_LAST = "\U0010ffff"  # sorts after every name


class Timers:
    """Timers in the order in which they come due."""

    def __init__(self, standing: Iterable[tuple[Timer, datetime]] = ()) -> None:
        self._due = dict(standing)
        self._order = sorted(_place(timer, due) for timer, due in self._due.items())

    def apply(self, changes: Mapping[Timer, datetime | None]) -> None:
        """Set timers, or set them anew; None drops one."""
        for timer, due in changes.items():
            before = self._due.pop(timer, None)
            if before is not None:
                del self._order[bisect_left(self._order, _place(timer, before))]
            if due is not None:
                self._due[timer] = due
                insort(self._order, _place(timer, due))

    def due(self, now: datetime) -> tuple[Timer, ...]:
        """Return what is due at `now`, oldest first."""
        end = bisect_right(self._order, (now, _LAST, "", ""))
        return tuple(Timer(*place[1:]) for place in self._order[:end])

    def next_due(self) -> datetime | None:
        """Return when the next one is due."""
        return self._order[0][0] if self._order else None


def _place(timer: Timer, due: datetime) -> _Place:
    return due, timer.entity, timer.entity_id, timer.what
