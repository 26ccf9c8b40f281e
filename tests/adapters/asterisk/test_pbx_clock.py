"""When the PBX saw a key, told in our time."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.asterisk.ami_codec import AmiDecoder, Message
from adapters.asterisk.pbx_clock import PbxClock

NOW = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)
PBX_S = 1_800_000_000  # the PBX's clock is weeks off ours


class Rig:
    """A clock whose monotonic time a test moves; the PBX's clock goes with it."""

    def __init__(self) -> None:
        self.mono = 100.0
        self.clock = PbxClock(lambda: NOW, lambda: self.mono)

    def pong(self, at: float, took_s: float = 0.01) -> None:
        self.clock.pong(_reply(f"Timestamp: {at:.6f}"), took_s)

    def age_s(self, stamp: str) -> float:
        return (NOW - self.clock.when(stamp)).total_seconds()


def _reply(line: str) -> Message:
    decoder = AmiDecoder(None)
    return decoder.feed(f"Asterisk Call Manager/11\r\nResponse: Success\r\n{line}\r\n\r\n".encode())[0]


def test_a_key_that_was_long_on_its_way_is_as_old_as_the_pbx_says() -> None:
    """Stamped at 0, measured at 0, seen 8 s later: 7 s old, since the stamp may have been the second's end."""
    rig = Rig()
    rig.pong(PBX_S)
    rig.mono += 8
    assert rig.age_s(str(PBX_S)) == pytest.approx(7.0)


@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.99])
def test_a_key_in_time_is_new_whatever_the_second_it_fell_into(fraction: float) -> None:
    """Seen at once: no age at all, so that whatever compares times is as it was without a stamp."""
    rig = Rig()
    rig.pong(PBX_S)
    rig.mono += fraction
    assert rig.clock.when(str(PBX_S)) == NOW


@pytest.mark.parametrize("stamp", ["", "x", "-5", "٣", "1" * 12, "1.5"])
def test_without_a_stamp_it_is_now(stamp: str) -> None:
    """An older include sends none: the key counts as new, and nothing raises."""
    rig = Rig()
    rig.pong(PBX_S)
    assert rig.clock.when(stamp) == NOW


def test_before_the_first_pong_it_is_now() -> None:
    """Nothing is known of the PBX's clock yet."""
    assert Rig().clock.when(str(PBX_S)) == NOW


def test_a_pong_that_was_late_itself_makes_no_late_key_young() -> None:
    """The service stood still between a Ping and its reply: the measure before it stays."""
    rig = Rig()
    rig.pong(PBX_S)
    rig.mono += 9
    rig.pong(PBX_S + 1, took_s=9)
    assert rig.age_s(str(PBX_S + 1)) == pytest.approx(7.0)


def test_a_pbx_whose_clock_was_set_is_followed() -> None:
    """An hour back: once it was measured again, keys are new again; and an age is never more than a day."""
    rig = Rig()
    rig.pong(PBX_S)
    assert rig.age_s(str(PBX_S - 3600)) == pytest.approx(3599.0)
    rig.pong(PBX_S - 3600)
    assert rig.clock.when(str(PBX_S - 3600)) == NOW
    assert NOW - rig.clock.when("0") == timedelta(days=1)


def test_a_pong_without_the_time_changes_nothing() -> None:
    """An Asterisk that does not tell it."""
    rig = Rig()
    rig.pong(PBX_S)
    rig.clock.pong(_reply("Ping: Pong"), 0.01)
    rig.mono += 8
    assert rig.age_s(str(PBX_S)) == pytest.approx(7.0)
