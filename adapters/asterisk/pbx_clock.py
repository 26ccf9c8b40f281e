"""When the PBX saw a key: by its own clock, told in ours.

An event that lies in a stopped reader, or on a link that stands still, says nothing of its age, and an ending key that
is old is not obeyed. So the snippets' key events carry `At: ${EPOCH}`, and how far the PBX's clock is from ours is
measured by the Pings that keep AMI alive: their reply has the PBX's time. Ours is the monotonic clock, so that a jump
of the wall clock makes no key old.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from adapters.asterisk.ami_codec import Message

PROMPT_S: Final = 1.0
"""A reply that took longer tells too little of the PBX's time."""
_DIGITS: Final = 12
_LONGEST_S: Final = 86400.0  # of an age; only a clock that was set is further off


class PbxClock:
    """The PBX's clock as seen from here.

    Args:
        now: aware UTC.
        monotonic: seconds that never jump.
    """

    def __init__(self, now: Callable[[], datetime], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._monotonic = monotonic
        self._ahead_s: float | None = None

    def pong(self, reply: Message, took_s: float) -> None:
        """Take a Ping's reply.

        Args:
            reply: with `Timestamp: <seconds>.<microseconds>`, Asterisk's `gettimeofday`.
            took_s: from the Ping to its reply.
        """
        try:
            at = float(reply.get("Timestamp"))
        except ValueError:
            return
        if took_s <= PROMPT_S or self._ahead_s is None:
            self._ahead_s = self._monotonic() - at

    def when(self, stamp: str) -> datetime:
        """Return when something was that the PBX stamped with `${EPOCH}`, never later than now.

        The stamp is in whole seconds: what may be younger is taken for younger. Without one (an include of an older
        Bagvagt, which `pbx-check` names) it is now.
        """
        now = self._now()
        if self._ahead_s is None or not (stamp.isascii() and stamp.isdecimal() and len(stamp) < _DIGITS):
            return now
        ago_s = self._monotonic() - (int(stamp) + 1 + self._ahead_s)
        return now - timedelta(seconds=min(max(0.0, ago_s), _LONGEST_S))
