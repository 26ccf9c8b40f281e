"""The snippets as text, and the pure rules beside the procedures. That Asterisk takes them is shown in the lab."""

from dataclasses import replace

import pytest

from adapters.asterisk.ari_codec import Statistics
from adapters.asterisk.check_dialplan import dialplan_of
from adapters.asterisk.deafness import packet_s, was_sent
from adapters.asterisk.snippets import CONTEXTS, AsteriskSide, Media, asterisk_snippets

SIDE = AsteriskSide(keys={"warn": "*91", "acute": "*92"}, speed_dials={"warn": "8591"}, key_token="0a1b")


def test_the_same_values_give_the_same_text() -> None:
    """Deterministic, and complete: a manager user, an ARI user, features, the dialplan."""
    files = asterisk_snippets(SIDE)
    assert files == asterisk_snippets(replace(SIDE))
    assert set(files) == {f"{name}.d/bagvagt.conf" for name in ("manager", "ari", "features", "extensions")}
    assert {step[0] for step in dialplan_of(files["extensions.d/bagvagt.conf"])} == set(CONTEXTS)


def test_least_privileges() -> None:
    """The manager user gets these rights and no others."""
    manager = asterisk_snippets(SIDE)["manager.d/bagvagt.conf"]
    assert [line for line in manager.splitlines() if line.startswith(("read=", "write="))] == [
        "read=call,agent,dtmf,user",
        "write=call,agent,reporting",
    ]


@pytest.mark.parametrize(
    "side",
    [
        replace(SIDE, ami_secret="x\nread=all"),
        replace(SIDE, ari_password="x;y"),
        replace(SIDE, permit="0.0.0.0/0 ,x"),
        replace(SIDE, keys={"warn": "*91,1"}),
        replace(SIDE, keys={"warn)": "*91"}),
        replace(SIDE, keys={"warn": "*91", "acute": "*91"}),
        replace(SIDE, speed_dials={"warn": "8591", "acute": "8591"}),
        replace(SIDE, speed_dials={"warn": "*92"}),
        replace(SIDE, speed_dials={"warn": "8591,1"}),
        replace(SIDE, key_token=""),
        replace(SIDE, key_token="a)b"),
    ],
)
def test_what_would_mean_something_else_is_refused(side: AsteriskSide) -> None:
    """A value that an Asterisk config file would read as more than a value is never written."""
    with pytest.raises(ValueError, match=r"."):
        asterisk_snippets(side)


@pytest.mark.parametrize("base", ["http://x/prompts", "sound:http://x/a b", "sound:x,y", "sound:${X}", ""])
def test_media_bases_that_are_none(base: str) -> None:
    """Only `sound:…` without anything that the dialplan would take for its own."""
    with pytest.raises(ValueError, match="media base"):
        Media(base)


def test_media() -> None:
    """A URL keeps the suffix, a file of Asterisk's has none."""
    assert Media("sound:http://10.0.0.1:8480/prompts").uri("warning", "da") == (
        "sound:http://10.0.0.1:8480/prompts/da/warning.wav"
    )
    assert Media("sound:bagvagt").file("warning", "sv-fi") == "bagvagt/sv-fi/warning"


@pytest.mark.parametrize(
    ("packets", "octets", "seconds"), [(100, 16000, 0.02), (50, 16000, 0.04), (67, 16080, 0.03), (100, 2000, 0.02)]
)
def test_the_length_of_a_packet_shows_in_its_size(packets: int, octets: int, seconds: float) -> None:
    """G.711 in packets of 20, 30 and 40 ms, and G.729."""
    assert packet_s(packets, octets) == seconds


@pytest.mark.parametrize(
    ("packets", "octets", "whole"),
    [(100, 16000, True), (91, 14560, True), (89, 14240, False), (50, 8000, False), (50, 16000, True), (0, 0, False)],
)
def test_evidence_tells_all_from_some(packets: int, octets: int, whole: bool) -> None:  # noqa: FBT001 - a table
    """Two seconds of media: nine tenths of the packets are all of it, half of them are only all when each is long."""
    before = Statistics(1000, 160_000, 7)
    assert was_sent(before, Statistics(1000 + packets, 160_000 + octets, 7), 2.0) == (packets, whole)


def test_a_new_stream_counts_from_nothing() -> None:
    """A leg whose RTP began anew meanwhile has been sent what its new counter says, and not more."""
    assert was_sent(Statistics(1000, 160_000, 7), Statistics(30, 4800, 8), 2.0) == (30, False)
