"""Keys that reach the tracker: whose, in which leg, and which are none."""

import pytest

from policies.model import CallId, Source
from tests.adapters.asterisk.transcripts.world import AGENT7, World, message, told, world


def test_feature_code() -> None:
    """A feature code names the key, the agent and the leg that it was pressed in; the call stays as it is."""
    w = world()
    w.talk()
    event = message("UserEvent", Channel="PJSIP/agent7-1.2", Uniqueid="1.2", UserEvent="BagvagtKey", Key="warn")
    (seen,) = w.tell(event)
    assert told([seen]) == [("warn", AGENT7, "1.2", Source.CODE)]
    assert getattr(seen, "pressed_at", None) == w.at
    assert w.tell(message("UserEvent", Uniqueid="1.2", UserEvent="Other", Key="warn")) == []


@pytest.mark.parametrize("token", [None, "", "right ", "wrong", "r\u00eeght"])
def test_a_key_without_the_token_is_none(token: str | None) -> None:
    """Only an event with the site's own token is a key; the last line counts, since a caller's lines come before."""
    w = World(key_token="right")
    w.member("agent7")
    w.talk()
    fields = {"Channel": "PJSIP/agent7-1.2", "Uniqueid": "1.2", "UserEvent": "BagvagtKey", "Key": "warn"}
    given = {} if token is None else {"Token": token}
    assert w.tell(message("UserEvent", **fields, **given)) == []
    assert told(w.tell(message("UserEvent", **fields, Token="right"))) == [("warn", AGENT7, "1.2", Source.CODE)]
    twice = message("UserEvent", **fields, Token="right")
    twice.text += "\r\nToken: wrong"
    assert w.tell(twice) == []


def test_lines_in_a_callers_number() -> None:
    """Lines that a number brought name another leg, queue and language: what stands after the number is true."""
    w = world()
    w.talk("9.1", "9.2", bridge="b9")
    other = w.call
    forged = "1\r\nUniqueid: 9.1\r\nLanguage: sv\r\nChannelState: 0\r\nBridgeUniqueid: b9"
    w.channel("1.1", "PJSIP/trunk-1.1", number=forged)
    w.channel("1.2", "PJSIP/agent7-1.2", 0)
    w.enter("b1", "1.2", "1.1", number=forged)
    assert {c.id for c in w.tracker.calls_of(AGENT7)} == {"1.1", "9.1"}
    assert w.tracker.call(CallId("9.1")) == other
    assert w.tracker.legs_in("b9") == ("9.2", "9.1")
    call = w.tracker.call(CallId("1.1"))
    assert call is not None
    assert (call.bridge, call.language) == ("b1", "en")


def test_speed_dial() -> None:
    """A speed dial names the agent of the phone and no leg; its channel is never a call, whatever it is bridged to."""
    w = world()
    w.talk()
    w.channel("2.1", "PJSIP/agent7-9", 4)
    fields = {"Channel": "PJSIP/agent7-9", "Uniqueid": "2.1", "UserEvent": "BagvagtKey", "Key": "warn"}
    assert told(w.tell(message("UserEvent", **fields, Source="speed_dial"))) == [
        ("warn", AGENT7, None, Source.SPEED_DIAL)
    ]
    w.channel("2.2", "PJSIP/trunk-10")
    assert w.enter("b9", "2.1", "2.2") == []
    assert [c.id for c in w.tracker.calls_of(AGENT7)] == ["1.1"]


def test_key_of_nobody() -> None:
    """A key from a leg that is no agent's, from nowhere, or without a name, does nothing."""
    w = world()
    w.talk()
    for fields in ({"Uniqueid": "1.1", "Key": "warn"}, {"Key": "warn"}, {"Uniqueid": "1.2"}):
        assert w.tell(message("UserEvent", UserEvent="BagvagtKey", **fields)) == []


def test_key_before_its_channel_is_known() -> None:
    """Asterisk's own channel name says whose key it is, should the leg not be known."""
    w = world()
    fields = {"Channel": "PJSIP/agent7-00000009", "Uniqueid": "7.7", "UserEvent": "BagvagtKey", "Key": "warn"}
    assert told(w.tell(message("UserEvent", **fields))) == [("warn", AGENT7, None, Source.CODE)]
