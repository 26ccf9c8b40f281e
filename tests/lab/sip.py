"""SIP messages (RFC 3261 §7) as the lab's phones need them: parse, build, nothing else."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

_COMPACT = {"i": "call-id", "f": "from", "t": "to", "m": "contact", "v": "via", "l": "content-length"}
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
ANSWER_TO = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
DTMF_PAYLOAD = 101


def token() -> str:
    """A fresh tag, branch or Call-ID."""
    return f"{random.getrandbits(64):016x}"


@dataclass(frozen=True)
class Message:
    """A request (has a `method`) or a response (has a `status`); header names in lower case."""

    method: str
    uri: str
    status: int
    headers: Mapping[str, str]
    vias: tuple[str, ...]
    body: str

    @property
    def call_id(self) -> str:
        return self.headers.get("call-id", "")

    @property
    def cseq(self) -> tuple[int, str]:
        """Number and method of the CSeq header."""
        number, _, method = self.headers.get("cseq", "0 ?").partition(" ")
        return int(number), method.strip()

    @property
    def contact(self) -> str | None:
        """The URI of the Contact header: where requests inside the dialog go (§12.1)."""
        found = re.search(r"<([^>]+)>", self.headers.get("contact", ""))
        return found[1] if found else None


def parse(data: bytes) -> Message | None:
    """Reads one datagram; None if it is not SIP (a keep-alive)."""
    head, _, body = data.decode("utf8", "replace").partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    words = first.split(" ", 2)
    if len(words) < 3:
        return None
    headers: dict[str, str] = {}
    vias: list[str] = []
    for line in lines:
        name, _, value = line.partition(":")
        name = name.strip().lower()
        name = _COMPACT.get(name, name)
        if name == "via":
            vias.append(value.strip())
        headers.setdefault(name, value.strip())
    if words[0] == "SIP/2.0":
        return Message("", "", int(words[1]), headers, tuple(vias), body)
    return Message(words[0], words[1], 0, headers, tuple(vias), body)


def build(first: str, headers: list[tuple[str, str]], body: str = "", kind: str = "application/sdp") -> bytes:
    """Writes a message; adds Content-Type and Content-Length."""
    if body:
        headers = [*headers, ("Content-Type", kind)]
    headers = [*headers, ("Content-Length", str(len(body.encode())))]
    return (first + "\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers) + "\r\n" + body).encode()


@dataclass(frozen=True)
class Sdp:
    """What we need of a session description (RFC 8866): where to send, which way, how keys are numbered."""

    host: str
    port: int
    direction: str
    dtmf_payload: int


def read_sdp(body: str) -> Sdp | None:
    """None if there is no audio in it."""
    host = re.search(r"c=IN IP4 (\S+)", body)
    port = re.search(r"m=audio (\d+)", body)
    if not host or not port:
        return None
    direction = next((d for d in _DIRECTIONS if f"a={d}" in body), "sendrecv")
    dtmf = re.search(r"a=rtpmap:(\d+) telephone-event", body)
    return Sdp(host[1], int(port[1]), direction, int(dtmf[1]) if dtmf else DTMF_PAYLOAD)


def write_sdp(host: str, port: int, direction: str, version: int) -> str:
    """A-law and RFC 4733 keys at this address."""
    return (
        f"v=0\r\no=- 1 {version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 8 {DTMF_PAYLOAD}\r\na=rtpmap:8 PCMA/8000\r\n"
        f"a=rtpmap:{DTMF_PAYLOAD} telephone-event/8000\r\na=fmtp:{DTMF_PAYLOAD} 0-15\r\n"
        f"a=ptime:20\r\na={direction}\r\n"
    )
