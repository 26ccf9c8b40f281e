"""A PBX that is only a recording: it replays the capture of 500 queue calls over AMI, and answers as Asterisk does.

It is strict where Asterisk is: who logs in with a mask gets those classes alone, and a reader that has not made room
for `writetimeout` is cut off. What a fast PBX hides in its socket buffers is kept small here, so that a slow reader
shows. Each round of the recording is another half hour's: ids differ, so that no call looks like one that has ended.

Started by a benchmark, as a process of its own; speaks JSON lines, and ends when its input does.
"""

import argparse
import asyncio
import json
import lzma
import re
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import WSMsgType, web

CAPTURE = Path(__file__).parent / "data" / "ami_500.bin.xz"
CALLS = 500
WRITE_TIMEOUT_S = 0.1
"""Asterisk's own default; the snippet for Bagvagt's manager user asks for more."""
SEND_BUFFER = 65_536
END = b"\r\n\r\n"
_PRIVILEGE = re.compile(rb"\r\nPrivilege: ([a-z]+),")
_UNIQUE = re.compile(rb"\b17953(\d{5})\.(?=\d)")
_MEMBER = re.compile(rb"\r\nInterface: (\S+)")


@dataclass
class Recording:
    """The events of a capture, each with its class."""

    frames: list[tuple[bytes, str]] = field(default_factory=list)
    members: list[str] = field(default_factory=list)

    @classmethod
    def load(cls) -> "Recording":
        """Read the capture."""
        made = cls()
        members: dict[str, None] = {}
        for frame in lzma.decompress(CAPTURE.read_bytes()).split(END):
            found = _PRIVILEGE.search(frame)
            if frame.startswith(b"Event: ") and found and found[1] not in (b"system", b"security"):
                made.frames.append((frame + END, found[1].decode()))
                if (member := _MEMBER.search(frame)) is not None:
                    members[member[1].decode()] = None
        made.members = list(members)
        return made

    def round(self, number: int) -> Iterator[tuple[bytes, str]]:
        """Return the events as they would be half an hour later for each round."""

        def later(found: re.Match[bytes]) -> bytes:
            return b"%d." % (1_795_300_000 + int(found[1]) + 1_800 * number)

        for frame, kind in self.frames:
            yield _UNIQUE.sub(later, frame), kind


class Manager(asyncio.Protocol):
    """One AMI connection."""

    def __init__(self, pbx: "FakePbx") -> None:
        self._pbx = pbx
        self._buffer = b""
        self._cut: asyncio.TimerHandle | None = None
        self.transport: asyncio.Transport
        self.classes: frozenset[str] | None = frozenset()  # None is all of them
        self.events = 0
        self.lost = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        transport.set_write_buffer_limits(high=1, low=0)
        transport.write(b"Asterisk Call Manager/11.0.0\r\n")
        self._pbx.managers.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note why."""
        self.lost = self.lost or f"closed by the client: {exc}"

    def pause_writing(self) -> None:
        """Give the reader its time, then cut it off in the middle, as Asterisk does."""
        self._cut = asyncio.get_running_loop().call_later(WRITE_TIMEOUT_S, self._cut_off)

    def resume_writing(self) -> None:
        """Forgive."""
        if self._cut is not None:
            self._cut.cancel()

    def _cut_off(self) -> None:
        self.lost = "cut off: too slow a reader"
        self.transport.abort()

    def event(self, frame: bytes, kind: str) -> bytes:
        """Return the event if this login wants it."""
        if self.lost or not (self.classes is None or kind in self.classes):
            return b""
        self.events += 1
        return frame

    def data_received(self, data: bytes) -> None:
        """Answer actions."""
        *blocks, self._buffer = (self._buffer + data).split(END)
        for block in blocks:
            fields = dict(line.partition(": ")[::2] for line in block.decode().split("\r\n"))
            self.transport.write(b"".join(self._answer(fields)))

    def _answer(self, fields: dict[str, str]) -> Iterable[bytes]:
        action, number = fields.get("Action", "").lower(), fields.get("ActionID", "")
        head = [("Response", "Success"), *([("ActionID", number)] if number else [])]
        if action == "login":
            mask = fields.get("Events", "on")
            self.classes = None if mask == "on" else frozenset(mask.split(","))
        if action == "queuestatus":
            yield frame([*head, ("EventList", "start"), ("Message", "Queue status will follow")])
            for name in self._pbx.recording.members:
                yield frame([("Event", "QueueMember"), ("ActionID", number), ("Queue", "support"), ("Name", name),
                             ("Location", name), ("StateInterface", name), ("Membership", "static"), ("Penalty", "0"),
                             ("CallsTaken", "0"), ("LastCall", "0"), ("LastPause", "0"), ("InCall", "0"),
                             ("Status", "1"), ("Paused", "0"), ("PausedReason", "")])  # fmt: skip
            yield frame([("Event", "QueueStatusComplete"), ("ActionID", number), ("EventList", "Complete")])
        elif action in ("coreshowchannels", "showdialplan"):
            yield frame([*head, ("EventList", "start"), ("Message", "will follow")])
            yield frame([("Event", f"{fields['Action']}Complete"), ("ActionID", number), ("EventList", "Complete")])
        else:
            yield frame([*head, ("Message", "Authentication accepted"), ("Ping", "Pong"), ("Value", "0")])


def frame(fields: Iterable[tuple[str, str]]) -> bytes:
    """Return one message on the wire."""
    return "".join(f"{name}: {value}\r\n" for name, value in fields).encode() + b"\r\n"


class FakePbx:
    """AMI that replays, and an ARI that is only there.

    Attributes:
        managers: every AMI connection it ever had.
    """

    def __init__(self) -> None:
        self.recording = Recording.load()
        self.managers: list[Manager] = []
        self.ami_port = self.ari_port = 0

    async def start(self) -> None:
        """Listen on free ports."""
        server = await asyncio.get_running_loop().create_server(lambda: Manager(self), "127.0.0.1", 0)
        self.ami_port = server.sockets[0].getsockname()[1]
        app = web.Application()
        app.router.add_get("/ari/events", self._websocket)
        app.router.add_route("*", "/ari/{path:.*}", self._ari)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.ari_port = runner.addresses[0][1]

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        made = web.WebSocketResponse()
        await made.prepare(request)
        async for message in made:
            if message.type is WSMsgType.CLOSED:
                break
        return made

    async def _ari(self, _request: web.Request) -> web.Response:
        return web.json_response({})

    async def replay(self, rounds: range, per_s: float, share: float = 1.0) -> None:
        """Send the rounds at so many calls a second, in steps of 10 ms.

        Args:
            rounds: which; each is 500 calls.
            per_s: calls a second.
            share: how much of the last round is sent: less than 1 leaves calls up.
        """
        for number in rounds:
            frames = list(self.recording.round(number))
            much = round(len(frames) * (share if number == rounds[-1] else 1.0))
            per_step = len(frames) / CALLS * per_s * 0.01
            began, sent, step = time.monotonic(), 0, 0
            while sent < much:
                step += 1
                upto = min(much, round(step * per_step))
                for manager in self.managers:
                    data = b"".join(manager.event(*one) for one in frames[sent:upto])
                    if data and not manager.lost:
                        manager.transport.write(data)
                sent = upto
                await asyncio.sleep(max(0.0, began + step * 0.01 - time.monotonic()))

    def report(self) -> dict[str, object]:
        """Return what became of the connections."""
        return {"managers": [{"events": m.events, "lost": m.lost} for m in self.managers]}


async def main() -> None:
    """Do what comes in, until the input ends."""
    pbx = FakePbx()
    await pbx.start()
    loop = asyncio.get_running_loop()
    print(json.dumps({"ami": pbx.ami_port, "ari": pbx.ari_port, "members": pbx.recording.members}), flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        if asked["do"] == "replay":
            first, last = asked["rounds"]
            began = time.monotonic()
            await pbx.replay(range(first, last), asked["per_s"], asked.get("share", 1.0))
            print(json.dumps({"took_s": time.monotonic() - began, **pbx.report()}), flush=True)
        else:
            print(json.dumps(pbx.report()), flush=True)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    asyncio.run(main())
