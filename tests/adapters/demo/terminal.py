"""A terminal with the demo in it: what it shows, keys that are pressed, and how it is left."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[3]
LIMIT_S = 90.0
# Ctrl-C reaches a process only through its controlling terminal, and only if it is not ignored, as it is in whatever a
# shell without job control runs in the background.
_TAKE_TERMINAL = (
    "import fcntl, os, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A pseudo terminal of 100 columns and 30 lines that runs `bagvagt demo` with some arguments."""

    def __init__(self, *arguments: str) -> None:
        self._ours, self._theirs = pty.openpty()
        termios.tcsetwinsize(self._theirs, (30, 100))
        self._before = termios.tcgetattr(self._theirs)
        self.raw = ""
        command = [sys.executable, "-m", "telephony", "demo", *arguments]
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_TERMINAL, *command],
            cwd=ROOT,
            env={**os.environ, "TERM": "xterm-256color", "NO_COLOR": "1", "COLUMNS": "100"},
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            start_new_session=True,
        )

    @property
    def text(self) -> str:
        """All that was shown, without control codes, and with its line breaks as spaces."""
        return " ".join(_CODES.sub("", self.raw).split())

    def is_as_before(self) -> bool:
        """Tell whether the terminal's settings are those that it had."""
        return termios.tcgetattr(self._theirs) == self._before

    def press(self, key: str) -> None:
        """Press a key."""
        os.write(self._ours, key.encode())

    def until(self, shown: Callable[[str], bool]) -> None:
        """Read until the text is as wanted; AssertionError with the text when that does not come."""
        deadline = time.monotonic() + LIMIT_S
        while not shown(self.text):
            ready, _, _ = select.select([self._ours], [], [], 0.2)
            if ready:
                self.raw += os.read(self._ours, 65536).decode(errors="replace")
            elif self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(self.text)

    def read_on(self) -> None:
        """Read until its end, so that it never waits for us; for a thread of its own."""
        while self.process.poll() is None:
            self._read_rest()
        self._read_rest()

    def ended(self) -> int:
        """Wait for its end; return the exit code."""
        deadline = time.monotonic() + LIMIT_S
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read_rest()
        self._read_rest()
        return self.process.wait(timeout=1)

    def is_anybody_left(self) -> bool:
        """Tell whether a process of its session lives."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> None:
        """End it, whatever it does."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def close(self) -> None:
        """End it, and put the terminal away."""
        self.kill()
        os.close(self._ours)
        os.close(self._theirs)

    def _read_rest(self) -> None:
        while select.select([self._ours], [], [], 0.1)[0]:
            self.raw += os.read(self._ours, 65536).decode(errors="replace")
