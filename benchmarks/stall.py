"""The store and the carrier of pages stand still for 30 s, at 100 calls a second of AMI events: what happens.

Run: `python -m benchmarks.stall [--stall-s N] [--per-s CALLS]`. The real service follows the replay of
`benchmarks.fake_pbx`, which cuts a slow reader off after 100 ms. In the middle another process takes the store's write
lock and holds it, and the SMS gateway takes requests and answers none; then an agent presses an acute key, and others
press keys as they would. Shown: no disconnect, every event taken, memory before, meanwhile and after.

That no event was lost is asked of the service itself: the replay ends in the middle of calls, and for each agent a key
says whether that agent has a call now. The recording says who has.
"""

import argparse
import asyncio
import contextlib
import math
import sqlite3
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from aiohttp import web

from benchmarks.child import Child
from benchmarks.fake_pbx import CALLS, Recording
from benchmarks.figures import Result, arguments, machine, report
from benchmarks.site import SITE
from tests.lab.service import Service

MEMORY_MIB = 64
"""The most that memory may have grown by the end of the stall: what is kept back is decisions, not events."""
SHARE = 0.4
PAGING = """
[sms.gateway]
url = "http://127.0.0.1:{sms_port}/sms"
body = '{"to": "{to}", "text": "{text}", "id": "{id}"}'

# A mark counts for a call that is up, and for no other: so the answer tells who has one.
[presses]
late_flag_s = 0

[keys.rude]
does = "flag"
kind = "rude"

[keys.threat]
does = "flag"
kind = "threat"

[kinds.rude]

[kinds.threat]
latched = true
page = "backup"

[people.anna]
sms = "+4520304051"

[pages.backup]
last_resort = "anna"

[[pages.backup.steps]]
people = ["anna"]
wait_s = 600
"""


class Gateway:
    """A carrier that can stand still.

    Attributes:
        asked: set by the next request.
        answers: cleared while it stands still.
    """

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()
        self.port = 0

    async def start(self) -> web.AppRunner:
        """Listen."""
        app = web.Application()
        app.router.add_post("/sms", self._take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        return runner

    async def _take(self, _request: web.Request) -> web.Response:
        self.asked.set()
        await self.answers.wait()
        return web.json_response({"id": "1"})


@dataclass
class Watched:
    """What was seen of the service, every quarter of a second.

    Attributes:
        rss_mib: its memory.
        lag_ms: the loop's lag, as it says itself.
        unsaved: decisions that the store has not taken.
    """

    rss_mib: list[float] = field(default_factory=list)
    lag_ms: list[float] = field(default_factory=list)
    unsaved: list[int] = field(default_factory=list)


async def watch(service: Service, pid: int, seen: Watched) -> None:
    """Look until cancelled."""
    async with aiohttp.ClientSession() as http:
        while True:
            seen.rss_mib.append(psutil.Process(pid).memory_info().rss / 1024 / 1024)
            async with http.get(f"{service.url}/healthz") as answer:
                health = await answer.json()
            seen.lag_ms.append(health["loop_lag_ms"])
            seen.unsaved.append(health["journal"]["unsaved"])
            await asyncio.sleep(0.25)


def in_calls(recording: Recording, number: int) -> set[str]:
    """Return the agents whose leg stands in a bridge with a caller where the replay of this round ends."""
    frames = list(recording.round(number))[: round(len(recording.frames) * SHARE)]
    bridges: dict[str, set[str]] = {}
    for frame, _ in frames:
        fields = dict(line.partition(": ")[::2] for line in frame.decode().split("\r\n"))
        legs = bridges.setdefault(fields.get("BridgeUniqueid", ""), set())
        if fields["Event"] == "BridgeEnter":
            legs.add(fields["Channel"])
        elif fields["Event"] == "BridgeLeave":
            legs.discard(fields["Channel"])
    both = [legs for bridge, legs in bridges.items() if bridge and len(legs) == 2]
    return {leg.partition("/")[2].rpartition("-")[0] for legs in both for leg in legs if "agent" in leg}


def rounds_of(options: argparse.Namespace) -> int:
    """Return how many rounds of the recording the run takes: ten seconds of them around the stall."""
    calls: float = options.per_s * (options.stall_s + 10)
    return round(calls / CALLS) + 1


class Stall:
    """One run."""

    def __init__(self, service: Service, gateway: Gateway, pbx: Child, options: argparse.Namespace) -> None:
        self._service, self._gateway, self._pbx, self._options = service, gateway, pbx, options

    async def press(self, agent: str, key: str, within_s: float = 60.0) -> dict[str, Any]:
        """Press a key for an agent."""
        headers = {"Authorization": f"Bearer {self._service.tokens[agent]}"}
        async with (
            aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(within_s)) as http,
            http.post(f"{self._service.url}/v1/keys/{key}") as answer,
        ):
            read: dict[str, Any] = await answer.json()
            return read

    async def stand_still(self, agents: list[str]) -> float:
        """Hold store and carrier; return after how many seconds the acute key's page went out."""
        lock = sqlite3.connect(self._service.folder / "bagvagt.sqlite3", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        self._gateway.answers.clear()
        until = time.monotonic() + self._options.stall_s
        others = [asyncio.create_task(self.press(agent, "rude")) for agent in agents[:20]]
        await asyncio.sleep(1.0)
        self._gateway.asked.clear()
        pressed_at, paged_s = time.monotonic(), math.inf
        acute = asyncio.create_task(self.press(agents[-1], "threat"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(until - time.monotonic()):
                await self._gateway.asked.wait()
                paged_s = time.monotonic() - pressed_at
        await asyncio.sleep(max(0.0, until - time.monotonic()))
        lock.execute("ROLLBACK")
        lock.close()
        self._gateway.answers.set()
        await asyncio.gather(acute, *others, return_exceptions=True)
        return paged_s

    async def run(self, agents: list[str]) -> tuple[float, dict[str, Any], set[str]]:
        """Replay, stand still, and ask who has a call at the end."""
        rounds = (0, rounds_of(self._options))
        replay = asyncio.create_task(
            self._pbx.ask(600.0, do="replay", rounds=rounds, per_s=self._options.per_s, share=SHARE)
        )
        await asyncio.sleep(4)
        paged_s = await self.stand_still(agents)
        said = await replay
        await asyncio.sleep(1)
        with_call = {agent for agent in agents if (await self.press(agent, "rude"))["reason"] != "no_call"}
        return paged_s, said, with_call


async def measure(options: argparse.Namespace, folder: Path) -> list[Result]:
    """Run it, and judge."""
    pbx = await Child.start("benchmarks.fake_pbx")
    ports = await pbx.read()
    agents = sorted(member.partition("/")[2] for member in ports["members"])
    gateway = Gateway()
    runner = await gateway.start()
    service = Service(folder, SITE + PAGING)
    for agent in agents:
        service.token(agent, "agent", agent=agent)
    service.write(ami_port=ports["ami"], ari_port=ports["ari"], sms_port=gateway.port)
    seen = Watched()
    try:
        await service.start()
        assert service._process is not None  # noqa: SLF001 - its memory is looked at
        watching = asyncio.create_task(watch(service, service._process.pid, seen))  # noqa: SLF001
        paged_s, said, with_call = await Stall(service, gateway, pbx, options).run(agents)
        watching.cancel()
    finally:
        await service.kill()
        await runner.cleanup()
        await pbx.close()
    expected = in_calls(Recording.load(), rounds_of(options) - 1)
    return judge(said, with_call, expected, seen, paged_s, options)


def judge(
    said: dict[str, Any],
    with_call: set[str],
    expected: set[str],
    seen: Watched,
    paged_s: float,
    options: argparse.Namespace,
) -> list[Result]:
    """Print the evidence; return the results."""
    lost = [m["lost"] for m in said["managers"] if m["lost"]]
    early, most, last = seen.rss_mib[8], max(seen.rss_mib), seen.rss_mib[-1]
    wrong = sorted(with_call ^ expected)
    print(f"{said['managers'][0]['events']:,} events sent in {said['took_s']:.0f} s; {machine()}")
    print(f"AMI connections: {len(said['managers'])}; lost: {lost or 'none'}")
    print(f"agents in a call at the end: {len(with_call)} by the service, {len(expected)} by the recording;", end=" ")
    print(f"differ: {wrong or 'none'}")
    print(f"memory: {early:.0f} MiB before the stall, {most:.0f} at most, {last:.0f} at the end")
    print(f"unsaved decisions: at most {max(seen.unsaved)}, at the end {seen.unsaved[-1]};", end=" ")
    print(f"loop lag at most {max(seen.lag_ms):.0f} ms")
    print(f"the acute page went out {paged_s:.2f} s after its key, the store standing still")
    name, note = f"store and pager stalled {options.stall_s:.0f} s", f"{options.per_s:.0f} calls/s replayed"
    return [
        Result(f"{name}: disconnects", str(len(lost)), "", len(lost), 0, note=note),
        Result(
            f"{name}: agents whose call is not known rightly",
            str(len(wrong)),
            "",
            len(wrong),
            0,
            note=f"{len(expected)} in calls",
        ),
        Result(
            f"{name}: memory grew by", f"{most - early:.0f} MiB", "", most - early, MEMORY_MIB, note="target in MiB"
        ),
    ]


async def main() -> None:
    """Measure."""
    parser = arguments(__doc__)
    parser.add_argument("--stall-s", type=float, default=30.0)
    parser.add_argument("--per-s", type=float, default=100.0, help="calls a second")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bagvagt-bench-") as folder:
        results = await measure(options, Path(folder))
    report(results, options.results)


if __name__ == "__main__":
    asyncio.run(main())
