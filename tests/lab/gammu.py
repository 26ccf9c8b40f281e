"""Debian's gammu-smsd with its dummy phone and folders of its own; killed and restarted by a test.

The dummy driver (`connection = none`, `model = dummy`) keeps its memory in the folder that `port` names: an SMS that
lies in `sms/1` there has just arrived at the phone. It sends everything, and the daemon's log says what.
"""

import itertools
import re
import shutil

from tests.lab.server import PATH, Server

FOLDERS = ("outbox", "inbox", "sent", "error")
_FOUND = re.compile(r'Found 1 sms to "(?P<to>[^"]*)" with text "(?P<text>[^"]*)"')
_TRANSMITTED = re.compile(r"Transmitted (?P<file>\S+) ")


def program() -> str | None:
    """Where gammu-smsd is; None if it is not installed (Debian: `apt-get install gammu-smsd`)."""
    return shutil.which("gammu-smsd", path=PATH)


class Gammu(Server):
    """A daemon that keeps its folders over restarts.

    Attributes:
        spool: holds outbox, inbox, sent and error.
    """

    def __init__(self) -> None:
        """Starts nothing yet."""
        super().__init__("gammu", start_limit_s=20.0)
        self.spool = self.folder / "spool"
        self._phone = self.folder / "phone"
        self._arrived = itertools.count(1)
        for folder in FOLDERS:
            (self.spool / folder).mkdir(parents=True)
        (self._phone / "sms" / "1").mkdir(parents=True)
        lines = [
            "[gammu]",
            "model = dummy",
            "connection = none",
            f"port = {self._phone}",
            "gammuloc = /dev/null",
            "[smsd]",
            "service = files",
            "logfile = stdout",
            "debuglevel = 1",
            *(f"{name} = {self.spool / folder}/" for name, folder in self._paths()),
            "inboxformat = unicode",
            "transmitformat = auto",
            # Seconds between looks at outbox and phone.
            "commtimeout = 1",
            "receivefrequency = 1",
            "loopsleep = 1",
        ]
        (self.folder / "smsdrc").write_text("\n".join(lines) + "\n")

    @staticmethod
    def _paths() -> list[tuple[str, str]]:
        return [("outboxpath", "outbox"), ("inboxpath", "inbox"), ("sentsmspath", "sent"), ("errorsmspath", "error")]

    def command(self) -> list[str]:
        """The daemon, in the foreground.

        Raises:
            FileNotFoundError: it is not installed.
        """
        binary = program()
        if binary is None:
            raise FileNotFoundError("gammu-smsd is not installed: apt-get install gammu-smsd")
        return [binary, "-c", str(self.folder / "smsdrc")]

    async def answers(self) -> bool:
        """Whether this start of it has come as far as the phone."""
        return "Starting phone communication" in self.log.rpartition("Using FILES service")[2]

    @property
    def texts(self) -> list[tuple[str, str]]:
        """(number, text) of every SMS that was taken up for sending, in order."""
        return [(found["to"], found["text"]) for found in _FOUND.finditer(self.log)]

    @property
    def transmitted(self) -> list[str]:
        """The name of every file that went out, in order."""
        return [found["file"] for found in _TRANSMITTED.finditer(self.log)]

    def receive(self, number: str, text: str) -> None:
        """An SMS arrives at the phone."""
        place = next(self._arrived)
        sms = [
            "[SMSBackup000]",
            "PDU = Deliver",
            f"DateTime = 20270328T0230{place % 60:02}Z",
            "State = UnRead",
            f'Number = "{number}"',
            f"NumberUnicode = {number.encode('utf-16-be').hex()}",
            f"Text00 = {text.encode('utf-16-be').hex()}",
            "Coding = Default_No_Compression",
            "Folder = 1",
            f"Length = {len(text)}",
            "Class = -1",
        ]
        hidden = self._phone / f"arriving-{place}"
        hidden.write_text("\n".join(sms) + "\n")
        hidden.rename(self._phone / "sms" / "1" / str(place))
