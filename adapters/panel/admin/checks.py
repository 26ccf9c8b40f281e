"""Checks of the PBX: what `bagvagt pbx-check` does, on demand, and what the latest one found."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from adapters.panel.admin.runs import Runs
from telephony.ports import Clock

LIMIT_S: Final = 60.0


class Found(Protocol):
    """One finding; fits `adapters.asterisk.findings.Finding`."""

    @property
    def severity(self) -> str:
        """Return "error", "warning" or "unseen"."""
        ...

    @property
    def what(self) -> str:
        """Return what is so."""
        ...

    @property
    def remedy(self) -> str:
        """Return what to do, "" for nothing."""
        ...


Check = Callable[[], Awaitable[Sequence[Found]]]


class PbxChecks:
    """Runs them.

    Attributes:
        runs: the latest.
        check: looks at the PBX and changes nothing; None where there is no PBX to look at.

    Args:
        clock: the time.
        limit_s: after this a check is stopped.
    """

    def __init__(self, clock: Clock, check: Check | None, limit_s: float = LIMIT_S) -> None:
        self.runs: Runs[Sequence[Found]] = Runs("pbx-check", clock, limit_s)
        self.check = check
