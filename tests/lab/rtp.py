"""One RTP session (RFC 3550) of a lab phone: sends a loop of sound, notes every packet that it hears."""

import asyncio
import contextlib
import os
import random
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.lab.audio import FRAME, SILENCE, Audio, to_alaw

PCMA = 8
PACKET_S = 0.02
KEYS = "0123456789*#ABCD"
_HEADER = struct.Struct(">BBHII")
_EVENT = struct.Struct(">BBH")


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet of audio as it was heard.

    Attributes:
        at: `time.monotonic()` on arrival, seconds.
        seq: sequence number.
        timestamp: RTP timestamp, 1/8000 s.
        ssrc: who sent it.
        payload: A-law, 160 bytes for 20 ms.
    """

    at: float
    seq: int
    timestamp: int
    ssrc: int
    payload: bytes


class Rtp(asyncio.DatagramProtocol):
    """A session. Until `say` is called it sends silence once it knows where to.

    Attributes:
        heard: every audio packet, in order of arrival.
        keys: the digits heard by RFC 4733.
        sent: number of audio packets sent.
        on_packet: called for every audio packet at once, for measuring.
    """

    def __init__(self, ip: str) -> None:
        """Opens nothing yet.

        Args:
            ip: loopback address to send from.
        """
        self.ip, self.port = ip, 0
        self.remote: tuple[str, int] | None = None
        self.dtmf_payload = 101
        self.heard: list[Packet] = []
        self.keys = ""
        self.sent = 0
        self.on_packet: Callable[[Packet], None] | None = None
        self.muted = False
        self.held = False
        self._frames = [SILENCE]
        self._next = 0
        self._keying = False
        self._last_key: tuple[int, int] | None = None
        self._seq, self._timestamp = random.getrandbits(15), random.getrandbits(31)
        self._ssrc = random.getrandbits(32)
        self._transport: asyncio.DatagramTransport | None = None
        self._ear: socket.socket | None = None
        self._pump: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Takes a port."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.ip, 0))
        self.port = self._transport.get_extra_info("sockname")[1]
        self._ear = socket.socket(fileno=os.dup(self._transport.get_extra_info("socket").fileno()))

    def start(self) -> None:
        """Begins to send, every 20 ms."""
        if self._pump is None and self._transport is not None:
            self._pump = asyncio.create_task(self._send_all())

    def close(self) -> None:
        """Stops sending and gives the port back; what was heard stays."""
        if self._pump is not None:
            self._pump.cancel()
        if self._transport is not None:
            self._listen()
            self._transport.close()
        self._transport = None
        if self._ear is not None:
            self._ear.close()
        self._ear = None

    def say(self, audio: Audio | None) -> None:
        """Sends this sound in a loop from now on, whole frames of 20 ms; None is silence (packets go on)."""
        if audio is None:
            self._frames = [SILENCE]
        else:
            coded = to_alaw(audio)
            self._frames = [coded[i : i + FRAME] for i in range(0, len(coded) - FRAME + 1, FRAME)]
        self._next = 0

    async def _send_all(self) -> None:
        due = time.monotonic()
        while True:
            if self.remote and not (self.muted or self.held or self._keying):
                self._send(PCMA, self._frames[self._next])
                self.sent += 1
            self._next = (self._next + 1) % len(self._frames)
            self._timestamp = (self._timestamp + FRAME) & 0xFFFFFFFF
            due += PACKET_S
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _send(self, kind: int, payload: bytes, *, marker: bool = False, timestamp: int | None = None) -> None:
        if self._transport is None or self.remote is None:
            return
        stamp = self._timestamp if timestamp is None else timestamp
        head = _HEADER.pack(0x80, kind | marker << 7, self._seq, stamp, self._ssrc)
        self._transport.sendto(head + payload, self.remote)
        self._seq = (self._seq + 1) & 0xFFFF

    async def press(self, keys: str, each_s: float = 0.1) -> None:
        """Presses keys, also while muted (RFC 4733 §2.5: the last packet of each goes out three times).

        Args:
            keys: of `0123456789*#ABCD`.
            each_s: how long each is held, seconds.
        """
        self._keying = True
        try:
            for key in keys:
                event, stamp = KEYS.index(key), self._timestamp
                steps = max(1, round(each_s / PACKET_S))
                for step in range(1, steps + 1):
                    body = _EVENT.pack(event, 10, FRAME * step)
                    self._send(self.dtmf_payload, body, marker=step == 1, timestamp=stamp)
                    await asyncio.sleep(PACKET_S)
                for _ in range(3):
                    body = _EVENT.pack(event, 0x80 | 10, FRAME * (steps + 1))
                    self._send(self.dtmf_payload, body, timestamp=stamp)
                await asyncio.sleep(0.06)
        finally:
            self._keying = False

    def datagram_received(self, data: bytes, _address: tuple[str, int]) -> None:
        """Notes a packet, and those that came after it."""
        self._take(data)
        self._listen()

    def _listen(self) -> None:
        """Notes all that has come: asyncio reads one packet a round, and a busy machine has few rounds a second."""
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while self._ear is not None:
                self._take(self._ear.recv(2048))

    def _take(self, data: bytes) -> None:
        at = time.monotonic()
        if len(data) <= _HEADER.size:
            return
        _, kind, seq, stamp, ssrc = _HEADER.unpack_from(data)
        payload = data[_HEADER.size :]
        if kind & 0x7F == PCMA:
            packet = Packet(at, seq, stamp, ssrc, payload)
            self.heard.append(packet)
            if self.on_packet is not None:
                self.on_packet(packet)
        elif kind & 0x7F == self.dtmf_payload and (ssrc, stamp) != self._last_key:
            self._last_key = (ssrc, stamp)
            self.keys += KEYS[payload[0] & 0x0F]
