"""From AMI bytes to tracker state: events per second of one core, beside panoramisk that calls back for each event.

Run: `python -m benchmarks.ami_tracker [--rounds N]`. Same capture and same turns as `benchmarks.ami_parse`; the tracker
keeps the state of every call and queue member, makes caller tags with HMAC, and emits what changed.
"""

import argparse
import asyncio
import hmac
from datetime import UTC, datetime
from functools import partial
from itertools import count

from adapters.asterisk.ami_codec import AmiDecoder
from adapters.asterisk.tracker import Tracker
from benchmarks.ami_parse import EVENTS, Feed, compare, panoramisk, reads, table
from policies.events import CallChanged, CallEnded
from telephony.ports import Seen

WANTED_RATIO = 6.0
CALLS = 500


def caller_tag(number: str) -> str:
    """Return what a site would keep of a number."""
    return f"{hmac.digest(b'key', number.encode(), 'sha256').hex()[:16]}…{number[-2:]}"


def new_tracker(seen: list[Seen]) -> Tracker:
    """Make a tracker that appends what it emits to `seen`."""
    numbers = count()
    return Tracker(
        caller_tag=caller_tag,
        language_of=lambda _queue, channel: channel,
        emit=seen.append,
        new_id=lambda: f"e{next(numbers)}",
        now=partial(datetime.now, UTC),
    )


def tracked(seen: list[Seen] | None = None) -> Feed:
    """Make our decoder with a tracker behind it."""
    tracker = new_tracker([] if seen is None else seen)
    decoder = AmiDecoder(Tracker.WANTED)

    def feed(data: bytes) -> None:
        for message in decoder.feed(data):
            tracker.apply(message)

    return feed


def check() -> None:
    """See that the tracker does its work at this speed: every call of the capture began, had an agent, and ended."""
    seen: list[Seen] = []
    feed = tracked(seen)
    for piece in reads():
        feed(piece)
    assert len({e.call.id for e in seen if isinstance(e, CallChanged) and e.call.agent}) == CALLS
    assert len([e for e in seen if isinstance(e, CallEnded)]) == CALLS
    print(f"{CALLS} calls followed from first to last; {len(seen):,} events emitted")


async def _main(rounds: int) -> None:
    check()
    rates = compare({"panoramisk": panoramisk, "bytes -> tracker": tracked}, rounds)
    print(f"AMI events/s of one core, {rounds} rounds over {EVENTS:,} events; wanted: at least {WANTED_RATIO:g}x")
    print(table(rates))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    asyncio.run(_main(parser.parse_args().rounds))
