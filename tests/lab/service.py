"""The real service, a process of its own beside a lab Asterisk: its files, its log; started, killed, restarted."""

import asyncio
import json
import os
import secrets
import signal
import socket
import sys
import textwrap
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiohttp import web

from telephony.settings import token_hash
from tests.lab.waiting import until

START_S = 40.0


def free_port() -> int:
    """Return a TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def fake_clock(utc: datetime) -> Mapping[str, str]:
    """Return the environment that makes every process started with it believe that it is `utc`, going on from now.

    Timers of the event loop stay real: only the wall clock is moved (libfaketime).
    """
    library = next((p for p in Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)
    if library is None:
        raise FileNotFoundError("libfaketime is not installed")
    ahead_s = (utc - datetime.now(UTC)).total_seconds()
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{ahead_s:+.0f}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "TZ": "UTC",
    }


class Service:
    """One Bagvagt.

    Attributes:
        folder: its policy, secrets, store.
        http_port: where it listens.
        tokens: secret of each token, by name.
        lines: its log, decoded.
    """

    def __init__(self, folder: Path, policy: str) -> None:
        self.folder = folder
        self.http_port = free_port()
        self.tokens: dict[str, str] = {}
        self.lines: list[dict[str, Any]] = []
        self.environment: dict[str, str] = {}
        self._policy = textwrap.dedent(policy)
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        for name in ("ami", "ari"):
            self.secret_file(f"{name}.secret", f"{name}-{secrets.token_hex(8)}")
        self.write(ami_port=5038, ari_port=8088)

    @property
    def policy_file(self) -> Path:
        """Return the policy file."""
        return self.folder / "bagvagt.toml"

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self.http_port}"

    def secret_file(self, name: str, text: str) -> None:
        """Write a file that the service alone may read."""
        file = self.folder / name
        file.touch(mode=0o600)
        file.write_text(text + "\n")

    def token(self, name: str, kind: str, **owner: str) -> str:
        """Add a token to the tokens file; return its secret."""
        secret = self.tokens[name] = secrets.token_urlsafe(32)
        file = self.folder / "tokens.toml"
        lines = [f'name = "{name}"', f'kind = "{kind}"', *(f'{k} = "{v}"' for k, v in owner.items())]
        entry = "\n".join(["[[tokens]]", *lines, f'sha256 = "{token_hash(secret)}"'])
        before = file.read_text() if file.exists() else ""
        self.secret_file("tokens.toml", before + entry + "\n")
        return secret

    def write(self, **values: object) -> None:
        """Write the policy file, `{name}` in it replaced by `values`."""
        text = self._policy
        for name, value in {"http_port": self.http_port, **values}.items():
            text = text.replace("{" + name + "}", str(value))
        self.policy_file.write_text(text)

    async def snippets(self) -> dict[str, str]:
        """Return what `bagvagt pbx-config asterisk` prints for this policy: file -> text."""
        target = self.folder / "snippets"
        await self.command("pbx-config", "asterisk", "-c", str(self.policy_file), "--folder", str(target))
        return {str(f.relative_to(target)): f.read_text() for f in target.rglob("*.conf")}

    async def command(self, *arguments: str, expect: int = 0) -> str:
        """Run `bagvagt …` to its end; return what it printed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "telephony",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **self.environment},
        )
        printed, _ = await process.communicate()
        assert process.returncode == expect, printed.decode()
        return printed.decode()

    async def start(self, *, ready: bool = True) -> Self:
        """Start it; with `ready`, wait until protection is on."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "telephony",
            "run",
            str(self.policy_file),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **self.environment},
            limit=1 << 20,
        )
        self._reader = asyncio.create_task(self._read(self._process))
        if ready:
            await until(self.is_ready, START_S, "the service says that protection is on")
        return self

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self.lines.append({"event": "not json", "text": line.decode(errors="replace").rstrip()})

    async def is_ready(self) -> bool:
        """Tell whether it says that protection is on."""
        assert self._process is not None
        assert self._process.returncode is None, self.lines[-20:]
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/healthz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def press(self, key: str, token: str) -> dict[str, Any]:
        """Press a key over HTTP; return the answer."""
        headers = {"Authorization": f"Bearer {self.tokens[token]}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{self.url}/v1/keys/{key}") as answer,
        ):
            body: dict[str, Any] = await answer.json()
            return body

    def said(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """Return the log lines of this event whose fields have these values."""
        return [x for x in self.lines if x.get("event") == event and fields.items() <= x.items()]

    def moved_to(self, state: str) -> bool:
        """Tell whether the log says that something moved to this state."""
        return any(x.endswith(f"→{state}") for line in self.said("decided") for x in line["moved"])

    async def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End the process, as nothing can prepare for."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)
            await self._process.wait()
        if self._reader is not None:
            await self._reader

    def ask_to_reload(self) -> None:
        """Send the signal that means: read everything anew."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    async def stop(self) -> None:
        """End it in order."""
        await self.kill(signal.SIGTERM)

    async def restart(self) -> Self:
        """Kill it and start it again."""
        await self.kill()
        return await self.start()


class SmsGateway:
    """A carrier that takes every message and keeps it.

    Attributes:
        taken: what was posted, oldest first.
    """

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.port = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> Self:
        """Listen on a free port."""

        async def take(request: web.Request) -> web.Response:
            self.taken.append(await request.json())
            return web.json_response({"id": len(self.taken)})

        app = web.Application()
        app.router.add_post("/sms", take)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    def to(self, number: str) -> list[dict[str, Any]]:
        """Return what went to one number."""
        return [sms for sms in self.taken if sms["to"] == number]

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
