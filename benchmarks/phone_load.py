"""Calls with real RTP both ways, in a process of their own: the load beside which something is measured.

The phones are the lab's; only their RTP is sent otherwise. One task for all legs, in ten groups 2 ms apart, sends each
leg's packet every 20 ms with absolute deadlines, and empties each leg's socket once a second: what came is counted, not
looked at. A task for each leg, as a lab phone has, would cost more than the PBX that it loads.

Started by `benchmarks.rig`; speaks JSON lines on its standard output, and ends when its input does.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import sys
import time

from tests.lab import confs
from tests.lab.audio import FRAME, spoken, to_alaw
from tests.lab.phone import Address, Call, Phone
from tests.lab.rtp import PACKET_S, PCMA, Rtp
from tests.lab.waiting import until

GROUPS = 10
EMPTY_EVERY = 50
"""Rounds of 20 ms between two readings of a leg's socket."""


class Pacer:
    """Sends for every leg that was added.

    Attributes:
        heard: audio packets that came, of all legs.
        sent: likewise.
        late_s: how late the latest group went out since `late_s` was last set to 0.
    """

    def __init__(self) -> None:
        self.heard = self.sent = 0
        self.late_s = 0.0
        self._groups: list[list[PacedRtp]] = [[] for _ in range(GROUPS)]
        self._turn = 0

    def add(self, leg: "PacedRtp") -> None:
        """Send for this leg from now on."""
        self._turn += 1
        self._groups[self._turn % GROUPS].append(leg)

    def remove(self, leg: "PacedRtp") -> None:
        """Send no more."""
        for group in self._groups:
            with contextlib.suppress(ValueError):
                group.remove(leg)

    async def run(self) -> None:
        """Send until cancelled."""
        due, number = time.monotonic(), 0
        while True:
            round_, group = divmod(number, GROUPS)
            for place, leg in enumerate(self._groups[group]):
                self.sent += leg.send_next()
                if (round_ + place) % EMPTY_EVERY == 0:
                    self.heard += leg.empty()
            number += 1
            due += PACKET_S / GROUPS
            now = time.monotonic()
            self.late_s = max(self.late_s, now - due)
            await asyncio.sleep(max(0.0, due - now))


class PacedRtp(Rtp):
    """A session whose packets the pacer sends."""

    def __init__(self, ip: str, pacer: Pacer) -> None:
        super().__init__(ip)
        self._pacer = pacer
        self._socket: socket.socket | None = None

    async def open(self) -> None:
        """Take a port."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((self.ip, 0))
        self.port = self._socket.getsockname()[1]

    def start(self) -> None:
        """Begin to send."""
        if not self.muted:
            self._pacer.add(self)

    def close(self) -> None:
        """Stop, and give the port back."""
        self._pacer.remove(self)
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def send_next(self) -> int:
        """Send one packet; return how many went out."""
        if self._socket is None or self.remote is None or self.held:
            return 0
        payload = self._frames[self._next]
        self._next = (self._next + 1) % len(self._frames)
        self._timestamp = (self._timestamp + FRAME) & 0xFFFFFFFF
        self._seq = (self._seq + 1) & 0xFFFF
        head = b"\x80" + bytes([PCMA]) + self._seq.to_bytes(2) + self._timestamp.to_bytes(4) + self._ssrc.to_bytes(4)
        try:
            self._socket.sendto(head + payload, self.remote)
        except BlockingIOError:
            return 0
        return 1

    def empty(self) -> int:
        """Take what came; return how many packets it was."""
        count = 0
        with contextlib.suppress(BlockingIOError):
            while self._socket is not None:
                self._socket.recv(512)
                count += 1
        return count


class LoadPhone(Phone):
    """A phone whose calls send by the pacer."""

    pacer: Pacer
    frames: list[bytes]

    async def _new_call(self, call_id: str, peer: Address) -> Call:
        rtp = PacedRtp(self.ip, self.pacer)
        call = Call(self, call_id, rtp, peer)
        self._by_id[call_id] = call
        await rtp.open()
        rtp.muted = self.muted
        rtp._frames = self.frames  # noqa: SLF001 - encoding the same two seconds for each leg takes longer than the call
        self.calls.append(call)
        return call


async def calls_up(options: argparse.Namespace, callers: LoadPhone) -> list[Call]:
    """Ring every agent's extension from the trunk, a few at a time."""
    calls: list[Call] = []
    for number in range(options.calls):
        extension = str(confs.FIRST_AGENT_EXTENSION + options.first + number)
        calls.append(await callers.dial(extension, number=f"+4530{options.first + number:06}"))
        await asyncio.sleep(1 / options.per_s)
    await until(lambda: all(c.answered.is_set() for c in calls), 30, "every call of the load is up")
    return calls


def say(**what: object) -> None:
    """Tell whoever started this."""
    print(json.dumps(what), flush=True)


async def main(options: argparse.Namespace) -> None:
    """Bring the calls up, say so, and keep them up until the input ends."""
    pacer = LoadPhone.pacer = Pacer()
    coded = to_alaw(spoken(options.first + 1, 2.0))
    LoadPhone.frames = [coded[at : at + FRAME] for at in range(0, len(coded), FRAME)]
    pacing = asyncio.create_task(pacer.run())
    pbx = ("127.0.0.1", options.sip)
    agents = [
        LoadPhone(f"load{n}", pbx, port=options.phones + n, muted=options.silent)
        for n in range(options.first, options.first + options.calls)
    ]
    for phone in agents:
        await phone.open()
    callers = await LoadPhone("load", pbx, ip=confs.CALLERS_IP, muted=options.silent).open()
    calls = await calls_up(options, callers)
    say(up=len(calls))
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        before, began, pacer.late_s = (pacer.sent, pacer.heard), time.monotonic(), 0.0
        await asyncio.sleep(2)  # two whole rounds of reading
        took = time.monotonic() - began
        say(
            up=sum(not c.ended.is_set() for c in calls),
            sent_per_s=(pacer.sent - before[0]) / took,
            heard_per_s=(pacer.heard - before[1]) / took,
            late_ms=pacer.late_s * 1e3,
        )
    for phone in (callers, *agents):
        await phone.close()
    pacing.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sip", type=int, required=True, help="port of the PBX")
    parser.add_argument("--phones", type=int, required=True, help="port of agent number 0")
    parser.add_argument("--first", type=int, required=True, help="number of the first agent")
    parser.add_argument("--calls", type=int, required=True)
    parser.add_argument("--per-s", type=float, default=20.0, help="calls begun a second")
    parser.add_argument("--silent", action="store_true", help="no RTP: calls that are only there")
    asyncio.run(main(parser.parse_args()))
