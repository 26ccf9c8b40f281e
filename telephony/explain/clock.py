"""Local times, also at the hours when the clocks change."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def local_time(zone: str, at: datetime) -> tuple[datetime, str]:
    """Return `at` in `zone`, and what was made of it when the clocks change at that hour.

    Args:
        zone: IANA name.
        at: local time when it has no zone of its own.
    """
    here = ZoneInfo(zone)
    if at.tzinfo is not None:
        return at.astimezone(here), ""
    first = at.replace(tzinfo=here, fold=0)
    second = first.replace(fold=1)
    real = first.astimezone(UTC).astimezone(here)
    if real.replace(tzinfo=None, fold=0) != at.replace(fold=0):
        return real, f"{at:%H:%M} does not exist on {at:%Y-%m-%d}: the clocks go forward. Taken: {real:%H:%M %Z}."
    if first.utcoffset() != second.utcoffset():
        taken = f"the {'second' if at.fold else 'first'}, {at.replace(tzinfo=here):%H:%M %Z}"
        return at.replace(tzinfo=here), f"{at:%H:%M} comes twice on {at:%Y-%m-%d}: the clocks go back. Taken: {taken}."
    return first, ""
