"""Ports for instances that run side by side, also from several test processes at once."""

import contextlib
import fcntl
import os
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

# Below Linux's ephemeral range (32768 to 60999), so that nothing else takes an instance's port by chance.
FIRST_PORT = 12_000
PORTS_PER_SLOT = 1_000
SLOTS = 20
RTP_OFFSET = 100


@dataclass
class Slot:
    """A thousand ports of 127.0.0.1 held by one instance until `release`; they survive its restarts."""

    base: int
    lock: int

    @property
    def sip(self) -> int:
        return self.base

    @property
    def ami(self) -> int:
        return self.base + 1

    @property
    def http(self) -> int:
        return self.base + 2

    @property
    def rtp(self) -> tuple[int, int]:
        """First and last UDP port for RTP: room for 450 legs."""
        return self.base + RTP_OFFSET, self.base + PORTS_PER_SLOT - 1

    def phone(self, number: int) -> int:
        """UDP port of the phone with this number, 0 to 79."""
        return self.base + 10 + number

    def release(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self.lock)


def _free(base: int) -> bool:
    """True if nobody outside the lab listens on the slot's fixed ports."""
    for kind, port in (
        (socket.SOCK_DGRAM, base),
        (socket.SOCK_STREAM, base + 1),
        (socket.SOCK_STREAM, base + 2),
    ):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def take() -> Slot:
    """Takes the first slot that is free on this machine.

    Raises:
        RuntimeError: all are in use.
    """
    folder = Path(tempfile.gettempdir()) / f"bagvagt-lab-slots-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for number in range(SLOTS):
        base = FIRST_PORT + number * PORTS_PER_SLOT
        lock = os.open(folder / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            continue
        if _free(base):
            return Slot(base, lock)
        os.close(lock)
    raise RuntimeError(f"all {SLOTS} slots of ports are in use")
