"""The durable timers, in memory: to look at what is due costs no trip to the store, and waits for no stalled one.

Urgent ones (of calls, and of acute pages) come first, however many others are overdue.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from policies.model import Timer

_Place = tuple[datetime, str, str, str]


class Due(NamedTuple):
    """When a timer is due.

    Attributes:
        at: when.
        urgent: it goes before those that are not.
    """

    at: datetime
    urgent: bool


class Timers:
    """Timers in the order in which they are to fire."""

    def __init__(self, standing: Iterable[tuple[Timer, Due]] = ()) -> None:
        self._due = dict(standing)
        self._urgent: list[_Place] = []
        self._others: list[_Place] = []
        for timer, due in self._due.items():
            self._order(due).append(_place(timer, due))
        self._urgent.sort()
        self._others.sort()

    def apply(self, changes: Mapping[Timer, Due | None]) -> None:
        """Set timers, or set them anew; None drops one."""
        for timer, due in changes.items():
            before = self._due.pop(timer, None)
            if before is not None:
                order = self._order(before)
                del order[bisect_left(order, _place(timer, before))]
            if due is not None:
                self._due[timer] = due
                insort(self._order(due), _place(timer, due))

    def due(self, now: datetime) -> Iterator[Timer]:
        """Return what is due at `now`, urgent ones first, else oldest first. They must be taken before any change."""
        for order in (self._urgent, self._others):
            for place in order:
                if place[0] > now:
                    break
                yield Timer(*place[1:])

    def next_due(self) -> datetime | None:
        """Return when the next one is due."""
        return min((order[0][0] for order in (self._urgent, self._others) if order), default=None)

    def _order(self, due: Due) -> list[_Place]:
        return self._urgent if due.urgent else self._others


def _place(timer: Timer, due: Due) -> _Place:
    return due.at, timer.entity, timer.entity_id, timer.what
