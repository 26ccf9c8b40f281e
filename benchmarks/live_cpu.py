"""CPU per queue call of following a PBX, at 100 calls a second, beside panoramisk on the same stream.

Run: `python -m benchmarks.live_cpu [--rounds N] [--per-s CALLS]`. The recording of 500 calls is replayed over loopback
sockets by a process of its own: phones that make 100 calls/s would need more than this machine has beside the PBX.
Ours is the whole service as it runs (decoder, tracker, HTTP, timers, watchdog); panoramisk is a bare client with one
callback that does nothing. Each logs in as it does by itself, and panoramisk a second time with our mask, which is
nobody's default. CPU is that of the process, user and system, while the replay lasts; all hear the same replay.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import psutil

from benchmarks.child import Child
from benchmarks.fake_pbx import CALLS
from benchmarks.figures import Result, arguments, machine, report
from benchmarks.site import KEYS, SITE
from tests.lab.service import Service

SHARE = 1 / 3
OURS, THEIRS, MASKED = "bagvagt, whole service", "panoramisk", "panoramisk, masked"
MASK = "call,agent,user,dtmf"
PANORAMISK = """
import asyncio, sys
from panoramisk import Manager
async def main():
    manager = Manager(host="127.0.0.1", port=int(sys.argv[1]), username="x", secret="x", events=sys.argv[2])
    manager.register_event("*", lambda manager, event: None)
    await manager.connect()
    print("{}", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


async def follower(port: int, events: str) -> asyncio.subprocess.Process:
    """Start panoramisk."""
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PANORAMISK, str(port), events), stdout=asyncio.subprocess.PIPE
    )
    assert made.stdout is not None
    await asyncio.wait_for(made.stdout.readline(), 20)
    return made


def cpu_s(pid: int) -> float:
    """Return user and system time of a process so far."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


async def measure(options: argparse.Namespace, folder: Path) -> list[Result]:
    """Let all of them hear the same replay."""
    pbx = await Child.start("benchmarks.fake_pbx")
    ports = await pbx.read()
    service = Service(folder, SITE + KEYS)
    service.token("agent1", "agent", agent="agent1")
    service.write(ami_port=ports["ami"], ari_port=ports["ari"])
    plain = await follower(ports["ami"], "on")
    masked = await follower(ports["ami"], MASK)
    try:
        await service.start()
        process = service._process  # noqa: SLF001 - its CPU is what is measured
        assert process is not None
        sides = {OURS: process.pid, THEIRS: plain.pid, MASKED: masked.pid}
        await pbx.ask(do="replay", rounds=(0, 1), per_s=options.per_s)
        before = {name: cpu_s(pid) for name, pid in sides.items()}
        said = await pbx.ask(600.0, do="replay", rounds=(1, 1 + options.rounds), per_s=options.per_s)
        used = {name: (cpu_s(pid) - before[name]) / (CALLS * options.rounds) for name, pid in sides.items()}
        rate = CALLS * options.rounds / said["took_s"]
    finally:
        await service.kill()
        for process in (plain, masked):
            process.kill()
            await process.wait()
        await pbx.close()
    lost = [m["lost"] for m in said["managers"] if m["lost"]]
    print(f"{rate:.0f} calls/s for {said['took_s']:.0f} s; connections lost: {lost or 'none'}; {machine()}")
    for name, seconds in used.items():
        print(f"{name:<26}{seconds * 1e3:>8.3f} ms per call{seconds * rate * 100:>8.1f} % of a core")
    assert not lost
    ours, theirs, same_mask = used[OURS], used[THEIRS], used[MASKED]
    note = f"{rate:.0f} calls/s replayed"
    what = "live CPU per call"
    beside = f"{what}, panoramisk with our mask (not promised)"
    return [
        Result(what, f"{ours * 1e3:.2f} ms", f"panoramisk {theirs * 1e3:.2f} ms", ours / theirs, SHARE, note=note),
        Result(beside, f"{ours * 1e3:.2f} ms", f"{same_mask * 1e3:.2f} ms", ours / same_mask, 1.0, note=note),
    ]


async def main() -> None:
    """Measure."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=6, help="of 500 calls")
    parser.add_argument("--per-s", type=float, default=100.0, help="calls a second")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bagvagt-bench-") as folder:
        results = await measure(options, Path(folder))
    report(results, options.results)


if __name__ == "__main__":
    asyncio.run(main())
