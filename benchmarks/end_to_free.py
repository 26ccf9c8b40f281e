"""From the key that ends a call to the BYE at the agent's phone, beside a bare AMI Redirect of the caller.

Run: `python -m benchmarks.end_to_free [--samples N] [--load CALLS]`. Each sample is a fresh call on a real Asterisk;
the sides take turns. Two situations: a kind that may be ended at once (the shortest way), and a call in which the
caller heard a warning first, so that the announcer stands in the bridge. The bare side redirects the caller of a plain
call to the same closing message, on a connection that is open.
"""

import asyncio
import time

from benchmarks.figures import SUMMARY_HEAD, Result, against, arguments, machine, report, summary
from benchmarks.rig import Rig, rig
from tests.lab.waiting import until

P50 = 1.25
SIDES = ("at once", "bare", "after a warning")


async def warn(on: Rig) -> None:
    """Warn the caller; return when there is evidence that it was heard."""

    def warned() -> int:
        return sum(step.endswith("→warned") for line in on.service.said("decided") for step in line["moved"])

    before = warned()
    _, answer = await on.press("warn")
    assert answer["verdict"] == "accepted", answer
    await until(lambda: warned() > before, 8, "evidence that the caller heard the warning")


async def sample(on: Rig, side: str) -> float:
    """Return the time from key to BYE of one fresh call, in seconds.

    Raises:
        TimeoutError: the agent's phone was not free in time.
    """
    await on.phones(do="call")
    leg = await on.bare.leg()
    if side == "after a warning":
        await warn(on)
        await asyncio.sleep(0.3)
    if side == "bare":
        at = await on.bare.redirect(leg)
    else:
        at, answer = await on.press("warn" if side == "after a warning" else "end")
        assert answer["verdict"] == "accepted", answer
    said = await on.phones(do="bye")
    await on.phones(do="end")
    if said["at"] is None:
        raise TimeoutError(f"{side}: the agent's phone was not free")
    assert said["caller_up"], f"{side}: the caller did not stay for the closing message"
    return float(said["at"]) - at


async def measure(on: Rig, samples: int) -> dict[str, list[float]]:
    """Measure the sides in turns."""
    times: dict[str, list[float]] = {side: [] for side in SIDES}
    for number in range(samples + 1):
        for side in SIDES:
            try:
                took = await sample(on, side)
            except TimeoutError as error:
                print(f"  sample lost: {error}")
                continue
            if number:  # the first warms up
                times[side].append(took)
    return times


async def main() -> None:
    """Measure."""
    parser = arguments(__doc__)
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--load", type=int, default=0, help="other calls with RTP")
    options = parser.parse_args()
    began = time.monotonic()
    async with rig(options.load) as on:
        await on.load(options.load)
        print(f"{await on.loaded()}; {machine()}")
        times = await measure(on, options.samples)
    print(SUMMARY_HEAD)
    for side in SIDES:
        print(summary(f"end key to free, {side}", times[side]))
    print(f"{time.monotonic() - began:.0f} s; {machine()}\n")
    results: list[Result] = [
        against(f"end key to free, {side}, {options.load} calls", 0.5, times[side], times["bare"], P50)
        for side in SIDES
        if side != "bare"
    ]
    report(results, options.results)


if __name__ == "__main__":
    asyncio.run(main())
