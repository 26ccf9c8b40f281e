"""Five hundred open screens: memory per stream, and how long from a key to the screens, also beside dead clients.

Run: `python -m benchmarks.screens [--screens N] [--samples N]`. The real service on the simulated PBX, the real login,
the panel's own streams (HTML). Nine in ten screens are agents', the others the duty desk's; all are read by this
process. Each sample is an agent's acute key, whose page shows on every duty screen, and its acknowledgement, which
takes it away again. Then the same with as many further clients that never read what they are sent: the two ways take
turns, round by round. Delays are taken from before the request is sent to when the screen has come in whole.
"""

import asyncio
import contextlib
import secrets
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import psutil
from aiohttp import web

from adapters.accounts import rows
from adapters.accounts.model import Role
from adapters.accounts.records import Account, Session, digest
from adapters.store.database import open_engine
from adapters.store.migrate import upgrade
from benchmarks.figures import SUMMARY_HEAD, Result, arguments, machine, percentile, report, summary
from benchmarks.site import SCREENS
from tests.lab.service import Service, free_port

OF_ONE = 5  # screens of one account; the service allows a dozen, and dead ones count until it notices
ROUNDS = 5
DEAD_MOST = 1.5
KIB_MOST = 64.0
P99_S = 1.0
HOST = "127.0.0.1"


@dataclass
class Screen:
    """One open screen.

    Attributes:
        came: when each picture had come in, by the loop's clock.
    """

    came: list[float] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, reader: asyncio.StreamReader) -> None:
        """Read until the end."""
        event = b""
        while line := await reader.readline():
            if line.startswith(b"event: "):
                event = line.strip()
            elif line == b"\n" and event == b"event: screen":
                self.came.append(asyncio.get_running_loop().time())
                self.more.set()
                event = b""

    async def after(self, at: float) -> float:
        """Return when the first picture after `at` was there."""
        async with asyncio.timeout(30):
            while not self.came or self.came[-1] < at:
                self.more.clear()
                await self.more.wait()
        return next(t for t in self.came if t >= at)


def accounts(url: str, agents: int, desks: int) -> list[tuple[str, str]]:
    """Put accounts with sessions into the store; return (path of the stream, cookie) for each."""
    upgrade(url)
    engine, now, made = open_engine(url), datetime.now(UTC), []
    with engine.begin() as connection:
        for number in range(agents + desks):
            role, path = (Role.AGENT, "agent") if number < agents else (Role.BACKUP, "duty")
            name, token = f"{path}{number // OF_ONE}", secrets.token_urlsafe(32)
            agent = name if role is Role.AGENT else ""
            rows.put_account(connection, Account(name, name, frozenset({role}), now, agent=agent, person=""))
            ends = now + timedelta(hours=8)
            session = Session(digest(token), name, now, now, ends, "password", HOST, "benchmark", csrf="x")
            rows.put_sessions(connection, [session], [])
            made.append((f"/panel/{path}/stream", token))
    engine.dispose()
    return made


async def opened(port: int, path: str, token: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a stream as a browser does."""
    reader, writer = await asyncio.open_connection(HOST, port)
    head = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nCookie: __Host-bagvagt={token}\r\n\r\n"
    writer.write(head.encode())
    status = await reader.readline()
    assert b" 200 " in status, status
    return reader, writer


@contextlib.asynccontextmanager
async def sms_gateway(port: int) -> AsyncIterator[None]:
    """Take every message."""

    async def take(_request: web.Request) -> web.Response:
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    try:
        yield
    finally:
        await runner.cleanup()


class Desk:
    """All screens, and who presses.

    Args:
        service: running.
        people: (path of the stream, cookie) of each.
        client: for requests.
    """

    def __init__(self, service: Service, people: list[tuple[str, str]], client: aiohttp.ClientSession) -> None:
        self.duty: list[Screen] = []
        self._service = service
        self._people = people
        self._client = client
        self._writers: list[asyncio.StreamWriter] = []
        self._readers: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Open every screen; returns when each of the duty desk's has its picture."""
        for path, token in self._people:
            reader, writer = await opened(self._service.http_port, path, token)
            screen = Screen()
            self._writers.append(writer)
            self._readers.append(asyncio.create_task(screen.read(reader)))
            if "duty" in path:
                self.duty.append(screen)
        await asyncio.gather(*(screen.after(0) for screen in self.duty))

    async def close(self) -> None:
        """Close them."""
        for task in self._readers:
            task.cancel()
        for writer in self._writers:
            writer.transport.abort()

    async def press(self) -> list[float]:
        """Press the acute key, and acknowledge its page; return the delay of each duty screen for both."""
        delays = await self._seen("/v1/keys/suicide", "agent")
        cookie = {"Cookie": f"__Host-bagvagt={self._people[-1][1]}"}
        async with self._client.get("/v1/screens/duty", headers=cookie) as answer:
            page = (await answer.json())["pages"][0]["id"]
        return delays + await self._seen(f"/v1/pages/{page}/acknowledge", "person")

    async def _seen(self, path: str, who: str) -> list[float]:
        at = asyncio.get_running_loop().time()
        headers = {"Authorization": f"Bearer {self._service.tokens[who]}"}
        async with self._client.post(path, headers=headers) as answer:
            assert answer.status in {200, 202}, await answer.text()
        return [await screen.after(at) - at for screen in self.duty]

    @contextlib.asynccontextmanager
    async def dead_clients(self) -> AsyncIterator[None]:
        """Let as many further clients as there are accounts open a screen and never read it."""
        dead = []
        for path, token in self._people[::OF_ONE]:
            _, writer = await opened(self._service.http_port, path, token)
            writer.transport.pause_reading()  # type: ignore[attr-defined] # a socket's transport has it
            dead.append(writer)
        try:
            yield
        finally:
            for writer in dead:
                writer.transport.abort()


async def measure(screens: int, samples: int, folder: Path) -> list[Result]:
    """Measure."""
    gateway, desks = free_port(), max(1, screens // 10)
    service = Service(folder, SCREENS.replace("{gateway}", str(gateway)))
    service.token("agent", "agent", agent="presser")
    service.token("person", "person", person="anna")
    people = accounts(f"sqlite:///{folder}/bagvagt.sqlite3", screens - desks, desks)
    reading: list[float] = []
    beside: list[float] = []
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(sms_gateway(gateway))
        stack.push_async_callback(service.kill)
        await service.start()
        running = service._process  # noqa: SLF001 - its memory is what is measured
        assert running is not None
        process = psutil.Process(running.pid)
        before = process.memory_info().rss
        desk = Desk(service, people, await stack.enter_async_context(aiohttp.ClientSession(service.url)))
        stack.push_async_callback(desk.close)
        await desk.open()
        grown = process.memory_info().rss - before
        await desk.press()  # fills caches
        for _ in range(ROUNDS):
            reading += [delay for _ in range(samples) for delay in await desk.press()]
            async with desk.dead_clients():
                beside += [delay for _ in range(samples) for delay in await desk.press()]
    print(f"{screens} screens, {desks} of them the duty desk's; {machine()}\n{SUMMARY_HEAD}")
    print(summary("key to duty screens, all read", reading))
    print(summary("the same beside dead clients", beside))
    kib = grown / len(people) / 1024
    p99_s, ratio = percentile(reading, 0.99), percentile(beside, 0.5) / percentile(reading, 0.5)
    return [
        Result("memory per open screen", f"{kib:.1f} KiB", "", kib, KIB_MOST, note=f"{screens} screens"),
        Result("key to duty screens, p99", f"{p99_s * 1e3:.0f} ms", "", p99_s, P99_S, note=f"n={len(reading)}"),
        Result("beside dead clients, p50", "", "all reading", ratio, DEAD_MOST, note=f"n={len(beside)}"),
    ]


async def main() -> None:
    """Measure."""
    parser = arguments(__doc__)
    parser.add_argument("--screens", type=int, default=500)
    parser.add_argument("--samples", type=int, default=5, help="in each of five rounds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bagvagt-bench-") as folder:
        report(await measure(options.screens, options.samples, Path(folder)), options.results)


if __name__ == "__main__":
    asyncio.run(main())
