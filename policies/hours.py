"""The clock on the wall as instants, and the hours of an office.

A local time is read as RFC 5545 §3.3.5 says: one that the clocks jump over counts with the offset before the jump
(02:30 becomes 03:30), and of one that comes twice the first is meant. Whatever has a beginning and an end includes the
one and excludes the other.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
_JUMP_MOST_H = 3


@lru_cache(maxsize=4096)  # a look some weeks ahead asks for the same hand-offs and hours again and again
def instant(zone: ZoneInfo, day: date, clock: time) -> datetime:
    """Return when it is `clock` on `day` in `zone`, in UTC."""
    return datetime.combine(day, clock, zone).astimezone(UTC)


class When(StrEnum):
    """When a step of a page plan, or a rotation, is used."""

    ALWAYS = "always"
    OFFICE = "office"
    OUTSIDE = "outside"

    def covers(self, *, is_open: bool) -> bool:
        """Tell whether this is one of the times at which the office is open, or closed."""
        return self is When.ALWAYS or (self is When.OFFICE) is is_open


@dataclass(frozen=True, slots=True)
class OfficeHours:
    """When the office is open, in its own zone. Public holidays are closed days.

    Attributes:
        zone: IANA name.
        hours: weekday (0 = Monday) -> opening and closing times; `time.max` closes at the end of the day.
        holidays: closed dates.
    """

    zone: str = "Europe/Copenhagen"
    hours: Mapping[int, tuple[tuple[time, time], ...]] = field(default_factory=dict)
    holidays: frozenset[date] = frozenset()

    def is_open(self, at: datetime) -> bool:
        """Tell whether the office is open at `at` (aware)."""
        local = at.astimezone(ZoneInfo(self.zone))
        today = local.date()
        # Yesterday's too, after midnight: a closing time that the clocks jump over at midnight comes after it.
        days = (today - DAY, today) if local.hour < _JUMP_MOST_H else (today,)
        return any(opens <= at < closes for day in days for opens, closes in self.spans(day))

    def spans(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """Return each opening and closing of `day`, in UTC."""
        if day in self.holidays:
            return
        zone = ZoneInfo(self.zone)
        for opens, closes in self.hours.get(day.weekday(), ()):
            end = instant(zone, day + DAY, time()) if closes == time.max else instant(zone, day, closes)
            yield instant(zone, day, opens), end
