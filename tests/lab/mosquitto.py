"""Debian's mosquitto on a free loopback port; killed, restarted and frozen by a test."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping

from tests.lab.server import PATH, Server


def program() -> str | None:
    """Where mosquitto is; None if it is not installed (Debian: `apt-get install mosquitto`)."""
    return shutil.which("mosquitto", path=PATH)


class Mosquitto(Server):
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
        super().__init__("mosquitto", start_limit_s=10.0)
        self.host = "127.0.0.1"
        with socket.socket() as probe:
            probe.bind((self.host, 0))
            self.port: int = probe.getsockname()[1]
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

    def command(self) -> list[str]:
        """Mosquitto, talkative.

        Raises:
            FileNotFoundError: it is not installed.
        """
        binary = program()
        if binary is None:
            raise FileNotFoundError("mosquitto is not installed: apt-get install mosquitto")
        return [binary, "-v", "-c", str(self.folder / "mosquitto.conf")]

    async def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            _, writer = await asyncio.open_connection(self.host, self.port)
        except OSError:
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True
