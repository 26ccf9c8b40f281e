"""An AMI server in this process that speaks as a test says, and a client that notes what it told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from adapters.asterisk.ami import AmiClient, AmiTiming, Epoch
from adapters.asterisk.ami_codec import Message
from telephony.errors import PbxError, PbxRejectedError

SECRET = "only-for-the-pbx"
COMMANDS = "QueuePause: Makes a queue member unavailable.  (Priv: agent,all)\r\nPing: Keepalive.  (Priv: <none>)\r\n"
Action = dict[str, str]
Answer = Callable[["Session", Action], None]


class Session:
    """The PBX's side of one connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.actions: list[Action] = []

    def say(self, *lines: str, end: str = "\r\n\r\n") -> None:
        self.writer.write(("\r\n".join(lines) + end).encode())

    def reply(self, action: Action, *lines: str, kind: str = "Success") -> None:
        self.say(f"Response: {kind}", f"ActionID: {action['ActionID']}", *lines)

    def names(self) -> list[str]:
        return [action["Action"] for action in self.actions]


class FakePbx:
    """Answers log-in, ListCommands and Ping; what else comes goes to `answer`, which a test may replace."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.answer: Answer = lambda session, action: session.reply(action)
        self.special: dict[str, Answer] = {
            "Login": lambda session, action: session.reply(action, "Message: Authentication accepted"),
            "ListCommands": lambda session, action: session.reply(action, COMMANDS.rstrip()),
            "Ping": lambda session, action: session.reply(action, "Ping: Pong"),
        }
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for session in self.sessions:
            session.writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(writer)
        self.sessions.append(session)
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                frame = (await reader.readuntil(b"\r\n\r\n")).decode()
                action = dict(line.split(": ", 1) for line in frame.split("\r\n") if line)
                session.actions.append(action)
                self.special.get(action["Action"], self.answer)(session, action)
        writer.close()


class Rig:
    """A client, and what it told; tries between connections do not wait, but are noted."""

    def __init__(self, port: int, timing: AmiTiming, wanted: set[str] | None) -> None:
        self.events: list[Message] = []
        self.epochs: list[Epoch] = []
        self.lost: list[tuple[int, PbxError]] = []
        self.refused: list[PbxRejectedError] = []
        self.waits: list[float] = []
        self.resync: Callable[[Epoch], Awaitable[None]] | None = None
        self.client = AmiClient(
            "127.0.0.1",
            port,
            "guard",
            SECRET,
            on_event=self.on_event,
            on_connected=self.on_connected,
            on_lost=lambda epoch, error: self.lost.append((epoch.number, error)),
            on_refused=self.refused.append,
            wanted=wanted,
            timing=timing,
            sleep=self.sleep,
            jitter=lambda: 1.0,
        )

    def on_event(self, event: Message) -> None:
        if event.get("Uniqueid") == "bad":
            raise LookupError("bad")
        self.events.append(event)

    async def on_connected(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)
        if self.resync is not None:
            await self.resync(epoch)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0.005)


QUICK = AmiTiming(action_s=2, ping_every_s=60, refused_s=77.0)


@contextlib.asynccontextmanager
async def running(pbx: FakePbx, timing: AmiTiming = QUICK, wanted: set[str] | None = None) -> AsyncIterator[Rig]:
    """Runs a client until the end of the block."""
    made = Rig(pbx.port, timing, wanted)
    task = asyncio.create_task(made.client.run(), name="ami")
    try:
        yield made
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
