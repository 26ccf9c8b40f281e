"""The machine's clock, and ids that sort by time."""

import itertools
import secrets
from datetime import UTC, datetime


class SystemClock:
    """Fits `telephony.ports.Clock`."""

    def __init__(self) -> None:
        self._count = itertools.count()
        self._run = secrets.token_hex(3)

    def now(self) -> datetime:
        """Return now, aware UTC."""
        return datetime.now(UTC)

    def new_id(self) -> str:
        """Return milliseconds, this run's own mark, and a count: unique, and sorted by time within a run."""
        ms = int(self.now().timestamp() * 1000)
        return f"{ms:x}{self._run}{next(self._count):x}"
