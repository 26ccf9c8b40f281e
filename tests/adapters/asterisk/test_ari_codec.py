"""ARI's events as they came from Asterisk 22.10, decoded."""

import pytest

from adapters.asterisk.ari_codec import (
    decode_bridge,
    decode_channels,
    decode_event,
    decode_statistics,
    decode_variable,
    error_text,
)
from telephony.errors import PbxProtocolError

FINISHED = (
    b'{"type":"PlaybackFinished","timestamp":"2026-11-22T05:24:08.782+0000","playback":{"id":"pbm",'
    b'"media_uri":"sound:nothere","target_uri":"channel:xm","language":"en","state":"failed"},'
    b'"asterisk_id":"02:fc:00:00:00:01","application":"bagvagt"}'
)
DESTROYED = (
    b'{"type":"ChannelDestroyed","timestamp":"2026-11-22T05:24:08.782+0000","cause":16,"cause_txt":"Normal Clearing",'
    b'"channel":{"id":"bagvagt-say-1","name":"Local/join@bagvagt-00000002;1","state":"Up"},"application":"bagvagt"}'
)
PRESSED = (
    b'{"type":"ChannelDtmfReceived","timestamp":"2026-11-22T11:34:08.782+0000","digit":"1","duration_ms":120,'
    b'"channel":{"id":"bagvagt-page-p-1.0","name":"PJSIP/anna-00000002","state":"Up"},"application":"bagvagt"}'
)


def test_wanted_events() -> None:
    """The fields that are used, and what each event is about."""
    finished = decode_event(FINISHED)
    assert finished is not None
    assert (finished.type, finished.subject) == ("PlaybackFinished", "pbm")
    assert finished.playback is not None
    assert finished.playback.state == "failed"
    destroyed = decode_event(DESTROYED)
    assert destroyed is not None
    assert (destroyed.subject, destroyed.cause, destroyed.cause_txt) == ("bagvagt-say-1", 16, "Normal Clearing")
    pressed = decode_event(PRESSED)
    assert pressed is not None
    assert (pressed.subject, pressed.digit) == ("bagvagt-page-p-1.0", "1")


def test_other_events_are_left_out() -> None:
    """What nobody waits for is None, whatever fields it has."""
    assert decode_event('{"type":"ChannelVarset","variable":"X","value":"1"}') is None


@pytest.mark.parametrize("frame", ["", "{", "[]", '{"type":5}', '{"no":"type"}', '{"type":"StasisStart","channel":5}'])
def test_no_event(frame: str) -> None:
    """What is no ARI event is a PbxProtocolError, at every cut of a real one too."""
    with pytest.raises(PbxProtocolError):
        decode_event(frame)


def test_every_cut_of_an_event_is_an_error() -> None:
    """A frame that is cut short never passes for an event."""
    for end in range(len(FINISHED)):
        with pytest.raises(PbxProtocolError):
            decode_event(FINISHED[:end])


def test_answers() -> None:
    """Statistics and bridges keep the fields that count; errors give their message."""
    statistics = decode_statistics(b'{"txcount":171,"rxcount":171,"local_ssrc":7,"txoctetcount":27360,"x":0.5}')
    assert (statistics.txcount, statistics.txoctetcount, statistics.local_ssrc) == (171, 27360, 7)
    assert decode_bridge(b'{"id":"b","channels":["1.0","1.1"],"name":""}').channels == ("1.0", "1.1")
    assert error_text(b'{"message":"Channel not found"}') == "Channel not found"
    assert error_text(b"<html>oops") == "<html>oops"
    ringing, up = decode_channels(b'[{"id":"a","state":"Ringing","caller":{"number":"1"}},{"id":"b","state":"Up"}]')
    assert (ringing.id, ringing.state, up.id, up.state) == ("a", "Ringing", "b", "Up")
    assert decode_variable(b'{"value":"{}"}') == "{}"
    for broken in (decode_statistics, decode_bridge, decode_channels, decode_variable):
        with pytest.raises(PbxProtocolError):
            broken(b'{"message":"no"}')
