"""Single keys from the terminal, which is put back as it was whatever happens."""

import asyncio
import contextlib
import os
import signal
import sys
import termios
import tty
from collections.abc import AsyncIterator

_CTRL_D = "\x04"


@contextlib.asynccontextmanager
async def single_keys() -> AsyncIterator["asyncio.Queue[str]"]:
    """Give the keys that a person presses, one by one; Ctrl-C still ends the program."""
    keys: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    stdin = sys.stdin.fileno()
    before = termios.tcgetattr(stdin)

    def read() -> None:
        pressed = os.read(stdin, 64).decode(errors="replace")
        if not pressed:  # the terminal is gone
            loop.remove_reader(stdin)
        for key in pressed.lower() or _CTRL_D:
            keys.put_nowait("q" if key == _CTRL_D else key)

    tty.setcbreak(stdin)
    loop.add_reader(stdin, read)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if task is not None:
            loop.add_signal_handler(ending, task.cancel)
    try:
        yield keys
    finally:
        loop.remove_reader(stdin)
        for ending in (signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(ending)
        with contextlib.suppress(termios.error):
            termios.tcsetattr(stdin, termios.TCSADRAIN, before)
