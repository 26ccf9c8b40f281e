"""From the start of the service's process to "protection is on", with 500 calls up on a real Asterisk.

Run: `python -m benchmarks.restart [--calls N] [--rounds N]`. The calls are real SIP calls of queue members, by phones
that send no RTP: the PBX has to list them, not to carry them. The service is killed with -9 while the journal holds a
guarded call, and started again; `/healthz` is asked every 10 ms. Beside it stands a bare start: Python with the
service's own imports, which is the least that any restart of this command takes.
"""

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping

import aiohttp

from benchmarks.figures import Result, arguments, machine, percentile, report
from benchmarks.rig import Rig, rig
from tests.lab.service import Service

READY_S = 2.0
ASK_EVERY_S = 0.01
IMPORTS = """
import telephony.__main__, telephony.service
import adapters.from_settings, adapters.asterisk.from_settings, adapters.http.server, adapters.store.journal
import adapters.paging.pager, adapters.paging.mqtt
"""


@contextlib.asynccontextmanager
async def compiled(service: Service) -> AsyncIterator[None]:
    """Let the service keep its compiled modules, as an installed one does, whatever this machine's settings are."""
    with tempfile.TemporaryDirectory(prefix="bagvagt-bench-pyc-") as folder:
        service.environment |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": folder}
        yield


async def ready(service: Service) -> float:
    """Start the service; return the seconds until it says that protection is on."""
    began = time.monotonic()
    await service.start(ready=False)
    async with aiohttp.ClientSession() as web:
        while time.monotonic() < began + 60:
            try:
                async with web.get(f"{service.url}/healthz") as answer:
                    if answer.status == 200:
                        return time.monotonic() - began
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(ASK_EVERY_S)
    raise TimeoutError("the service did not become ready")


async def imports(environment: Mapping[str, str]) -> float:
    """Return the seconds that Python takes to start and import."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", IMPORTS, env={**os.environ, **environment})
    assert await process.wait() == 0
    return time.monotonic() - began


async def measure(on: Rig, rounds: int) -> tuple[list[float], list[float]]:
    """Kill and start in turns with bare starts."""
    starts: list[float] = []
    bare: list[float] = []
    await imports(on.service.environment)  # compiles
    for number in range(rounds + 1):
        bare.append(await imports(on.service.environment))
        await on.service.kill()
        on.service.lines.clear()
        starts.append(await ready(on.service))
        turn = "" if number else "warming up: "
        channels = on.service.said("pbx_read")[-1]["channels"]
        print(f"{turn}ready after {starts[-1]:.2f} s, {channels} channels read; imports alone {bare[-1]:.2f} s")
    return starts[1:], bare[1:]


async def main() -> None:
    """Measure."""
    parser = arguments(__doc__)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    async with rig(options.calls, ready=False) as on, compiled(on.service):
        await on.service.start()
        await on.load(options.calls, silent=True, per_s=30)
        await on.phones(do="call")
        await on.press("warn")
        print(f"{options.calls} calls of silent phones, and one guarded call; {machine()}")
        starts, bare = await measure(on, options.rounds)
        await on.phones(do="end")
    took, least = percentile(starts, 0.5), percentile(bare, 0.5)
    note = f"median of {len(starts)}, worst {max(starts):.2f} s; real Asterisk, silent SIP calls"
    what = f"restart to ready, {options.calls} calls up"
    report([Result(what, f"{took:.2f} s", f"imports {least:.2f} s", took, READY_S, note=note)], options.results)


if __name__ == "__main__":
    asyncio.run(main())
