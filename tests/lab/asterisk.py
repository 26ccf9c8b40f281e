"""A real Asterisk in its own mounts, ports and folders; started, killed and restarted by a test."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from tests.lab import confs, rootfs, slots
from tests.lab.audio import tone, write_wav
from tests.lab.phone import Phone
from tests.lab.server import Server

# The rootfs stays untouched: what an instance changes lies in a folder of its own, mounted where Asterisk
# looks. The mounts are in a namespace of the process, so that a killed test run leaves none behind.
# The process also needs to resolve the machine's own name: pjsip stalls for seconds when it can't.
RUN = """
set -e
mount --rbind /proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
mount --bind "$HERE" "$ROOT/lab"
mount --bind "$HERE/hosts" "$ROOT/etc/hosts"
exec chroot "$ROOT" /usr/sbin/asterisk -f -C /lab/etc/asterisk.conf
"""


class Asterisk(Server):
    """One instance. `await Asterisk.create(...)`, then `start`; `close` ends it and removes all of it.

    Attributes:
        folder: the instance's folder, seen by Asterisk as `/lab`.
        sounds: where prompts go; `sounds/warning.wav` is `sound:warning` to Asterisk.
        phones: phone name → UDP port on which Asterisk looks for it.
    """

    def __init__(self, root: Path, site: confs.Site) -> None:
        """Takes ports and writes the folder; starts nothing.

        Args:
            root: the rootfs from `scripts/lab`.
            site: what stands in the contact centre.
        """
        super().__init__("asterisk", start_limit_s=30.0)
        self.root, self.site = root, site
        self.slot = slots.take()
        self.sounds = self.folder / "data" / "sounds"
        self.phones = {name: self.slot.phone(n) for n, name in enumerate(site.agents, 1)}
        self._open_phones: list[Phone] = []
        self._write()

    @property
    def sip(self) -> tuple[str, int]:
        """Address of SIP over UDP."""
        return "127.0.0.1", self.slot.sip

    @property
    def ami(self) -> tuple[str, int]:
        """Address of AMI; log in as `confs.AMI_USER`, which has all rights, or as a user of your own."""
        return "127.0.0.1", self.slot.ami

    @property
    def http(self) -> str:
        """Root of the HTTP server, such as `http://127.0.0.1:12002`; ARI is below `/ari`."""
        return f"http://127.0.0.1:{self.slot.http}"

    @property
    def log(self) -> str:
        """All that Asterisk has printed, and then logged."""
        messages = self.folder / "log" / "messages"
        return super().log + (messages.read_text(errors="replace") if messages.exists() else "")

    def _write(self) -> None:
        for name in ("etc", "var/keys", "data/moh", "data/sounds", "spool", "run", "log", "cache"):
            (self.folder / name).mkdir(parents=True)
        # Asterisk reads its own documentation when it starts, and refuses modules that have none.
        for name in ("documentation", "rest-api", "static-http"):
            (self.folder / "data" / name).symlink_to(f"/usr/share/asterisk/{name}")
        (self.sounds / "en").symlink_to("/usr/share/asterisk/sounds/en")
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost\n127.0.0.1 {os.uname().nodename}\n")
        write_wav(self.folder / "data" / "moh" / "hold.wav", tone(confs.MOH_HZ, 2.0))
        for name, text in confs.files(self.site, self.slot).items():
            self.write_config(name, text)

    def write_config(self, name: str, text: str) -> None:
        """Writes a file below the config folder, such as `features.d/bagvagt.conf`; then `reload`."""
        path = self.folder / "etc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def command(self) -> list[str]:
        """Asterisk in its rootfs."""
        return [*rootfs.namespace(), "sh", "-c", RUN]

    def environment(self) -> Mapping[str, str]:
        """Where `RUN` finds both."""
        return {"ROOT": str(self.root), "HERE": str(self.folder)}

    async def answers(self) -> bool:
        """Whether it is fully booted."""
        try:
            return "fully booted" in await self.cli("core waitfullybooted")
        except OSError:
            return False

    async def cli(self, command: str) -> str:
        """What the command line prints for this command.

        Speaks to the control socket as `asterisk -rx` does (main/asterisk.c, `netconsole`), which needs
        neither AMI nor a new process.

        Raises:
            OSError: Asterisk does not run.
        """
        reader, writer = await asyncio.open_unix_connection(str(self.folder / "run" / "asterisk.ctl"))
        try:
            writer.write(b"cli quit after " + command.encode() + b"\0")
            text = (await reader.read()).decode(errors="replace")
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        # First a greeting ("host/pid/version"); a control byte for its verbosity begins each line.
        return "".join(c for c in text.partition("\n")[2] if c == "\n" or c >= " ")

    async def reload(self, module: str = "") -> str:
        """Reloads a module, such as `res_pjsip.so` or `manager`; all of them without a name."""
        return await self.cli(f"module reload {module}".strip())

    async def _end(self, number: signal.Signals) -> None:
        await super()._end(number)
        (self.folder / "run" / "asterisk.ctl").unlink(missing_ok=True)

    async def phone(self, name: str, **options: object) -> Phone:
        """Opens the phone of this name where Asterisk looks for it; it is closed with the lab.

        Args:
            name: one of the site's agents.
            options: see `Phone`.
        """
        return await self._open(Phone(name, self.sip, port=self.phones[name], **options))  # type: ignore[arg-type]

    async def caller(self, number: str = "+4520304050", **options: object) -> Phone:
        """Opens a caller's phone behind the trunk, on a port of its own.

        Args:
            number: what it shows as its number.
            options: see `Phone`.
        """
        return await self._open(Phone(number, self.sip, ip=confs.CALLERS_IP, **options))  # type: ignore[arg-type]

    async def trunk(self, **options: object) -> Phone:
        """Opens the phone that rings when Asterisk dials out by the trunk: a mobile phone in the world."""
        return await self._open(
            Phone("trunk", self.sip, ip=confs.CALLERS_IP, port=self.slot.phone(0), **options)  # type: ignore[arg-type]
        )

    async def _open(self, phone: Phone) -> Phone:
        self._open_phones.append(phone)
        return await phone.open()

    async def close(self) -> None:
        """Ends Asterisk and every phone, frees the ports and removes the folder."""
        for phone in self._open_phones:
            await phone.close()
        await super().close()
        self.slot.release()
