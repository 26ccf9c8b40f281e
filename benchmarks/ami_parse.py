"""AMI events per second of one core, over a capture of 500 queue calls on a real Asterisk 22.

Run: `python benchmarks/ami_parse.py [--rounds N]`. The sides take turns within each round, so that a machine that
slows down slows all of them; a ratio is taken within its round.

A side is a name and a function that makes a fresh `feed`: it takes the bytes of one read, and does all that this side
does with them. To measure another, add it to `SIDES`.
"""

import argparse
import asyncio
import gc
import lzma
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from panoramisk import Manager
from panoramisk.ami_protocol import AMIProtocol

from adapters.asterisk.ami_codec import AmiDecoder

CAPTURE = Path(__file__).parent / "data" / "ami_500.bin.xz"
EVENTS = 45_005
READ_BYTES = 65_536
# What tracking a queue call takes; the capture was made with every event class on.
WANTED = frozenset(
    {
        *("Newchannel", "Newstate", "NewConnectedLine", "NewCallerid", "Hangup", "DialBegin", "DialEnd"),
        *("BridgeCreate", "BridgeEnter", "BridgeLeave", "BridgeDestroy", "AgentCalled", "AgentConnect"),
        *("AgentComplete", "QueueCallerJoin", "QueueCallerLeave", "QueueMemberStatus", "UserEvent", "DTMFEnd"),
    }
)

Feed = Callable[[bytes], object]
MakeFeed = Callable[[], Feed]


def panoramisk() -> Feed:
    """Make panoramisk's own protocol, with one callback for every event."""
    manager = Manager()
    manager.register_event("*", lambda _manager, _event: None)
    protocol = AMIProtocol()
    protocol.connection_made(SimpleNamespace(close=lambda: None))
    protocol.factory = manager
    protocol.encoding = "utf8"
    return protocol.data_received  # type: ignore[no-any-return]  # untyped library


def codec_names() -> Feed:
    """Make our decoder: wanted messages, no field looked up."""
    return AmiDecoder(WANTED).feed


def codec_fields() -> Feed:
    """Make our decoder, and look up the four fields that most wanted events are read for."""
    decoder = AmiDecoder(WANTED)

    def feed(data: bytes) -> None:
        for message in decoder.feed(data):
            message.get("Channel")
            message.get("Uniqueid")
            message.get("Linkedid")
            message.get("BridgeUniqueid")

    return feed


def codec_everything() -> Feed:
    """Make our decoder without a filter, and a dict of every field of every event."""
    decoder = AmiDecoder()

    def feed(data: bytes) -> None:
        for message in decoder.feed(data):
            message.fields()

    return feed


SIDES: dict[str, MakeFeed] = {
    "panoramisk": panoramisk,
    "codec, names only": codec_names,
    "codec, 4 fields": codec_fields,
    "codec, every field": codec_everything,
}
"""The first is what the others are compared with."""


def reads() -> list[bytes]:
    """Return the capture, cut as a socket would hand it out under load."""
    capture = lzma.decompress(CAPTURE.read_bytes())
    return [capture[at : at + READ_BYTES] for at in range(0, len(capture), READ_BYTES)]


def measure(make: MakeFeed, pieces: list[bytes]) -> float:
    """Return events per second of CPU time (not wall time: other work on the machine is not ours)."""
    feed = make()
    gc.collect()
    start = time.process_time()
    for piece in pieces:
        feed(piece)
    return EVENTS / (time.process_time() - start)


def compare(sides: dict[str, MakeFeed], rounds: int) -> dict[str, list[float]]:
    """Return events/s of each side in each round, after one round that is not counted."""
    pieces = reads()
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, make in sides.items():
            rate = measure(make, pieces)
            if number:
                rates[name].append(rate)
    return rates


def table(rates: dict[str, list[float]]) -> str:
    """Return the figures as text; the ratio is the median of the rounds' ratios to the first side."""
    base = next(iter(rates.values()))
    lines = [f"{'side':<22}{'median':>10}{'min':>10}{'max':>10}{'ratio':>8}{'(min':>8} {'max)':>7}"]
    for name, values in rates.items():
        ratios = [value / other for value, other in zip(values, base, strict=True)]
        figures = "".join(f"{f(values):>10,.0f}" for f in (statistics.median, min, max))
        lines.append(f"{name:<22}{figures}{statistics.median(ratios):>7.1f}x{min(ratios):>7.1f}x{max(ratios):>7.1f}x")
    return "\n".join(lines)


async def _main(rounds: int) -> None:
    # In a running loop, since panoramisk starts a task at FullyBooted; nothing here waits.
    print(f"AMI events/s of one core, {rounds} rounds over {EVENTS:,} events")
    print(table(compare(SIDES, rounds)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    asyncio.run(_main(parser.parse_args().rounds))
