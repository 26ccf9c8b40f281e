"""Debian's mosquitto on a free loopback port; killed, restarted and frozen by a test."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.lab.waiting import until

START_LIMIT_S = 10.0
_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def program() -> str | None:
    """Where mosquitto is; None if it is not installed (Debian: `apt-get install mosquitto`)."""
    return shutil.which("mosquitto", path=_PATH)


class Mosquitto:
    """A broker that keeps its port, its retained messages and its sessions over restarts.

    Attributes:
        host: loopback.
        port: TCP port.
    """

    def __init__(self, users: Mapping[str, str] | None = None, acl: str = "") -> None:
        """Starts nothing yet.

        Args:
            users: name → password; without it anybody may connect.
            acl: text of an ACL file (mosquitto.conf(5), `acl_file`).
        """
        self.host = "127.0.0.1"
        with socket.socket() as probe:
            probe.bind((self.host, 0))
            self.port: int = probe.getsockname()[1]
        self.folder = Path(tempfile.mkdtemp(prefix="bagvagt-mosquitto-"))
        self.process: asyncio.subprocess.Process | None = None
        self._write(users, acl)

    def _write(self, users: Mapping[str, str] | None, acl: str) -> None:
        lines = [
            # Without an explicit listener mosquitto 2 is in "local only" mode and ignores much of the rest.
            f"listener {self.port} {self.host}",
            f"allow_anonymous {'false' if users else 'true'}",
            "persistence true",
            f"persistence_location {self.folder}/",
            "autosave_interval 1",
            "autosave_on_changes true",
            # Started by root it would give up root, and then not read its own folder.
            f"user {'root' if os.geteuid() == 0 else os.environ.get('USER', 'mosquitto')}",
        ]
        if users:
            passwords = self.folder / "passwords"
            passwords.touch(mode=0o600)
            for name, password in users.items():
                subprocess.run(["mosquitto_passwd", "-b", passwords, name, password], check=True)
            lines.append(f"password_file {passwords}")
        if acl:
            file = self.folder / "acl"
            file.touch(mode=0o600)
            file.write_text(acl)
            lines.append(f"acl_file {file}")
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    @property
    def log(self) -> str:
        """All that it has logged."""
        return (self.folder / "log").read_text(errors="replace")

    async def start(self) -> Self:
        """Starts it and waits until it takes connections.

        Raises:
            FileNotFoundError: it is not installed.
            RuntimeError: it ended by itself; the text is its log.
        """
        binary = program()
        if binary is None:
            raise FileNotFoundError("mosquitto is not installed: apt-get install mosquitto")
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", "KILL", binary, "-v", "-c", str(self.folder / "mosquitto.conf")),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        await until(self._listens, START_LIMIT_S, "mosquitto takes connections")
        return self

    async def _listens(self) -> bool:
        if self.process is None or self.process.returncode is not None:
            raise RuntimeError(f"mosquitto ended while starting:\n{self.log}")
        try:
            _, writer = await asyncio.open_connection(self.host, self.port)
        except OSError:
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True

    async def kill(self) -> None:
        """Ends it as a power cut would: SIGKILL."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Ends it in order; it saves its state."""
        await self._end(signal.SIGTERM)

    async def restart(self) -> Self:
        """`stop`, then `start` on the same port."""
        await self.stop()
        return await self.start()

    def freeze(self) -> None:
        """Stops it in its tracks, connections open, until `thaw`."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets a frozen broker go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)

    async def _end(self, number: signal.Signals) -> None:
        self._signal(number)
        if self.process is not None:
            await self.process.wait()

    async def close(self) -> None:
        """Ends it, frozen or not, and removes its folder."""
        await self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
