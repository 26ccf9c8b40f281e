"""One call of a test's phone: a SIP dialog (RFC 3261 §12) and its RTP session."""

import asyncio
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from tests.lab import sip
from tests.lab.audio import Audio
from tests.lab.rtp import Packet, Rtp
from tests.lab.sip import Message
from tests.lab.waiting import until

if TYPE_CHECKING:
    from tests.lab.phone import Phone

Address = tuple[str, int]
REPLY_LIMIT_S = 5.0
ALLOW = "INVITE, ACK, BYE, CANCEL, REFER, NOTIFY, OPTIONS"


class Call:
    """One call of a phone: a SIP dialog and its RTP session.

    Attributes:
        number: the number the other side showed (incoming) or that was dialled (outgoing).
        answered: set when it is up.
        ended: set when it is over, whoever ended it.
        bye_at: `time.monotonic()` when the *other* side's BYE or CANCEL came; None if this phone hung up.
        status: final status of an outgoing INVITE; 0 before.
        transfer_news: status lines of the NOTIFYs after a REFER, such as `SIP/2.0 200 OK`.
        reinvites: direction of every re-INVITE that came from the PBX.
        headers: headers of the first INVITE, for an incoming call.
    """

    def __init__(self, phone: "Phone", call_id: str, rtp: Rtp, peer: Address) -> None:
        self.phone, self.id, self.rtp, self.peer = phone, call_id, rtp, peer
        self.local = self.remote = self.target = self.number = self.branch = ""
        self.headers: dict[str, str] = {}
        self.invite: Message | None = None  # the incoming one
        self.answered, self.ended = asyncio.Event(), asyncio.Event()
        self.bye_at: float | None = None
        self.status = 0
        self.transfer_news: list[str] = []
        self.reinvites: list[str] = []
        self.direction = "sendrecv"
        self._cseq = 0
        self._sdp_version = 0
        self._waiting: dict[int, asyncio.Future[Message]] = {}

    @property
    def heard(self) -> list[Packet]:
        """Every audio packet heard, in order of arrival."""
        return self.rtp.heard

    async def is_answered(self, within_s: float = 5.0) -> Self:
        """Waits until the call is up.

        Raises:
            TimeoutError: it is not, after `within_s`.
        """
        await until(lambda: self.answered.is_set() or self.ended.is_set(), within_s, f"{self.phone.user}: answered")
        if not self.answered.is_set():
            raise TimeoutError(f"{self.phone.user}: ended with {self.status} before it was answered")
        return self

    async def is_ended(self, within_s: float = 5.0) -> None:
        """Waits until the call is over.

        Raises:
            TimeoutError: it is not, after `within_s`.
        """
        await until(self.ended.is_set, within_s, f"{self.phone.user}: ended")

    # What the person does.

    def say(self, audio: Audio | None) -> None:
        """Sends this sound in a loop; None is silence in packets."""
        self.rtp.say(audio)

    def mute(self, *, on: bool = True) -> None:
        """Sends no RTP at all, as a muted phone or one with silence suppression."""
        self.rtp.muted = on

    async def press(self, keys: str) -> None:
        """Presses keys (RFC 4733)."""
        await self.rtp.press(keys)

    def answer(self) -> None:
        """Takes an incoming call."""
        if self.invite is None or self.ended.is_set() or self.answered.is_set():
            return
        self.phone.reply(self.invite, 200, "OK", self.local, self.sdp())
        self.rtp.start()
        self.answered.set()

    def reject(self, status: int = 486, reason: str = "Busy Here") -> None:
        """Refuses an incoming call."""
        if self.invite is not None and not self.ended.is_set():
            self.phone.reply(self.invite, status, reason, self.local)
            self.close()

    async def hang_up(self) -> None:
        """BYE when the call is up, CANCEL or 480 when it is not yet."""
        self._leave()

    def _leave(self) -> None:
        if self.ended.is_set():
            return
        if self.answered.is_set():
            self._request("BYE")
        elif self.invite is not None:
            self.reject(480, "Temporarily Unavailable")
        else:
            self.phone.send(
                sip.build(f"CANCEL {self.target} SIP/2.0", self._headers("CANCEL", self._cseq, self.branch)),
                self.peer,
            )
        self.close()

    async def hold(self, direction: str = "sendonly") -> None:
        """Puts the other side on hold by re-INVITE, and sends no more.

        Args:
            direction: `sendonly`, or `inactive` as some phones do.
        """
        await self._reinvite(direction)
        self.rtp.held = True

    async def resume(self) -> None:
        """Takes the other side back."""
        await self._reinvite("sendrecv")
        self.rtp.held = False

    async def transfer(self, extension: str) -> int:
        """Blind transfer: REFER (RFC 3515). Returns the reply's status; the rest is in `transfer_news`."""
        host, port = self.phone.pbx
        return await self._refer(f"sip:{extension}@{host}:{port}")

    async def transfer_to(self, other: "Call") -> int:
        """Attended transfer: joins this call's far end with that of `other` (RFC 3891 §3, Replaces)."""
        tags = f"{other.id};to-tag={_tag(other.remote)};from-tag={_tag(other.local)}"
        host, port = self.phone.pbx
        return await self._refer(f"sip:{other.number or 'x'}@{host}:{port}?Replaces={quote(tags, safe='')}")

    # Inside the dialog.

    def sdp(self) -> str:
        """Our side of the media."""
        self._sdp_version += 1
        return sip.write_sdp(self.phone.ip, self.rtp.port, self.direction, self._sdp_version)

    def _headers(self, method: str, cseq: int, branch: str = "") -> list[tuple[str, str]]:
        phone = self.phone
        headers = [
            ("Via", f"SIP/2.0/UDP {phone.ip}:{phone.port};branch={branch or 'z9hG4bK' + sip.token()}"),
            ("Max-Forwards", "70"),
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.id),
            ("CSeq", f"{cseq} {method}"),
        ]
        if method in {"INVITE", "REFER"}:
            headers += [("Contact", phone.contact), ("Allow", ALLOW)]
        return headers

    def _request(self, method: str, extra: tuple[tuple[str, str], ...] = (), body: str = "") -> int:
        self._cseq += 1
        headers = [*self._headers(method, self._cseq, self.branch if self._cseq == 1 else ""), *extra]
        self.phone.send(sip.build(f"{method} {self.target} SIP/2.0", headers, body), self.peer)
        return self._cseq

    def begin(self) -> None:
        """Sends the first INVITE."""
        self.branch = "z9hG4bK" + sip.token()
        self._request("INVITE", body=self.sdp())

    async def _exchange(self, method: str, extra: tuple[tuple[str, str], ...] = (), body: str = "") -> Message:
        reply: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        number = self._request(method, extra, body)
        self._waiting[number] = reply
        try:
            return await asyncio.wait_for(reply, REPLY_LIMIT_S)
        finally:
            del self._waiting[number]

    async def _reinvite(self, direction: str) -> None:
        self.direction = direction
        reply = await self._exchange("INVITE", body=self.sdp())
        if reply.status != 200:
            raise RuntimeError(f"{self.phone.user}: re-INVITE {direction} got {reply.status}")

    async def _refer(self, to: str) -> int:
        return (await self._exchange("REFER", (("Refer-To", f"<{to}>"),))).status

    def ack(self, response: Message) -> None:
        """ACK of a final response to an INVITE (§13.2.2.4, §17.1.1.3)."""
        number, _ = response.cseq
        branch = self.branch if response.status >= 300 and number == 1 else ""
        headers = self._headers("ACK", number, branch)
        self.phone.send(sip.build(f"ACK {self.target} SIP/2.0", headers), self.peer)

    def take_response(self, response: Message) -> None:
        """A response to something of ours."""
        number, method = response.cseq
        if response.status < 200:
            return
        if method == "INVITE":
            if not self.answered.is_set():
                self.status = response.status
            if response.status < 300:
                self.remote = response.headers["to"]
                self.target = response.contact or self.target
                self.take_sdp(response.body)
            elif not self.answered.is_set():
                self.remote = response.headers["to"]
            self.ack(response)
        if number in self._waiting and not self._waiting[number].done():
            self._waiting[number].set_result(response)
        elif method == "INVITE" and number == 1:
            if response.status < 300:
                if self.ended.is_set():  # our CANCEL crossed the answer (§9.1)
                    self._request("BYE")
                else:
                    self.rtp.start()
                    self.answered.set()
            else:
                self.close()

    def take_sdp(self, body: str) -> None:
        """Sends media where the other side now wants it."""
        media = sip.read_sdp(body)
        if media is not None:
            self.rtp.remote = (media.host, media.port)
            self.rtp.dtmf_payload = media.dtmf_payload

    def take_reinvite(self, request: Message) -> None:
        """Answers a re-INVITE with what fits the offer and our own hold (RFC 3264 §6.1, §8.4)."""
        media = sip.read_sdp(request.body)
        offered = media.direction if media else "sendrecv"
        self.reinvites.append(offered)
        self.take_sdp(request.body)
        ours = self.direction
        if ours == "sendrecv":
            self.direction = sip.ANSWER_TO[offered]
        self.phone.reply(request, 200, "OK", "", self.sdp())
        self.direction = ours

    def take_news(self, line: str) -> None:
        """News of a transfer of ours. Once it went well the transferor leaves (RFC 5589 §6.1)."""
        self.transfer_news.append(line)
        if line.startswith("SIP/2.0 2"):
            self._leave()

    def close(self) -> None:
        """The call is over."""
        self.rtp.close()
        self.ended.set()


def _tag(party: str) -> str:
    return party.partition(";tag=")[2].partition(";")[0]
