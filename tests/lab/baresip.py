"""Debian's `baresip`: a phone that we did not write, as a process of its own."""

import asyncio
import os
import shutil
import tempfile
from pathlib import Path
from typing import Self

from tests.lab.audio import Audio, write_wav

MODULES = "/usr/lib/baresip/modules"


def installed() -> bool:
    """True if baresip is there (Debian: `apt-get install baresip-core`)."""
    return shutil.which("baresip") is not None


class Baresip:
    """A phone that answers every call at once and says one sound in a loop."""

    def __init__(self, user: str, port: int, says: Audio) -> None:
        """Writes its folder; starts nothing.

        Args:
            user: user part of its address.
            port: UDP port where the PBX looks for it.
            says: what it says; after its end there is silence.
        """
        self.folder = Path(tempfile.mkdtemp(prefix="bagvagt-baresip-"))
        self.process: asyncio.subprocess.Process | None = None
        write_wav(self.folder / "says.wav", says)
        (self.folder / "accounts").write_text(f"<sip:{user}@127.0.0.1>;regint=0;answermode=auto;audio_codecs=PCMA\n")
        (self.folder / "contacts").write_text("")
        (self.folder / "config").write_text(
            f"""\
sip_listen 127.0.0.1:{port}
audio_source aufile,{self.folder}/says.wav
audio_player aufile,{self.folder}/heard.wav
audio_alert aufile,{self.folder}/alert.wav
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
net_interface 127.0.0.1
module_path {MODULES}
module g711.so
module aufile.so
module_app account.so
module_app menu.so
"""
        )

    @property
    def log(self) -> str:
        """What it printed."""
        return (self.folder / "log").read_text(errors="replace")

    async def start(self) -> Self:
        """Starts it."""
        with (self.folder / "log").open("wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", "KILL", "baresip", "-f", str(self.folder)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "HOME": str(self.folder)},
            )
        return self

    async def close(self) -> None:
        """Ends it and removes its folder."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
