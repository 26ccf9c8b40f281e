"""A process of a benchmark, that takes and gives JSON lines: what must not share a core's time slices runs in one."""

import asyncio
import json
import sys
from typing import Any, Self


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
