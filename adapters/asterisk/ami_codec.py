"""The Asterisk Manager Interface on the wire, without I/O: bytes to messages, actions to bytes.

The format (docs.asterisk.org, "AMI v2 Specification"): lines of `Key: Value` end in CR LF, an empty line ends
a frame, and the first line names it (`Event: Hangup`, `Response: Success`). A banner line comes before it all.

Most events that a PBX sends are not for us, so a frame's first line is looked at before anything else, and a
message finds its fields only when asked. Measured on the capture in `benchmarks/data`: to look up the three
fields that are used costs 0.4 of building a dict of all 13 to 35.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from telephony.errors import BagvagtError, PbxProtocolError

BANNER: Final = b"Asterisk Call Manager/"
MAX_FRAME_BYTES: Final = 256 * 1024
"""The largest that we ask for, a `ListCommands` reply, has about 15 kB; a list has one event per entry."""
MAX_LINE_BYTES: Final = 1024
"""`session->inbuf` in main/manager.c has 1,025 bytes; a longer line is thrown away and the rest misread."""
MAX_LINES: Final = 128
"""`AST_MAX_MANHEADERS` in manager.h: what comes after is ignored without a word."""

_CRLF: Final = b"\r\n"
_END: Final = b"\r\n\r\n"
_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# One `Variable:` line is split as a dialplan argument list, see astman_get_variables() in main/manager.c:
# a comma begins another variable, and quotes, brackets and backslashes change what a comma means.
_SPLITS_VARIABLES: Final = re.compile(r'[,"\\()\[\]]')
_SUCCESS: Final = frozenset({"Success", "Goodbye", "Follows"})


@dataclass
class UnsafeFieldError(BagvagtError, ValueError):
    """An action that would not arrive as meant, so it is not sent. Holds no value: that could be a secret.

    Attributes:
        action: the action that was to be sent.
        key: its field.
        reason: what is wrong with the field.
    """

    action: str
    key: str
    reason: str

    def __post_init__(self) -> None:
        super().__init__(self.action, self.key, self.reason)


class Message:
    r"""One frame from the PBX.

    The text is UTF-8. A byte that is not (callers choose what stands in a caller name) shows as `\xe9`: with
    surrogateescape it would travel on as a lone surrogate and fail where the text is stored or sent, and as
    Latin-1 every proper UTF-8 name would be garbled. The price: such a text cannot be sent back as the same
    bytes, so legs are addressed by Uniqueid, which is ASCII.

    Attributes:
        is_event: True for an event, False for a response.
        name: `Hangup` of `Event: Hangup`, `Success` of `Response: Success`.
        text: the frame as it came, without its closing empty line.
    """

    __slots__ = ("is_event", "name", "text")

    def __init__(self, name: str, text: str, *, is_event: bool) -> None:
        self.is_event = is_event
        self.name = name
        self.text = text

    def get(self, key: str, default: str = "") -> str:
        """Return the first value of `key` (exact case, as Asterisk writes it), or `default` without one.

        A key that must stand once can have been forged in front of the true one, see `repeats`.
        """
        text = self.text
        start = text.find(f"\r\n{key}: ")
        if start < 0:
            return default
        start += len(key) + 4
        end = text.find("\r\n", start)
        return text[start:end] if end >= 0 else text[start:]

    def last(self, key: str, default: str = "") -> str:
        """Return the last value of `key`, or `default`: the true one, for a key that stands after a caller's number."""
        text = self.text
        start = text.rfind(f"\r\n{key}: ")
        if start < 0:
            return default
        start += len(key) + 4
        end = text.find("\r\n", start)
        return text[start:end] if end >= 0 else text[start:]

    def __getitem__(self, key: str) -> str:
        """Return the first value of `key`; KeyError without one."""
        value = self.get(key, "\r\n")  # no value can hold a line end
        if value == "\r\n":
            raise KeyError(key)
        return value

    def repeats(self, key: str) -> bool:
        """Tell whether `key` stands more than once.

        Asterisk 22.10 writes a caller's number as SIP brought it, decoded: `%0d%0a` in a From URI begins a line of the
        caller's choice, `Uniqueid: …` too (seen on a real one; names are escaped, numbers are not).
        """
        return self.text.count(f"\r\n{key}: ") > 1

    def get_all(self, key: str) -> list[str]:
        """Return every value of a repeated key (`ChanVariable`, `Output`), in the order of the frame."""
        return [value for other, value in self._pairs() if other == key]

    def fields(self) -> dict[str, str]:
        """Return all fields but the first line; a repeated key's values are joined by line feeds."""
        found: dict[str, str] = {}
        for key, value in self._pairs():
            found[key] = f"{found[key]}\n{value}" if key in found else value
        return found

    def is_success(self) -> bool:
        """Tell whether this is a response that says yes. What Asterisk does not call a success is none."""
        return not self.is_event and self.name in _SUCCESS

    def _pairs(self) -> Iterable[tuple[str, str]]:
        for line in self.text.split("\r\n")[1:]:
            key, separator, value = line.partition(": ")
            if separator:
                yield key, value

    def __repr__(self) -> str:
        """Name the frame only: its values are callers' numbers and names."""
        return f"<{'Event' if self.is_event else 'Response'} {self.name}>"


class AmiDecoder:
    """Bytes in, messages out, for one connection; the same messages however the bytes are cut.

    Args:
        wanted: names of the events to return; None returns all. Responses are always returned.

    Attributes:
        version: the protocol version of the banner (`11.0.0` for Asterisk 22), "" before it came.
        tagged: while True, events that carry an ActionID (results of a list action) are returned too.
        ignored: frames that were neither events nor responses.
    """

    def __init__(self, wanted: Iterable[str] | None = None) -> None:
        self.version = ""
        self.tagged = False
        self.ignored = 0
        self._wanted = None if wanted is None else {f"Event: {name}".encode(): name for name in wanted}
        self._rest = b""
        self._at_start = True

    def feed(self, data: bytes) -> list[Message]:
        """Take the next bytes and return the messages that they complete.

        Raises:
            PbxProtocolError: a frame is larger than `MAX_FRAME_BYTES`. The decoder is of no use afterwards.
        """
        data = self._rest + data
        if self._at_start:
            data = self._take_banner(data)
        frames = data.split(_END)
        self._rest = frames.pop()
        if len(data) > MAX_FRAME_BYTES:
            self._check_sizes(frames)
        messages: list[Message] = []
        name_of = (self._wanted or {}).get
        skips_events = self._wanted is not None and not self.tagged
        for frame in frames:
            first = frame.partition(_CRLF)[0]
            name = name_of(first)
            if name is not None:
                messages.append(Message(name, frame.decode("utf-8", "backslashreplace"), is_event=True))
            elif not (skips_events and first.startswith(b"Event: ")):
                messages.extend(self._uncommon(frame))
        return messages

    def _uncommon(self, frame: bytes) -> Iterable[Message]:
        """Yield the message of a frame that is not plainly a wanted event, if it is one that is returned."""
        frame = frame.lstrip(_CRLF)  # TestEvent (Asterisk 22) ends in two empty lines
        first = frame.partition(_CRLF)[0]
        kind, _, name = first.partition(b": ")
        if kind == b"Event":
            if (
                self._wanted is not None
                and first not in self._wanted
                and not (self.tagged and b"\r\nActionID: " in frame)
            ):
                return
        elif kind != b"Response":
            self.ignored += bool(frame)
            return
        text = frame.decode("utf-8", "backslashreplace")
        yield Message(name.decode("utf-8", "backslashreplace"), text, is_event=kind == b"Event")

    def _take_banner(self, data: bytes) -> bytes:
        """Cut the banner line off the beginning; a stream without one (a capture) is fine."""
        if data[: len(BANNER)] != BANNER[: len(data)]:
            self._at_start = False
            return data
        banner, ended, rest = data.partition(_CRLF)
        if not ended:
            return data
        self._at_start = False
        self.version = banner[len(BANNER) :].decode("ascii", "backslashreplace")
        return rest

    def _check_sizes(self, frames: list[bytes]) -> None:
        half_end = len(_END) - 1  # the rest may be a whole frame and most of its end
        if len(self._rest) > MAX_FRAME_BYTES + half_end or any(len(f) > MAX_FRAME_BYTES for f in frames):
            self._rest = b""
            raise PbxProtocolError("read", f"a frame of more than {MAX_FRAME_BYTES} bytes")


def encode_action(action: str, fields: Mapping[str, str | int], variables: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of one action.

    Args:
        action: its name, for example `QueuePause`.
        fields: its fields, in this order.
        variables: channel variables, one `Variable: name=value` line each.

    Raises:
        UnsafeFieldError: a key or value holds a control character (Asterisk takes a bare line feed as a line
            end, so that would be another field, or another action), is not text, or would be cut off.
    """
    lines = [_line(action, "Action", action)]
    lines += [_line(action, key, str(value)) for key, value in fields.items()]
    for name, value in (variables or {}).items():
        if _SPLITS_VARIABLES.search(value) or not _KEY.fullmatch(name.lstrip("_")):
            raise UnsafeFieldError(action, "Variable", "would be read as more than one variable")
        lines.append(_line(action, "Variable", f"{name}={value}"))
    if len(lines) > MAX_LINES:
        raise UnsafeFieldError(action, "", f"more than {MAX_LINES} lines")
    return b"".join([*lines, _CRLF])


def _line(action: str, key: str, value: str) -> bytes:
    if not _KEY.fullmatch(key):
        raise UnsafeFieldError(action, key, "not a field name")
    if _CONTROL.search(value):
        raise UnsafeFieldError(action, key, "holds a control character")
    try:
        line = f"{key}: {value}\r\n".encode()
    except UnicodeEncodeError:
        raise UnsafeFieldError(action, key, "is not text") from None
    if len(line) >= MAX_LINE_BYTES:
        raise UnsafeFieldError(action, key, f"makes a line of {MAX_LINE_BYTES} bytes or more")
    return line
