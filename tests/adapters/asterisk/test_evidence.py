"""What speaks against a prompt that is over, row by row; what a real Asterisk shows is in `tests/asterisk`."""

import pytest

from adapters.asterisk.ari_codec import Bridge, Statistics
from adapters.asterisk.evidence import GONE, judge, speaks_against
from adapters.asterisk.legs import LegNews
from policies.events import Played
from policies.model import LegId
from telephony.errors import PbxError

CALLER, AGENT, VOICE = LegId("caller"), LegId("agent"), LegId("voice")
MIXED = Bridge("b", (CALLER, AGENT, VOICE), "softmix")
NATIVE = Bridge("b", (CALLER, AGENT, VOICE), "native_rtp")
WITHOUT_VOICE = Bridge("b", (CALLER, AGENT), "softmix")
WITHOUT_CALLER = Bridge("b", (AGENT, VOICE), "softmix")
UNREAD = PbxError("GET /bridges", "no answer")


@pytest.mark.parametrize(
    ("how", "at_begin", "at_end", "news", "played"),
    [
        ("done", MIXED, MIXED, set(), None),
        ("done", WITHOUT_VOICE, MIXED, set(), Played.NOT_HEARD),
        ("done", MIXED, WITHOUT_VOICE, set(), Played.NOT_HEARD),
        ("done", MIXED, NATIVE, set(), Played.NOT_HEARD),
        ("done", UNREAD, MIXED, set(), Played.NOT_HEARD),
        ("done", MIXED, UNREAD, set(), Played.NOT_HEARD),
        ("done", MIXED, WITHOUT_CALLER, set(), Played.FAILED),
        ("done", MIXED, MIXED, {LegNews.LEFT}, Played.FAILED),
        ("done", MIXED, MIXED, {LegNews.GONE}, Played.FAILED),
        ("done", MIXED, MIXED, {LegNews.HELD}, None),
        ("failed", WITHOUT_VOICE, MIXED, set(), Played.FAILED),
        (GONE, MIXED, WITHOUT_VOICE, set(), Played.NOT_HEARD),
        (GONE, MIXED, Bridge("b"), set(), Played.FAILED),
        ("done", MIXED, MIXED, {LegNews.LOST}, Played.UNKNOWN),
        (GONE, UNREAD, UNREAD, {LegNews.LOST}, Played.UNKNOWN),
    ],
)
def test_only_what_was_said_beside_the_caller_counts(
    how: str, at_begin: Bridge | PbxError, at_end: Bridge | PbxError, news: set[LegNews], played: Played | None
) -> None:
    """None means that nothing speaks against it; each other row is its own way not to be heard."""
    wrong = speaks_against(CALLER, VOICE, how, (at_begin, at_end), news)
    assert (wrong.played if wrong is not None else None) is played


@pytest.mark.parametrize(
    ("before", "after", "played"),
    [
        (Statistics(100, 16000), Statistics(200, 32000), Played.HEARD),
        (Statistics(100, 16000), Statistics(150, 24000), Played.NOT_HEARD),
        (UNREAD, Statistics(200, 32000), Played.NOT_HEARD),
        (Statistics(100, 16000), UNREAD, Played.NOT_HEARD),
    ],
)
def test_the_whole_play_times_packets_are_needed(
    before: Statistics | PbxError, after: Statistics | PbxError, played: Played
) -> None:
    """Two seconds are a hundred packets of 20 ms; what could not be read is not heard."""
    assert judge(before, after, 2.0).played is played
