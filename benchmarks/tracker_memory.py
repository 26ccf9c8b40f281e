"""Memory of the tracker per call that is up, as `tracemalloc` counts it.

Run: `python -m benchmarks.tracker_memory [--calls N]`. The calls come as a PBX sends them, through the decoder, each
with a caller, an agent of one of two queues, and a bridge; the events that were emitted are dropped, as the engine does
for calls that nobody guards.
"""

import argparse
import gc
import tracemalloc
from datetime import UTC, datetime
from itertools import count

from adapters.asterisk.ami_codec import AmiDecoder
from adapters.asterisk.tracker import Tracker
from benchmarks.ami_tracker import caller_tag

WANTED_BYTES = 2.5 * 1024


def frame(name: str, **fields: str | int) -> str:
    """Return one event on the wire."""
    lines = [f"Event: {name}", "Privilege: call,all", *(f"{key}: {value}" for key, value in fields.items())]
    return "\r\n".join(lines) + "\r\n\r\n"


def member(number: int) -> str:
    """Return the event that makes an agent."""
    fields = {"Interface": f"PJSIP/agent{number}", "StateInterface": f"PJSIP/agent{number}", "Membership": "static"}
    return frame("QueueMemberAdded", Queue=f"queue{number % 2}", **fields, LastCall=0, InCall=0, Status=1, Paused=0)


def call(number: int) -> str:
    """Return the events that bring one call up."""
    caller, agent = f"1795316408.{2 * number}", f"1795316408.{2 * number + 1}"
    names = {caller: f"PJSIP/trunk-{2 * number:08x}", agent: f"PJSIP/agent{number}-{2 * number + 1:08x}"}
    bridge = f"e5542116-7e11-4f21-8457-{number:012x}"
    text = ""
    for uid, state in ((caller, 4), (agent, 0)):
        fields = {"Channel": names[uid], "CallerIDNum": f"+45{number:08}", "Language": "da", "Uniqueid": uid}
        text += frame("Newchannel", ChannelState=state, **fields)
        text += frame("QueueCallerJoin", Uniqueid=uid, Queue=f"queue{number % 2}") if uid == caller else ""
        text += frame("Newstate", ChannelState=6, ChannelStateDesc="Up", Uniqueid=uid)
    for uid in (agent, caller):
        fields = {"Channel": names[uid], "CallerIDNum": f"+45{number:08}", "Language": "da", "Uniqueid": uid}
        text += frame("BridgeEnter", BridgeUniqueid=bridge, **fields)
    return text


def main(calls: int) -> None:
    """Measure and print."""
    numbers = count()
    tracker = Tracker(
        caller_tag=caller_tag,
        language_of=lambda _queue, channel: channel,
        emit=lambda _seen: None,
        new_id=lambda: f"e{next(numbers)}",
        now=lambda: datetime.now(UTC),
    )
    decoder = AmiDecoder(Tracker.WANTED)

    def feed(text: str) -> None:
        for message in decoder.feed(text.encode()):
            tracker.apply(message)

    for number in range(calls):
        feed(member(number))
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(calls):
        feed(call(number))
    gc.collect()
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    live = tracker.snapshot()[0]
    assert len(live) == calls
    assert all(each.agent is not None and each.bridge is not None for each in live)
    each = used / calls
    print(f"{calls:,} calls up: {used / 1024:,.0f} KiB, {each:,.0f} bytes per call")
    print(f"{each / WANTED_BYTES:.2f} of the {WANTED_BYTES:,.0f} bytes allowed; agents and queues are not counted in")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=5_000)
    main(parser.parse_args().calls)
