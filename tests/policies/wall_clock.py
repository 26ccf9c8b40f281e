"""A second opinion on local times: by trying offsets, without what `datetime` makes of gaps and folds."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

ZONES = (
    "Europe/Copenhagen",
    "Europe/Stockholm",
    "Europe/Helsinki",
    "Europe/Oslo",
    "Atlantic/Reykjavik",
    "Atlantic/Faroe",
    "America/Nuuk",
)
_FAR = timedelta(hours=36)


def offset(zone: str, at: datetime) -> timedelta:
    """Return how far `zone` is from UTC at a time in UTC."""
    found = at.astimezone(ZoneInfo(zone)).utcoffset()
    assert found is not None
    return found


def clock_shows(zone: str, day: date, clock: time) -> datetime:
    """Return when the wall clock shows `clock` on `day`: the first time; a time that is jumped over, from before."""
    naive = datetime.combine(day, clock)
    around = naive.replace(tzinfo=UTC)
    before, after = offset(zone, around - _FAR), offset(zone, around + _FAR)
    times = sorted((naive - by).replace(tzinfo=UTC) for by in {before, after})
    shown = [at for at in times if (at + offset(zone, at)).replace(tzinfo=None) == naive]
    return shown[0] if shown else (naive - before).replace(tzinfo=UTC)


@cache
def changes(zone: str) -> tuple[date, ...]:
    """Return every local date from 2020 to 2040 in or before which the clocks change."""
    found = []
    for number in range(21 * 366):
        noon = datetime(2020, 1, 1, 12, tzinfo=UTC) + timedelta(days=number)
        if offset(zone, noon) != offset(zone, noon + timedelta(days=1)):
            found += [noon.date(), noon.date() + timedelta(days=1)]
    return tuple(found)
