"""Who may write to the store: one process at a time, by a lease with a fencing epoch (docs/adr/0008-store-lease.md).

Whoever opens the store takes the lease, with an epoch that is one higher. Each transaction of the service looks at the
epoch first: a process that slept, while another took its place, writes nothing when it wakes. The lease is renewed by
the journal's own thread. That it has lapsed harms nobody by itself; it only lets somebody else take it.

A holder whose process is gone is replaced at once, so that a restart need not wait. Where that cannot be known (another
machine, another container, another boot) two things count: what the holder's clock said, and what is seen by waiting,
since clocks err. Times are compared in no other way.
"""

import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, select, update

from adapters.store.database import Driver, Prepared, upsert
from adapters.store.errors import StoreFencedError, StoreInUseError
from adapters.store.schema import LEASE

LEASE_S = 15.0
"""How long a holder may be silent before another takes the store, where nobody can tell whether it lives."""

BOOT_ID = "BAGVAGT_BOOT_ID"
"""Environment variable with the boot's id, where /proc does not show it."""

_NAME = "service"
_RENEWALS = 5  # in the time of a lease
_DYING_S = 0.5  # a process that was just killed may be seen for a moment
_ROW = select(LEASE).where(LEASE.c.name == _NAME)
_EPOCH = Prepared(select(LEASE.c.epoch).where(LEASE.c.name == _NAME))
_OURS = update(LEASE).where(LEASE.c.name == bindparam("of"), LEASE.c.epoch == bindparam("ours"))
_RENEW = Prepared(_OURS.values(renewed_at=bindparam("now")))
_GIVE_BACK = Prepared(_OURS.values(machine=bindparam("nowhere")))


@dataclass(frozen=True, slots=True)
class Process:
    """A process, named so that another one can tell whether it still lives.

    Attributes:
        host: for people.
        machine: boot and PID namespace, within which `pid` means something; "" where that is not known.
        pid: its number.
        born: clock ticks from the boot to its start, as `/proc/PID/stat` has it.
    """

    host: str
    machine: str
    pid: int
    born: int

    @classmethod
    def this(cls) -> "Process":
        """Return this process."""
        machine = ""
        with suppress(OSError):
            # A unit that hides /proc/sys (ProcSubset=pid) hands the boot over: else a killed holder is waited out.
            boot = os.environ.get(BOOT_ID) or Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
            machine = f"{boot.strip().replace('-', '')} {Path('/proc/self/ns/pid').readlink()}"
        return cls(socket.gethostname(), machine, os.getpid(), _stat(os.getpid())[1])


class Claim:
    """The try to take the lease. Asked again and again, it ends with an epoch or an error.

    Args:
        lease_s: see `LEASE_S`.
        me: who takes it.
    """

    def __init__(self, lease_s: float, me: Process) -> None:
        self._lease_s = lease_s
        self._me = me
        self._first: tuple[Any, ...] | None = None
        self._watched_since_s = 0.0

    def attempt(self, connection: Connection) -> int | None:
        """Return the epoch, once the lease is taken; None while it is not clear whether its holder lives.

        Raises:
            StoreInUseError: the holder lives.
        """
        now = datetime.now(UTC)
        try:
            row = connection.execute(_ROW).mappings().one_or_none()
            epoch = 1 if row is None else int(row["epoch"]) + 1
        except (TypeError, ValueError):  # damaged: nobody can say whose it is, and whoever holds it is fenced out
            row, epoch = None, int(now.timestamp())  # more than anybody has counted to
        if row is not None and self._lives(row, now):
            return None
        me = self._me
        mine = {"host": me.host, "machine": me.machine or "unknown", "pid": me.pid, "born": me.born}
        connection.execute(upsert(LEASE), {"name": _NAME, "epoch": epoch, **mine, "since": now, "renewed_at": now})
        return int(epoch)

    def _lives(self, row: RowMapping, now: datetime) -> bool:
        """Tell whether the holder lives, as far as it is known by now."""
        here = row["machine"] == self._me.machine
        if not row["machine"] or (here and _is_gone(row["pid"], row["born"])):
            return False
        seen = (row["epoch"], row["renewed_at"])
        if self._first is None:
            self._first, self._watched_since_s = seen, time.monotonic()
        watched_s = time.monotonic() - self._watched_since_s
        silent = now - row["renewed_at"] > timedelta(seconds=self._lease_s)
        if seen != self._first or (here and not silent and watched_s > min(_DYING_S, self._lease_s)):
            raise _in_use(row)
        return watched_s <= self._lease_s and (here or not silent)


class Lease:
    """The lease in the hands of the journal's thread.

    Args:
        epoch: as it was taken.
        lease_s: see `LEASE_S`.
    """

    def __init__(self, epoch: int, lease_s: float) -> None:
        self.epoch = epoch
        self._every_s = lease_s / _RENEWALS
        self._next_s = 0.0
        self.put_off()

    @property
    def due_in_s(self) -> float:
        """Seconds until it is to be renewed."""
        return max(0.0, self._next_s - time.monotonic())

    def put_off(self) -> None:
        """Renew it one interval from now, and not before: a store that fails need not be pressed."""
        self._next_s = time.monotonic() + self._every_s

    def check(self, driver: Driver) -> None:
        """Make sure, in the transaction that has begun, that the lease is still ours; renew it when that is due.

        Raises:
            StoreFencedError: it is not.
        """
        found = _EPOCH.ask(driver)
        if not found or found[0][0] != self.epoch:
            raise StoreFencedError("using the journal", f"epoch {self.epoch}, and now {found[0][0] if found else None}")
        if not self.due_in_s:
            self.put_off()
            _RENEW.run(driver, [{"of": _NAME, "ours": self.epoch, "now": datetime.now(UTC)}])

    def give_back(self, driver: Driver) -> None:
        """Let the next one take it without a wait."""
        _GIVE_BACK.run(driver, [{"of": _NAME, "ours": self.epoch, "nowhere": ""}])


def _in_use(row: RowMapping) -> StoreInUseError:
    since = row["since"].isoformat(sep=" ", timespec="seconds")
    who = f"process {row['pid']} on {row['host']}, since {since}"
    return StoreInUseError("opening the store", who, pid=row["pid"], host=row["host"], since=row["since"])


def _is_gone(pid: int, born: int) -> bool:
    """Tell whether a process of this machine has ended; one that nobody has waited for yet has ended too."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # somebody else's, and there
    state, began = _stat(pid)
    return state in {"Z", "X"} or 0 != began != born != 0


def _stat(pid: int) -> tuple[str, int]:
    """Return a process's state and start (proc(5)); ("", 0) where it may not be read."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return fields[0], int(fields[19])
    except (OSError, IndexError, ValueError):
        return "", 0
