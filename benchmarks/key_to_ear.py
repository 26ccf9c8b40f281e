"""From a key to the first loud packet at the caller's phone, beside the bare PBX: the same ARI calls from a script.

Run: `python -m benchmarks.key_to_ear [--loads 0,50,200] [--samples N]`. Each sample is a fresh call on a real Asterisk;
the sides take turns. The key is an HTTP POST on a connection that is kept alive. The bare script already knows the
caller's leg, and begins when its own turn comes; it knows no rules and keeps no journal.
"""

import asyncio
import sys

from benchmarks.figures import SUMMARY_HEAD, Result, against, arguments, machine, report, summary
from benchmarks.rig import Rig, rig

P50, P99 = 1.10, 1.20
SIDES = ("service", "bare")


async def sample(on: Rig, side: str) -> float | None:
    """Return the time from key to ear of one fresh call, in seconds; None when the caller heard nothing."""
    up = await on.phones(do="call")
    leg = await on.bare.leg()
    announcer = ""
    if side == "service":
        at, answer = await on.press("warn")
        assert answer["verdict"] == "accepted", answer
    else:
        at, announcer = await on.bare.announce(leg)
    heard = (await on.phones(do="loud"))["at"] if up["up"] else None
    if announcer:
        await on.bare.hang_up(announcer)
    await on.phones(do="end")
    return None if heard is None else heard - at


async def at_load(on: Rig, load: int, samples: int) -> list[Result]:
    """Measure both sides in turns."""
    await on.load(load)
    print(f"\n{load} other calls: {await on.loaded()}; {machine()}")
    times: dict[str, list[float]] = {side: [] for side in SIDES}
    unheard = dict.fromkeys(SIDES, 0)
    for number in range(samples + 1):
        for side in SIDES:
            took = await sample(on, side)
            if number and took is not None:  # the first fills caches: Asterisk has not fetched the prompt yet
                times[side].append(took)
            elif number:
                unheard[side] += 1
    print(SUMMARY_HEAD)
    for side in SIDES:
        print(summary(f"key to ear, {side}", times[side]) + (f"   NOT HEARD: {unheard[side]}" if unheard[side] else ""))
    print(f"after: {await on.loaded()}; {machine()}")
    what = f"key to ear, {load} calls"
    return [against(what, share, times["service"], times["bare"], most) for share, most in ((0.5, P50), (0.99, P99))]


async def main() -> None:
    """Measure at each load."""
    parser = arguments(__doc__)
    parser.add_argument("--loads", default="0,50,200")
    parser.add_argument("--samples", type=int, default=60)
    options = parser.parse_args()
    loads = sorted(map(int, options.loads.split(",")))
    async with rig(max(loads)) as on:
        results = [r for load in loads for r in await at_load(on, load, options.samples)]
    print()
    report(results, options.results)
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
