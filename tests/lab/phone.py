"""A SIP phone for tests (RFC 3261 over UDP): dials, answers, holds, transfers, goes silent, and listens."""

import asyncio
import time
from typing import Self
from urllib.parse import quote

from tests.lab import sip
from tests.lab.audio import Audio
from tests.lab.call import ALLOW, Address, Call
from tests.lab.rtp import Rtp
from tests.lab.sip import Message
from tests.lab.waiting import until

__all__ = ["Address", "Call", "Phone"]


class Phone(asyncio.DatagramProtocol):
    """A phone on a loopback port.

    Attributes:
        calls: every call it ever had, oldest first.
    """

    def __init__(
        self,
        user: str,
        pbx: Address,
        *,
        ip: str = "127.0.0.1",
        port: int = 0,
        answer_after_s: float | None = 0.0,
        busy: bool = False,
        audio: Audio | None = None,
        muted: bool = False,
    ) -> None:
        """Opens nothing yet.

        Args:
            user: user part of its address, and the number that it shows.
            pbx: where the PBX is.
            ip: loopback address of its own.
            port: UDP port; 0 takes a free one.
            answer_after_s: answers by itself after so many seconds; None rings until `Call.answer`.
            busy: refuses every call with 486.
            audio: what it says from the start; None is silence in packets.
            muted: sends no RTP from the start.
        """
        self.user, self.pbx, self.ip, self.port = user, pbx, ip, port
        self.answer_after_s, self.busy, self.audio, self.muted = answer_after_s, busy, audio, muted
        self.calls: list[Call] = []
        self._by_id: dict[str, Call] = {}
        self._taken = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def contact(self) -> str:
        """Where it can be reached."""
        return f"<sip:{quote(self.user, safe='+')}@{self.ip}:{self.port}>"

    @property
    def incoming(self) -> list[Call]:
        """The calls that came to it, oldest first."""
        return [call for call in self.calls if call.invite is not None]

    async def open(self) -> Self:
        """Takes its port."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.ip, self.port))
        self.port = self._transport.get_extra_info("sockname")[1]
        return self

    async def close(self) -> None:
        """Hangs up all and gives the ports back."""
        for call in self.calls:
            await call.hang_up()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._transport is not None:
            self._transport.close()
            await asyncio.sleep(0)  # the loop closes the socket in its next round; the port is free after it
        self._transport = None

    async def dial(self, extension: str, number: str = "") -> Call:
        """Rings an extension. Returns at once; see `Call.is_answered`.

        Args:
            extension: what to dial.
            number: shown as the caller's number; its own by default.
        """
        call = await self._new_call(f"{sip.token()}@{self.ip}", self.pbx)
        host, port = self.pbx
        call.number = extension
        call.target = f"sip:{extension}@{host}:{port}"
        call.local = f"<sip:{number or self.user}@{self.ip}:{self.port}>;tag={sip.token()}"
        call.remote = f"<sip:{extension}@{host}>"
        call.begin()
        return call

    async def rings(self, within_s: float = 5.0) -> Call:
        """Waits for the next incoming call that was not yet returned here.

        Raises:
            TimeoutError: none came.
        """
        await until(lambda: len(self.incoming) > self._taken, within_s, f"{self.user}: rings")
        self._taken += 1
        return self.incoming[self._taken - 1]

    async def takes(self, within_s: float = 5.0) -> Call:
        """`rings`, and waits until that call is up."""
        call = await self.rings(within_s)
        return await call.is_answered(within_s)

    async def _new_call(self, call_id: str, peer: Address) -> Call:
        rtp = Rtp(self.ip)
        call = Call(self, call_id, rtp, peer)
        self._by_id[call_id] = call
        await rtp.open()
        rtp.say(self.audio)
        rtp.muted = self.muted
        self.calls.append(call)
        return call

    def send(self, data: bytes, to: Address) -> None:
        """Sends one datagram."""
        if self._transport is not None:
            self._transport.sendto(data, to)

    def reply(self, request: Message, status: int, reason: str, local: str = "", body: str = "") -> None:
        """Answers a request. `local` is our To with its tag, where the request had none."""
        headers = [("Via", via) for via in request.vias]
        headers += [
            ("From", request.headers["from"]),
            ("To", local or request.headers["to"]),
            ("Call-ID", request.call_id),
            ("CSeq", request.headers["cseq"]),
            ("Contact", self.contact),
            ("Allow", ALLOW),
        ]
        self.send(sip.build(f"SIP/2.0 {status} {reason}", headers, body), self.pbx)

    def datagram_received(self, data: bytes, address: Address) -> None:
        """Takes one message."""
        message = sip.parse(data)
        if message is None:
            return
        call = self._by_id.get(message.call_id)
        if message.status:
            if call is not None:
                call.take_response(message)
        elif message.method == "INVITE":
            self._take_invite(message, call, address)
        elif message.method == "BYE":
            self._take_end(message, call)
        elif message.method == "CANCEL":
            self._take_cancel(message, call)
        elif message.method != "ACK":
            self.reply(message, 200, "OK")
            if message.method == "NOTIFY" and call is not None:
                call.take_news(message.body.strip())

    def _take_invite(self, request: Message, call: Call | None, address: Address) -> None:
        if call is None:
            task = asyncio.create_task(self._ring(request, address))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif call.answered.is_set() and ";tag=" in request.headers["to"]:
            call.take_reinvite(request)
        # Else the PBX repeats an INVITE that rings already: the 180 was enough.

    def _take_end(self, request: Message, call: Call | None) -> None:
        self.reply(request, 200, "OK")
        if call is not None and not call.ended.is_set():
            call.bye_at = time.monotonic()
            call.close()

    def _take_cancel(self, request: Message, call: Call | None) -> None:
        self.reply(request, 200, "OK")
        if call is not None and not call.answered.is_set() and not call.ended.is_set():
            call.bye_at = time.monotonic()
            call.reject(487, "Request Terminated")

    async def _ring(self, request: Message, address: Address) -> None:
        call = await self._new_call(request.call_id, address)
        call.invite, call.headers = request, dict(request.headers)
        call.local = f"{request.headers['to']};tag={sip.token()}"
        call.remote = request.headers["from"]
        call.number = call.remote.partition("sip:")[2].partition("@")[0]
        call.target = request.contact or ""
        call.take_sdp(request.body)
        if self.busy:
            call.reject()
            return
        self.reply(request, 180, "Ringing", call.local)
        if self.answer_after_s is not None:
            await asyncio.sleep(self.answer_after_s)
            call.answer()
