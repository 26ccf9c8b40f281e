"""What the benchmarks on a real PBX share: a lab Asterisk with the real service beside it, one measured call, and load.

The PBX, the service, the measured phones and each fifty calls of load are processes of their own. The key's press, and
the bare PBX's script, are in the benchmark's own process: both sides begin there.
"""

import asyncio
import contextlib
import resource
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.bare import LANGUAGE, Bare
from benchmarks.child import Child
from benchmarks.site import KEYS, SITE
from tests.lab import rootfs
from tests.lab.asterisk import Asterisk
from tests.lab.audio import tone, write_wav
from tests.lab.confs import Site
from tests.lab.service import Service

CALLS_PER_PROCESS = 50
FILES = 16_384
# Above what Linux gives to others by chance, and room for 2,000 legs.
RTP = "[general]\nrtpstart=61000\nrtpend=65500\nicesupport=no\n"
PROMPT_S = 0.6
PROMPTS = """
[prompts]
folder = "prompts"
"""


@dataclass
class Rig:
    """A PBX, the service, and phones.

    Attributes:
        pbx: the lab Asterisk.
        service: the real service beside it.
        ear: the measured call's phones.
        bare: the bare PBX's script.
        web: an open client for keys; its connection is kept alive.
        loads: processes with calls.
    """

    pbx: Asterisk
    service: Service
    bare: Bare
    web: aiohttp.ClientSession
    ear: Child | None = None
    loads: list[Child] = field(default_factory=list)

    async def press(self, key: str) -> tuple[float, dict[str, Any]]:
        """Press a key over HTTP; return when, and the answer."""
        at = time.monotonic()
        async with self.web.post(f"{self.service.url}/v1/keys/{key}") as answer:
            return at, await answer.json()

    async def phones(self, **what: str) -> dict[str, Any]:
        """Ask the measured phones."""
        assert self.ear is not None
        return await self.ear.ask(60.0, **what)

    async def load(self, calls: int, *, silent: bool = False, per_s: float = 20.0) -> None:
        """Have this many calls up beside the measured one."""
        while self.loads and calls == 0:
            await self.loads.pop().close()
        up = len(self.loads) * CALLS_PER_PROCESS
        for first in range(up, calls, CALLS_PER_PROCESS):
            child = await Child.start(
                "benchmarks.phone_load",
                *("--sip", self.pbx.sip[1], "--phones", self.pbx.slot.phone(1), "--first", first + 1),
                *("--calls", min(CALLS_PER_PROCESS, calls - first), "--per-s", per_s),
                *(["--silent"] if silent else []),
            )
            self.loads.append(child)
            await child.read()

    async def loaded(self) -> str:
        """Return what the load says of itself."""
        if not self.loads:
            return "no other calls"
        said = await asyncio.gather(*(child.ask(do="report") for child in self.loads))
        up, sent, heard = (sum(s[k] for s in said) for k in ("up", "sent_per_s", "heard_per_s"))
        late = max(s["late_ms"] for s in said)
        return f"{up} calls, RTP packets/s sent {sent:,.0f}, heard {heard:,.0f}; worst lateness of ours {late:.0f} ms"

    async def close(self) -> None:
        """End the phones."""
        for child in [*self.loads, *([self.ear] if self.ear else [])]:
            await child.close()


@contextlib.asynccontextmanager
async def rig(
    load_agents: int, *, before_queue: Sequence[str] = (), ear: bool = True, ready: bool = True
) -> AsyncIterator[Rig]:
    """Start all of it; end it with the block.

    Args:
        load_agents: how many calls of load there may be: each has an agent of its own.
        before_queue: further dialplan before the queue.
        ear: with the measured phones.
        ready: start the service.
    """
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, max(FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    found = rootfs.find()
    if found.path is None:
        raise SystemExit(f"not measured: {found.missing}")
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bagvagt-bench-")))
        service = Service(folder, SITE + PROMPTS + KEYS)
        for name in ("warning", "closing"):
            # Loud from its first sample: what a recording has of silence before it is no delay of anybody's.
            write_wav(folder / "prompts" / LANGUAGE / f"{name}.wav", tone(700, PROMPT_S))
        secret = service.token("agent1", "agent", agent="agent1")
        loads = [f"load{n}" for n in range(1, load_agents + 1)]
        members = "".join(f"member => PJSIP/{name},0,{name},PJSIP/{name}\n" for name in loads)
        extra = {**await service.snippets(), "rtp.conf": RTP}
        if loads:
            extra["queues.d/load.conf"] = f"[load]\n{members}"
        site = Site(
            agents=("agent1", *loads),
            before_queue=("Set(__DYNAMIC_FEATURES=bagvagt)", "Set(GLOBAL(BENCH_LEG)=${UNIQUEID})", *before_queue),
            extra=extra,
        )
        pbx = Asterisk(found.path, site)
        stack.push_async_callback(pbx.close)
        await pbx.start()
        service.write(ami_port=pbx.ami[1], ari_port=pbx.slot.http)
        stack.push_async_callback(service.kill)
        if ready:
            await service.start()
        headers = {"Authorization": f"Bearer {secret}"}
        web = await stack.enter_async_context(aiohttp.ClientSession(headers=headers))
        media = f"sound:{service.url}/prompts/{LANGUAGE}/warning.wav"
        bare = await stack.enter_async_context(Bare(pbx, media).open())
        made = Rig(pbx, service, bare, web)
        stack.push_async_callback(made.close)
        if ear:
            made.ear = await Child.start("benchmarks.phone_ear", "--sip", pbx.sip[1], "--agent", pbx.slot.phone(1))
            await made.ear.read()
        yield made
