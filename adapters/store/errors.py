"""What can go wrong with the store. After each of these nothing was half-written, and a later commit may work."""

from dataclasses import dataclass
from datetime import datetime

from telephony.errors import BagvagtError


@dataclass
class StoreError(BagvagtError):
    """The store did not do what was asked of it.

    Attributes:
        doing: what was asked of it.
        detail: what the database said, in its own words.
    """

    doing: str
    detail: str = ""

    says = "the store failed"

    def __post_init__(self) -> None:
        super().__init__(self.doing, self.detail)

    def __str__(self) -> str:
        return f"{self.doing}: {self.says}" + (f" ({self.detail})" if self.detail else "")


class StoreFullError(StoreError):
    """No room on the disk. Free some; nothing need be restarted."""

    says = "the store's disk is full"


class StoreLockedError(StoreError):
    """Another process held the store for longer than the busy time-out."""

    says = "another process holds the store"


class StoreReadOnlyError(StoreError):
    """The file, its folder or its file system may not be written."""

    says = "the store may not be written"


class StoreCorruptError(StoreError):
    """The file is damaged, is not a database, or holds something that this version cannot read."""

    says = "the store is damaged; restore a backup"


class StoreUnavailableError(StoreError):
    """The store cannot be opened, or its device fails."""

    says = "the store cannot be reached"


class StoreNewerError(StoreError):
    """A later version of Bagvagt has written this store. Install that version, or restore a backup."""

    says = "the store belongs to a later version of Bagvagt"


class StoreClosedError(StoreError):
    """The journal was closed, or its thread has ended."""

    says = "the store is closed"


@dataclass
class StoreInUseError(StoreError):
    """Another Bagvagt, which is alive, works on this store. Stop that one first.

    Attributes:
        pid: its process.
        host: where that runs.
        since: when it took the store.
    """

    pid: int = 0
    host: str = ""
    since: datetime | None = None

    says = "another Bagvagt works on this store; stop that one first"


class StoreFencedError(StoreError):
    """Another Bagvagt has taken the store over while this one slept or hung: this one writes nothing any more."""

    says = "another Bagvagt has taken this store over"


class EntryRefusedError(StoreError):
    """The database refuses this one entry (a constraint: an action id that stands already). Our bug; others go on."""

    says = "the store refuses this entry"
