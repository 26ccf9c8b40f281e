"""SMS through a modem of one's own: the spool of gammu-smsd(1) with its `files` backend (gammu-smsd-files(7), 1.42).

A message is a file in `outbox`, made whole under a hidden name and then renamed; the daemon moves it to `sent` or
`error`. Its name carries the message's id, so that a second attempt finds the first one: what lies in `outbox` or
`sent` is not written again. What still waits there is withdrawn when the page has been taken, or when a later message
of the same page goes to the same number: a modem that comes back after an hour must not send an hour's alarms. What
people send lies in `inbox`; each file is removed after it was handed over.

The daemon copies a file's name into 100 bytes without looking (services/files.c, `FileName`), so names stay below that.
Text is written as UTF-16 with its mark, since the daemon reads anything else by its locale.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from watchfiles import awatch

from adapters.paging.pager import DeliveryUncertainError
from adapters.paging.sms_number import sender_number
from adapters.paging.sms_replies import STALE, read_reply
from adapters.paging.sms_template import CHANNEL, Sms
from policies.events import Event, MessageReported, PageReplied, Report, Says
from policies.rules import Severity
from telephony.errors import DeliveryDeferredError
from telephony.ports import Clock

_log = structlog.get_logger(__name__)

OUTBOX, SENT, ERROR, INBOX = "outbox", "sent", "error", "inbox"
KEEP_SENT_S = 86_400.0  # to know a second attempt by; then the file is removed, since its name holds a number
_LOOK_S, _LOOK_MS = 5.0, 5000
_NOT_SENT = "the modem could not send it"
_WRITING_S = 10.0
_PRIORITY = {Severity.ACUTE: "A", Severity.URGENT: "B", Severity.NORMAL: "C"}
# 99 bytes less "OUTA20260101_000000_00_", a number of 16 characters, "_bagvagt-" and ".txt"
_PLAIN_ID = re.compile(r"[A-Za-z0-9.-]{1,40}")  # and a number of a message
_NUMBERED = re.compile(r"(?P<page>.+)\.(?P<number>[0-9]{1,4})", re.DOTALL)
_OURS = re.compile(r"OUT[ABC]\d{8}_\d{6}_00_\+\d+_bagvagt-(?P<note>[A-Za-z0-9.-]+)\.txt")
_REPLY = re.compile(r"IN(?P<at>\d{8}_\d{6})_\d\d_(?P<sender>.+)_(?P<part>\d\d)\.txt")
_ZONES = timedelta(hours=2)  # the name has the network's wall clock, which may be that of a neighbouring zone


@dataclass(frozen=True, slots=True)
class GammuSpool:
    """Where the daemon's folders are.

    Attributes:
        folder: holds outbox, sent, error and inbox.
        wait_s: how long the modem is waited for; shorter than the pager's deadline.
        look_s: how often is looked meanwhile.
    """

    folder: Path
    wait_s: float = 8.0
    look_s: float = 0.2


class GammuSender:
    """Sends through a `GammuSpool`, and takes in what comes back.

    Args:
        spool: where.
        clock: time and ids of the events.
    """

    def __init__(self, spool: GammuSpool, clock: Clock) -> None:
        self._spool = spool
        self._clock = clock
        self._ids: dict[str, str] = {}
        self._awaited: set[str] = set()
        self._left: set[str] = set()  # names of files that stay where they are, and are not looked at again

    async def send(self, sms: Sms) -> str:
        """Give one SMS to the modem; returns when the network took it."""
        note = self._note(sms.id)
        self._awaited.add(note)
        try:
            await asyncio.to_thread(self._put, sms, note)
        except OSError as error:
            raise DeliveryDeferredError(CHANNEL, f"the modem's folders: {type(error).__name__}") from None
        else:
            return await self._sent(note)
        finally:
            self._awaited.discard(note)

    async def withdraw(self, page: str, number: str) -> None:
        """Take back what still waits for this number."""
        with contextlib.suppress(OSError):  # the daemon may have taken it under our eyes
            await asyncio.to_thread(self._withdraw, _short(page), number)

    async def run(self, emit: Callable[[Event], None]) -> None:
        """Take in replies, and what the modem could not send after all, until cancelled."""
        logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it logs names of files, which hold numbers
        while missing := [name for name in (OUTBOX, SENT, ERROR, INBOX) if not (self._spool.folder / name).is_dir()]:
            _log.error("gammu_folders_missing", folders=missing, remedy="see docs/sms.md, and start gammu-smsd")
            await asyncio.sleep(_LOOK_S)
        await self._take_in(emit)
        watched = (self._spool.folder / INBOX, self._spool.folder / ERROR)
        async for _ in awatch(*watched, debounce=100, rust_timeout=_LOOK_MS, yield_on_timeout=True, recursive=False):
            await self._take_in(emit)

    async def _take_in(self, emit: Callable[[Event], None]) -> None:
        try:
            found = await asyncio.to_thread(self._found)
        except OSError as error:  # moved away under our eyes, or the daemon is being set up
            _log.warning("gammu_folders_unread", error=type(error).__name__)
            return
        for path, event in found:
            if event is not None:
                emit(event)
            # Only now: what is not handed over is found again after a restart.
            try:
                await asyncio.to_thread(path.unlink, missing_ok=True)
            except OSError as error:
                self._left.add(path.name)
                _log.error("gammu_file_not_removed", error=type(error).__name__, remedy="see docs/sms.md on its group")

    async def _sent(self, note: str) -> str:
        deadline = time.monotonic() + self._spool.wait_s
        try:
            while (  # noqa: ASYNC110 -- it is another process that moves the file
                where := await asyncio.to_thread(self._where, note)
            ) == OUTBOX and time.monotonic() < deadline:
                await asyncio.sleep(self._spool.look_s)
        except OSError as error:
            raise DeliveryUncertainError(f"the modem's folders: {type(error).__name__}") from None
        if where == SENT:
            self._ids.pop(note, None)
            return "sent by the modem"
        if where == ERROR:
            await asyncio.to_thread(self._discard, ERROR, note)
            raise DeliveryDeferredError(CHANNEL, _NOT_SENT)
        raise DeliveryUncertainError("it waits for the modem" if where == OUTBOX else "it left the modem's folders")

    def _put(self, sms: Sms, note: str) -> None:
        """Write the file, unless an earlier attempt has."""
        if self._where(note) in (OUTBOX, SENT):
            return
        self._discard(ERROR, note)
        if numbered := _NUMBERED.fullmatch(note):
            self._withdraw(numbered["page"], sms.to)
        outbox = self._spool.folder / OUTBOX
        hidden = outbox / f".bagvagt-{note}"
        with hidden.open("wb") as file:
            os.fchmod(file.fileno(), 0o660)  # the daemon is another account of the same group
            file.write(b"\xff\xfe" + sms.text.encode("utf-16-le"))
            file.flush()
            os.fsync(file.fileno())
        at = self._clock.now().strftime("%Y%m%d_%H%M%S")
        hidden.rename(outbox / f"OUT{_PRIORITY[sms.severity]}{at}_00_{sms.to}_bagvagt-{note}.txt")

    def _where(self, note: str) -> str:
        """Return the folder that the message lies in, "" for none; in the order in which it wanders."""
        return next((name for name in (OUTBOX, SENT, ERROR) if self._ours(name, note)), "")

    def _discard(self, folder: str, note: str) -> None:
        for path in self._ours(folder, note):
            path.unlink(missing_ok=True)

    def _withdraw(self, page: str, number: str) -> None:
        for path in (self._spool.folder / OUTBOX).iterdir():
            numbered = _NUMBERED.fullmatch(_note_of(path))
            if numbered and numbered["page"] == page and f"_{number}_" in path.name:
                path.unlink(missing_ok=True)

    def _ours(self, folder: str, note: str) -> list[Path]:
        return [path for path in (self._spool.folder / folder).iterdir() if _note_of(path) == note]

    def _note(self, message: str) -> str:
        """Return what stands for a message in a file's name; a page's messages are told apart by what follows a dot."""
        numbered = _NUMBERED.fullmatch(message)
        note = f"{_short(numbered['page'])}.{numbered['number']}" if numbered else _short(message)
        if note != message:
            self._ids[note] = message
        return note

    def _found(self) -> list[tuple[Path, Event | None]]:
        """Return what is to be taken in and then removed, oldest first."""
        for path in (self._spool.folder / SENT).iterdir():
            if _note_of(path) and time.time() - path.stat().st_mtime > KEEP_SENT_S:
                path.unlink(missing_ok=True)
        found: list[tuple[Path, Event | None]] = []
        for path in (self._spool.folder / ERROR).iterdir():
            note = _note_of(path)
            if note and note not in self._awaited and path.name not in self._left:
                found.append((path, self._failed(note)))
        for path in sorted((self._spool.folder / INBOX).iterdir()):
            reply = _REPLY.fullmatch(path.name)
            if reply is not None and path.name not in self._left and not _is_being_written(path):
                found += self._reply(path, reply["sender"], reply["part"], reply["at"])
        return found

    def _failed(self, note: str) -> Event:
        message = self._ids.get(note, note)
        return MessageReported(**self._stamp(), message=message, report=Report.FAILED, detail=_NOT_SENT)

    def _reply(self, path: Path, sender: str, part: str, at: str) -> list[tuple[Path, Event | None]]:
        if part != "00":
            return [(path, None)]  # the rest of a long message; what counts stands at its beginning
        number = sender_number(sender)
        if number is None:
            self._left.add(path.name)
            _log.warning("sms_from_a_name_left_in_inbox")
            return []
        says, code = read_reply(_decode(path.read_bytes()))
        if time.time() - path.stat().st_mtime > STALE.total_seconds() or _is_old(at):
            says, code = Says.UNCLEAR, 0
        return [(path, PageReplied(**self._stamp(), channel=CHANNEL, address=number, says=says, code=code))]

    def _stamp(self) -> dict[str, Any]:
        return {"id": self._clock.new_id(), "at": self._clock.now()}


def _is_old(at: str) -> bool:
    """Tell whether an SMS lay at the network for long, by the time in its file's name."""
    try:
        return datetime.now() - datetime.strptime(at, "%Y%m%d_%H%M%S") > STALE + _ZONES  # noqa: DTZ005, DTZ007 -- see there
    except ValueError:
        return False


def _short(name: str) -> str:
    return name if _PLAIN_ID.fullmatch(name) else hashlib.sha256(name.encode()).hexdigest()[:32]


def _note_of(path: Path) -> str:
    ours = _OURS.fullmatch(path.name)
    return ours["note"] if ours else ""


def _is_being_written(path: Path) -> bool:
    """Tell whether the daemon has opened the file and written nothing yet; it does not rename what is complete."""
    stat = path.stat()
    return stat.st_size == 0 and time.time() - stat.st_mtime < _WRITING_S


def _decode(raw: bytes) -> str:
    """Read a reply: UTF-16 with its mark (`InboxFormat = unicode`), or what the daemon's locale made of it.

    With letters beyond ASCII the daemon writes more than the text (it counts the bytes of UTF-8): a NUL ends it.
    """
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = raw.decode("utf-16", errors="replace")
    else:
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
    return text.partition("\0")[0]
