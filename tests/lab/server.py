"""A real server as a process of its own, with a folder of its own: started, killed, restarted and frozen by a test."""

import asyncio
import os
import shutil
import signal
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.lab.waiting import until

END_LIMIT_S = 10.0
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


class Server(ABC):
    """What any server needs; a subclass says which program it is, and when it answers.

    Args:
        name: for messages and the folder.
        start_limit_s: how long it may take to answer.

    Attributes:
        folder: all of its files; gone after `close`.
        process: the latest one.
    """

    def __init__(self, name: str, start_limit_s: float) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"bagvagt-{name}-"))
        self.process: asyncio.subprocess.Process | None = None
        self._name = name
        self._console = self.folder / "console"
        self._start_limit_s = start_limit_s

    @property
    def log(self) -> str:
        """All that it has said."""
        return self._console.read_text(errors="replace")

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments."""

    def environment(self) -> Mapping[str, str]:
        """What is added to the environment."""
        return {}

    @abstractmethod
    async def answers(self) -> bool:
        """Whether it does what it is there for; asked until it does."""

    async def start(self) -> Self:
        """Starts it and waits until it answers.

        Raises:
            RuntimeError: it ended by itself; the text is its log.
            TimeoutError: no answer within its limit.
        """
        command = self.command()
        with self._console.open("ab") as console:
            self.process = await asyncio.create_subprocess_exec(
                # Should the test run be killed, the server goes with it.
                *("setpriv", "--pdeathsig", "KILL", *command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={**os.environ, "PATH": PATH, **self.environment()},
            )
        await until(self._stands, self._start_limit_s, f"{self._name} answers")
        return self

    async def _stands(self) -> bool:
        if self.process is None or self.process.returncode is not None:
            raise RuntimeError(f"{self._name} ended while starting:\n{self.log}")
        return await self.answers()

    async def kill(self) -> None:
        """Ends it as a power cut would: SIGKILL."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Ends it in order."""
        await self._end(signal.SIGTERM)

    async def restart(self) -> Self:
        """`stop`, then `start` with the same ports and folder."""
        await self.stop()
        return await self.start()

    def freeze(self) -> None:
        """Stops it in its tracks, sockets open, until `thaw`."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets a frozen server go on."""
        self._signal(signal.SIGCONT)

    async def close(self) -> None:
        """Ends it, frozen or not, and removes its folder."""
        await self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)

    async def _end(self, number: signal.Signals) -> None:
        self._signal(number)
        if self.process is None:
            return
        try:
            await asyncio.wait_for(self.process.wait(), END_LIMIT_S)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self.process.wait()
