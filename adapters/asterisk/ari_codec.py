"""ARI's events on the wire, without I/O: one websocket text frame to one event, or to nothing.

Only what the procedures wait for is decoded, and of it only the fields that are used (msgspec leaves the rest of the
JSON alone). Field names are ARI's own (`rest-api/api-docs/events.json`, Asterisk 22).
"""

from typing import Final

import msgspec

from telephony.errors import PbxProtocolError

WANTED: Final = frozenset(
    {
        "StasisStart",
        "StasisEnd",
        "ChannelDestroyed",
        "ChannelDtmfReceived",
        "PlaybackStarted",
        "PlaybackFinished",
        "ApplicationReplaced",
    }
)


class Channel(msgspec.Struct, frozen=True):
    """A channel.

    Attributes:
        id: its Uniqueid.
        name: its name.
        state: `Down`, `Ringing`, `Up` …
    """

    id: str
    name: str = ""
    state: str = ""


class Playback(msgspec.Struct, frozen=True):
    """A playback.

    Attributes:
        id: chosen by whoever asked for it.
        state: `queued`, `playing`, `continuing`, `done`, `failed`, `cancelled`.
    """

    id: str
    state: str = ""


class AriEvent(msgspec.Struct, frozen=True):
    """One event of the application.

    Attributes:
        type: ARI's name of it.
        channel: for channel events.
        playback: for playback events.
        cause_txt: why a channel is gone.
        cause: the same as a number (Q.850).
        digit: the key that was pressed.
    """

    type: str
    channel: Channel | None = None
    playback: Playback | None = None
    cause_txt: str = ""
    cause: int = 0
    digit: str = ""

    @property
    def subject(self) -> str:
        """Id of what it is about."""
        if self.playback is not None:
            return self.playback.id
        return self.channel.id if self.channel is not None else ""


class Statistics(msgspec.Struct, frozen=True):
    """What was sent to and came from one leg (`GET /channels/{id}/rtp_statistics`).

    Attributes:
        txcount: RTP packets sent to it.
        txoctetcount: bytes of media in them.
        local_ssrc: our SSRC; a new one begins to count at 0.
    """

    txcount: int
    txoctetcount: int = 0
    local_ssrc: int = 0


class Bridge(msgspec.Struct, frozen=True):
    """A bridge.

    Attributes:
        id: its id.
        channels: the ids of the legs in it.
        technology: how it connects them; only `softmix` lets three legs hear each other.
    """

    id: str
    channels: tuple[str, ...] = ()
    technology: str = ""

    def mixes(self, *legs: str) -> bool:
        """Tell whether all of these hear each other in it."""
        return self.technology == "softmix" and set(legs) <= set(self.channels)


class _Variable(msgspec.Struct):
    value: str


_events = msgspec.json.Decoder(AriEvent)
_channels = msgspec.json.Decoder(tuple[Channel, ...])
_variable = msgspec.json.Decoder(_Variable)
_statistics = msgspec.json.Decoder(Statistics)
_bridge = msgspec.json.Decoder(Bridge)


def decode_event(frame: str | bytes) -> AriEvent | None:
    """Return the event, or None for one that nobody waits for.

    Raises:
        PbxProtocolError: this is no ARI event.
    """
    try:
        event = _events.decode(frame)
    except msgspec.MsgspecError as error:
        raise PbxProtocolError("ARI event", str(error)) from None
    return event if event.type in WANTED else None


def decode_statistics(body: bytes) -> Statistics:
    """Read the answer to `GET /channels/{id}/rtp_statistics`.

    Raises:
        PbxProtocolError: it is none.
    """
    try:
        return _statistics.decode(body)
    except msgspec.MsgspecError as error:
        raise PbxProtocolError("rtp_statistics", str(error)) from None


def decode_bridge(body: bytes) -> Bridge:
    """Read the answer to `GET /bridges/{id}`.

    Raises:
        PbxProtocolError: it is none.
    """
    try:
        return _bridge.decode(body)
    except msgspec.MsgspecError as error:
        raise PbxProtocolError("bridge", str(error)) from None


def decode_channels(body: bytes) -> tuple[Channel, ...]:
    """Read the answer to `GET /channels`.

    Raises:
        PbxProtocolError: it is none.
    """
    try:
        return _channels.decode(body)
    except msgspec.MsgspecError as error:
        raise PbxProtocolError("channels", str(error)) from None


def decode_variable(body: bytes) -> str:
    """Read the answer to `GET /channels/{id}/variable`.

    Raises:
        PbxProtocolError: it is none.
    """
    try:
        return _variable.decode(body).value
    except msgspec.MsgspecError as error:
        raise PbxProtocolError("variable", str(error)) from None


def error_text(body: bytes) -> str:
    """Return the `message` of an error's body, or its beginning where it is not ARI's."""
    try:
        found = msgspec.json.decode(body, type=dict[str, msgspec.Raw]).get("message")
        return msgspec.json.decode(found, type=str) if found is not None else body[:200].decode("utf-8", "replace")
    except msgspec.MsgspecError:
        return body[:200].decode("utf-8", "replace")
