"""Keys that were told late: when they were pressed, and which calls stood then."""

from datetime import timedelta

from telephony.ports import CodePressed
from tests.adapters.asterisk.transcripts.world import AGENT7, NIGHT, World, message, world


def press(w: World, stamp: str = "1800000000") -> CodePressed:
    """Let agent7 press the feature code in the leg 1.2."""
    fields = {"Channel": "PJSIP/agent7-1.2", "Uniqueid": "1.2", "UserEvent": "BagvagtKey", "Key": "warn", "At": stamp}
    (seen,) = w.tell(message("UserEvent", **fields))
    assert isinstance(seen, CodePressed)
    return seen


def test_a_key_carries_the_time_that_its_stamp_means() -> None:
    """The key is as old as the PBX says, whenever it was told."""
    w = world()
    w.talk()
    w.tracker._when = {"1800000000": NIGHT + timedelta(seconds=4)}.__getitem__
    assert press(w).pressed_at == NIGHT + timedelta(seconds=4)


def test_a_call_that_the_pbx_told_before_the_key_stood_when_it_was_pressed() -> None:
    """All of it was seen late: the join, and then the key; by our clock the key came first, and is in the call yet."""
    w = world()
    w.talk()
    pressed_at = NIGHT + timedelta(seconds=1)
    before = w.call
    assert before.joined_at is not None
    assert before.joined_at > pressed_at
    w.tracker._when = lambda _stamp: pressed_at
    assert press(w).pressed_at == pressed_at
    assert w.call.joined_at == pressed_at
    assert [call.id for call in w.tracker.calls_of(AGENT7)] == [before.id]


def test_a_key_in_time_changes_no_call() -> None:
    """The call is as it was, with the time at which the agent came."""
    w = world()
    w.talk()
    before = w.call
    press(w)
    assert w.call == before
