"""What the benchmarks on a real PBX share: a lab Asterisk with the real service beside it, one measured call, and load.

The PBX, the service, the measured phones and each fifty calls of load are processes of their own. The key's press, and
the bare PBX's script, are in the benchmark's own process: both sides begin there.
"""

import asyncio
import contextlib
import json
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp

from tests.lab import confs, rootfs
from tests.lab.asterisk import Asterisk
from tests.lab.audio import tone, write_wav
from tests.lab.confs import Site
from tests.lab.service import Service

CALLS_PER_PROCESS = 50
FILES = 16_384
# Above what Linux gives to others by chance, and room for 2,000 legs.
RTP = "[general]\nrtpstart=61000\nrtpend=65500\nicesupport=no\n"
LANGUAGE = "da"
PROMPT_S = 0.6
POLICY = """
    [site]
    name = "Benchmark"
    zone = "Europe/Copenhagen"
    language = "da"
    country = ""

    [pbx]
    ami_port = {ami_port}
    ami_secret_file = "ami.secret"
    ari_url = "http://127.0.0.1:{ari_port}"
    ari_secret_file = "ari.secret"

    [http]
    port = {http_port}
    tokens_file = "tokens.toml"
    presses_per_minute = 10000

    [prompts]
    folder = "prompts"

    [presses]
    double_press_s = 0

    [office_hours]
    mon = ["08:00-16:00"]

    [keys.warn]
    does = "warn"
    kind = "abuse"
    code = "*91"

    [keys.end]
    does = "end"
    kind = "rude"

    [kinds.abuse]
    may_end = true
    wait_s = 0

    # May be ended without a warning: the shortest way to an ending.
    [kinds.rude]
    warnings = 0
    may_end = true
"""


class Child:
    """A process of ours that takes and gives JSON lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, module: str, *arguments: object) -> Self:
        """Start `python -m module`."""
        return cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, *map(str, arguments)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        )

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    async def read(self, within_s: float = 60.0) -> dict[str, Any]:
        """Return its next line.

        Raises:
            RuntimeError: it ended.
        """
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), within_s)
        if not line:
            raise RuntimeError(f"a process of the benchmark ended: {await self._process.wait()}")
        read: dict[str, Any] = json.loads(line)
        return read

    async def ask(self, within_s: float = 60.0, /, **what: object) -> dict[str, Any]:
        """Send a line, and return the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        answer = await self.read(within_s)
        if "error" in answer:
            raise TimeoutError(answer["error"])
        return answer

    async def close(self) -> None:
        """End its input, and with that the process."""
        if self._process.returncode is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                await asyncio.wait_for(self._process.wait(), 10)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()


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
    bare: "Bare"
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


class Bare:
    """The same PBX without the service: a script with its own Stasis application, that knows the caller's leg."""

    def __init__(self, pbx: Asterisk, media: str) -> None:
        self._pbx, self._media = pbx, media
        self._number = 0
        self._session: aiohttp.ClientSession
        self._begun: dict[str, asyncio.Future[None]] = {}
        self._ami: tuple[asyncio.StreamReader, asyncio.StreamWriter]

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Self]:
        """Connect ARI and AMI."""
        headers = {"Authorization": aiohttp.encode_basic_auth(confs.ARI_USER, confs.ARI_PASSWORD)}
        connector = aiohttp.TCPConnector(keepalive_timeout=10)
        async with aiohttp.ClientSession(headers=headers, connector=connector) as self._session:
            socket = await self._session.ws_connect(f"{self._pbx.http}/ari/events?app=bench")
            reading = asyncio.create_task(self._read(socket))
            self._ami = await asyncio.open_connection(*self._pbx.ami)
            await self._ami[0].readline()
            await self.action("Login", Username=confs.AMI_USER, Secret=confs.AMI_SECRET, Events="off")
            yield self
            reading.cancel()
            self._ami[1].close()
            await socket.close()

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            event = message.json()
            future = self._begun.get(event["channel"]["id"]) if event["type"] == "StasisStart" else None
            if future is not None and not future.done():
                future.set_result(None)

    async def action(self, name: str, **fields: str) -> None:
        """Send an AMI action, and wait for its reply."""
        reader, writer = self._ami
        writer.write("".join(f"{k}: {v}\r\n" for k, v in {"Action": name, **fields}.items()).encode() + b"\r\n")
        while not (await reader.readuntil(b"\r\n\r\n")).startswith(b"Response: Success"):
            pass

    async def leg(self) -> str:
        """Return the leg of the caller who rang last; the lab's dialplan keeps it."""
        async with self._session.get(
            f"{self._pbx.http}/ari/asterisk/variable", params={"variable": "BENCH_LEG"}
        ) as answer:
            leg: str = (await answer.json())["value"]
            return leg

    async def announce(self, leg: str) -> tuple[float, str]:
        """Play into the call; return when it was asked for, and the announcer."""
        self._number += 1
        announcer = f"bare-{self._number}"
        begun = self._begun[announcer] = asyncio.get_running_loop().create_future()
        body = {
            "endpoint": "Local/join@bagvagt/n",
            "app": "bench",
            "channelId": announcer,
            "otherChannelId": f"{announcer}-2",
            "variables": {"BAGVAGT_LEG": leg},
        }
        at = time.monotonic()
        async with self._session.post(f"{self._pbx.http}/ari/channels", json=body) as answer:
            await answer.read()
        await asyncio.wait_for(begun, 5)
        async with self._session.post(
            f"{self._pbx.http}/ari/channels/{announcer}/play", json={"media": self._media}
        ) as answer:
            await answer.read()
        return at, announcer

    async def hang_up(self, announcer: str) -> None:
        """Take the announcer out."""
        async with self._session.delete(f"{self._pbx.http}/ari/channels/{announcer}") as answer:
            await answer.read()

    async def redirect(self, leg: str) -> float:
        """Send the caller to the closing message; return when it was asked for."""
        at = time.monotonic()
        await self.action(
            "Redirect", Channel=leg, Context="bagvagt-closing", Exten=f"p_{LANGUAGE}_closing", Priority="1"
        )
        return at


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
        service = Service(folder, POLICY)
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
