"""The AMI codec, over what a real Asterisk 22 sent and over what it might."""

import itertools
import lzma
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.asterisk.ami_codec import (
    MAX_FRAME_BYTES,
    MAX_LINE_BYTES,
    AmiDecoder,
    Message,
    UnsafeFieldError,
    encode_action,
)
from telephony.errors import PbxProtocolError

CAPTURE = Path(__file__).parents[3] / "benchmarks" / "data" / "ami_500.bin.xz"
BANNER = b"Asterisk Call Manager/11.0.0\r\n"
CALL_EVENTS = frozenset({"Newchannel", "BridgeEnter", "BridgeLeave", "Hangup", "AgentConnect"})


@pytest.fixture(scope="module")
def capture() -> bytes:
    return lzma.decompress(CAPTURE.read_bytes())


@pytest.fixture(scope="module")
def opening(capture: bytes) -> bytes:
    """The banner and the first 6 kB of the capture, with the event that ends in two empty lines."""
    return BANNER + capture[:6000]


def shown(messages: list[Message]) -> list[tuple[bool, str, str]]:
    return [(m.is_event, m.name, m.text) for m in messages]


def fed(decoder: AmiDecoder, *pieces: bytes) -> list[tuple[bool, str, str]]:
    return shown([message for piece in pieces for message in decoder.feed(piece)])


def test_the_whole_capture_gives_every_frame_that_was_sent(capture: bytes) -> None:
    """No frame is lost, invented or misnamed: counted independently by a regular expression over the bytes."""
    sent = Counter(name.decode() for name in re.findall(rb"(?:Event|Response): ([^\r]+)\r\n(?=[A-Z])", capture))
    decoder = AmiDecoder()
    pieces = [capture[i : i + 65536] for i in range(0, len(capture), 65536)]
    got = Counter(name for _, name, _ in fed(decoder, *pieces))
    assert got == sent
    assert sum(got.values()) == 45_006
    assert decoder.ignored == 0


def test_only_wanted_events_are_returned_and_they_are_the_same_ones(capture: bytes) -> None:
    """Filtering changes which events come, never what is in them; responses come in any case."""
    part = capture[:3_000_000]
    everything = fed(AmiDecoder(), part)
    chosen = fed(AmiDecoder(CALL_EVENTS), part)
    assert chosen == [row for row in everything if row[1] in CALL_EVENTS or not row[0]]
    assert {row[1] for row in chosen} == CALL_EVENTS | {"Success"}


@pytest.mark.parametrize("wanted", [None, frozenset({"TestEvent", "FullyBooted"})])
def test_every_single_split_gives_the_same_messages(opening: bytes, wanted: frozenset[str] | None) -> None:
    """A read may end at any byte: in the banner, in a name, inside a line end, between two empty lines."""
    whole = fed(AmiDecoder(wanted), opening)
    assert len(whole) > 20
    for at in range(len(opening) + 1):
        decoder = AmiDecoder(wanted)
        assert fed(decoder, opening[:at], opening[at:]) == whole, at
        assert decoder.version == "11.0.0"


def test_one_byte_at_a_time_gives_the_same_messages(opening: bytes) -> None:
    """The smallest reads there are."""
    whole = fed(AmiDecoder(), opening)
    assert fed(AmiDecoder(), *(opening[i : i + 1] for i in range(len(opening)))) == whole


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_way_to_cut_the_stream_gives_the_same_messages(capture: bytes, data: st.DataObject) -> None:
    """Any number of cuts, over a stretch of the capture that begins anywhere."""
    start = data.draw(st.integers(0, 1_000_000))
    stream = BANNER + capture[start : start + 20_000]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=40)))
    edges = [0, *cuts, len(stream)]
    pieces = [stream[a:b] for a, b in itertools.pairwise(edges)]
    assert fed(AmiDecoder(CALL_EVENTS), *pieces) == fed(AmiDecoder(CALL_EVENTS), stream)


def one(frame: bytes) -> Message:
    (message,) = AmiDecoder().feed(frame)
    return message


def test_fields_are_found_as_they_stand() -> None:
    """Empty values, values that hold ': ', keys that begin alike, the last line, an absent key."""
    event = one(
        b"Event: Hangup\r\nChannel: PJSIP/a-1\r\nAccountCode: \r\nAppData: a: b: c\r\n"
        b"Cause: 16\r\nCause-txt: Normal Clearing\r\nLinkedid: 1.2\r\n\r\n"
    )
    assert (event.is_event, event.name) == (True, "Hangup")
    assert event["Channel"] == "PJSIP/a-1"
    assert event["AccountCode"] == ""
    assert event["AppData"] == "a: b: c"
    assert (event["Cause"], event["Cause-txt"]) == ("16", "Normal Clearing")
    assert event["Linkedid"] == "1.2"
    assert event.get("Uniqueid") == ""
    assert event.get("Uniqueid", "none") == "none"
    with pytest.raises(KeyError):
        event["Uniqueid"]
    assert event.fields()["AppData"] == "a: b: c"
    assert "Event" not in event.fields()


def test_repeated_keys_are_all_kept() -> None:
    """Variables of a channel and lines of a command's output repeat one key."""
    reply = one(b"Response: Success\r\nOutput: one\r\nOutput: \r\nOutput: three\r\nActionID: 7\r\n\r\n")
    assert reply.is_success()
    assert reply.get_all("Output") == ["one", "", "three"]
    assert reply["Output"] == "one"
    assert reply.fields() == {"Output": "one\n\nthree", "ActionID": "7"}


def test_only_cr_lf_begins_a_line_and_a_forged_line_shows() -> None:
    """A bare line feed or carriage return is part of a value; a key that was smuggled in with CR LF stands twice."""
    event = one(b"Event: Newchannel\r\nCallerIDName: x\nUniqueid: forged\rUniqueid: forged\r\nUniqueid: 1.1\r\n\r\n")
    assert event["Uniqueid"] == "1.1"
    assert not event.repeats("Uniqueid")
    forged = one(b"Event: Newchannel\r\nCallerIDNum: a\r\nUniqueid: forged\r\nUniqueid: 1.1\r\n\r\n")
    assert forged.repeats("Uniqueid")


def test_bytes_that_are_no_utf8_do_no_harm() -> None:
    """Proper UTF-8 is read as such; anything else is shown escaped, and can be stored and sent as UTF-8."""
    frame = "Event: A\r\nCallerIDName: Søren ".encode() + b"\xe6\xff\r\nUniqueid: 1.1\r\n\r\n"
    for decoder in (AmiDecoder(), AmiDecoder({"A"})):
        (event,) = decoder.feed(frame)
        assert event["CallerIDName"] == "Søren \\xe6\\xff"
        assert event["CallerIDName"].encode()
        assert event["Uniqueid"] == "1.1"


def test_blank_lines_between_frames_and_frames_without_fields() -> None:
    """More empty lines than one, and a frame of one line, confuse nothing; what is neither is counted."""
    decoder = AmiDecoder({"A"})
    stream = b"\r\n\r\n\r\nEvent: A\r\n\r\n\r\n\r\n\r\nEvent: A\r\nK: v\r\n\r\n"
    stream += b"\r\nResponse: Goodbye\r\n\r\nWhat: this\r\n\r\n"
    assert [row[:2] for row in fed(decoder, stream)] == [(True, "A"), (True, "A"), (False, "Goodbye")]
    assert decoder.ignored == 1


def test_a_list_entry_is_returned_only_while_lists_are_expected() -> None:
    """`tagged` lets events with an ActionID through, whatever their name, and nothing else."""
    stream = b"Event: QueueMember\r\nActionID: 1\r\n\r\nEvent: VarSet\r\nValue: ActionID: 1\r\n\r\n"
    decoder = AmiDecoder({"Hangup"})
    assert fed(decoder, stream) == []
    decoder.tagged = True
    assert [name for _, name, _ in fed(decoder, stream)] == ["QueueMember"]


@pytest.mark.parametrize("piece", [1 << 10, 1 << 16, 1 << 20])
@pytest.mark.parametrize("opened", [b"Event: A\r\nK: ", b"Asterisk Call Manager/"])
def test_a_frame_without_end_is_refused_and_not_kept(opened: bytes, piece: int) -> None:
    """Memory stays bounded whatever the other side sends, in a frame or in the banner."""
    decoder = AmiDecoder({"B"})
    decoder.feed(opened)
    pieces = [b"x" * piece] * (2 * MAX_FRAME_BYTES // piece + 1)
    with pytest.raises(PbxProtocolError):
        fed(decoder, *pieces)
    assert len(decoder._rest) == 0


@pytest.mark.parametrize(("size", "is_fine"), [(MAX_FRAME_BYTES, True), (MAX_FRAME_BYTES + 1, False)])
@pytest.mark.parametrize("cut", [None, -1, -2, -3, -4])
def test_the_largest_frame(size: int, cut: int | None, *, is_fine: bool) -> None:
    """The limit is the frame's own size, wherever the reads are cut."""
    stream = (b"Event: A\r\nK: ".ljust(size, b"x")) + b"\r\n\r\n"
    pieces = [stream] if cut is None else [stream[:cut], stream[cut:]]
    decoder = AmiDecoder()
    if is_fine:
        assert len(fed(decoder, *pieces)) == 1
    else:
        with pytest.raises(PbxProtocolError):
            fed(decoder, *pieces)


def test_an_action_is_encoded_line_by_line() -> None:
    """Fields in the order given, numbers as digits, text as UTF-8, variables as lines of their own."""
    assert encode_action("QueuePause", {"Interface": "PJSIP/å", "Paused": 1}, {"A": "1", "__B": "x y"}) == (
        "Action: QueuePause\r\nInterface: PJSIP/å\r\nPaused: 1\r\nVariable: A=1\r\nVariable: __B=x y\r\n\r\n".encode()
    )


CONTROLS = [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0))]


@pytest.mark.parametrize("bad", [*CONTROLS, "\ud800"])
@pytest.mark.parametrize("value", ["{}", "a{}Action: Command", "a{}"])
def test_no_value_can_begin_another_line(bad: str, value: str) -> None:
    """Every control character (Asterisk takes a bare line feed as a line end) and what is no text is refused."""
    text = value.format(bad)
    for fields, variables in (({"Reason": text}, None), ({}, {"V": text})):
        with pytest.raises(UnsafeFieldError):
            encode_action("QueuePause", fields, variables)
    with pytest.raises(UnsafeFieldError):
        encode_action(text, {})


@pytest.mark.parametrize("key", ["", "A:", "A: b", "A b", "A\r\nB", "A\nB", "A\n", "\nA", "Å", "1", "A\0", ":"])
def test_no_key_can_be_more_than_a_name(key: str) -> None:
    """A key is letters, digits, hyphen and underscore; the same for the names of variables."""
    with pytest.raises(UnsafeFieldError) as refused:
        encode_action("Setvar", {key: "secret value"})
    assert "secret value" not in repr(refused.value)
    with pytest.raises(UnsafeFieldError):
        encode_action("Setvar", {}, {key: "1"})


@pytest.mark.parametrize("value", ["1,B=2", 'a"b', "a\\b", "f(x", "x)", "[", "]"])
def test_one_variable_stays_one(value: str) -> None:
    """Asterisk splits a `Variable` line as dialplan arguments: a comma would set another variable."""
    with pytest.raises(UnsafeFieldError):
        encode_action("Originate", {}, {"A": value})


def test_what_asterisk_would_cut_off_is_refused() -> None:
    """A line of 1,023 bytes goes, one of 1,024 does not; 128 lines go, 129 do not. Counted in bytes."""
    room = MAX_LINE_BYTES - 1 - len("Reason: \r\n")
    assert len(encode_action("A", {"Reason": "x" * room}).split(b"\r\n")[1]) == MAX_LINE_BYTES - 3
    for too_long in ("x" * (room + 1), "å" * (room // 2 + 1)):
        with pytest.raises(UnsafeFieldError):
            encode_action("A", {"Reason": too_long})
    encode_action("A", {f"K{n}": 1 for n in range(127)})
    with pytest.raises(UnsafeFieldError):
        encode_action("A", {f"K{n}": 1 for n in range(128)})


@given(key=st.text(max_size=8), value=st.text(max_size=30), name=st.text(max_size=6), variable=st.text(max_size=20))
def test_whatever_is_sent_arrives_as_it_was_meant(key: str, value: str, name: str, variable: str) -> None:
    """Any text is refused, or is one line more and exactly that line."""
    try:
        data = encode_action("A", {key: value}, {name: variable})
    except UnsafeFieldError:
        return
    lines = re.split("\r\n|\n|\r", data.decode())
    assert lines == ["Action: A", f"{key}: {value}", f"Variable: {name}={variable}", "", ""]
