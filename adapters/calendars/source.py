"""Where a calendar comes from, and the last good copy of it, which serves when it does not come."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import aiohttp
import msgspec

from adapters.calendars.ics import CalendarError
from adapters.lookup import Resolver

MOST_BYTES = 2_000_000
FETCH_S = 30.0
CONNECT_S = 10.0
_OK, _NOT_MODIFIED = 200, 304  # RFC 9110 §15


@dataclass(frozen=True, slots=True)
class Copy:
    """A calendar as it was when it could be read.

    Attributes:
        source: of which it is a copy: a hash, since addresses are secrets.
        at: when it was last known to be what the source has.
        etag: the source's own mark of this version, "" for none.
        modified: when the source says that it changed, "" for unknown.
        text: the iCalendar text.
    """

    source: str
    at: datetime
    etag: str = ""
    modified: str = ""
    text: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a source said.

    Attributes:
        text: the calendar, None when it is what it was.
        etag: see `Copy`.
        modified: likewise.
    """

    text: bytes | None
    etag: str = ""
    modified: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the calendar of a rota is.

    Attributes:
        rota: whose.
        zone: of what has no zone of its own.
        names: what people are called -> who that is.
        copy: where the last good copy is kept.
        file: the calendar, None for one that is fetched.
        url_file: file that holds its address.
    """

    rota: str
    zone: ZoneInfo
    names: Mapping[str, str]
    copy: Path
    file: Path | None
    url_file: Path

    def where(self) -> str:
        """Return the address, or the file's name.

        Raises:
            CalendarError: the file with the address cannot be read.
        """
        if self.file is not None:
            return str(self.file)
        try:
            return self.url_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            raise CalendarError("the file with its address cannot be read") from None

    def mark(self) -> str:
        """Return what tells this source from another one, without giving its address away.

        Raises:
            CalendarError: the file with the address cannot be read.
        """
        return hashlib.sha256(self.where().encode()).hexdigest()


def read_file(file: Path) -> Fetched:
    """Read a calendar's file.

    Raises:
        CalendarError: there is none, or it is too large.
    """
    try:
        with file.open("rb") as opened:
            return Fetched(_limited(opened.read(MOST_BYTES + 1)))
    except OSError as error:
        raise CalendarError(f"the file cannot be read: {error.strerror}") from None


async def fetch(url: str, copy: Copy | None) -> Fetched:
    """Fetch a calendar, unless it is what it was (RFC 9110 §13.1). Redirects are not followed: the address is a secret.

    Raises:
        CalendarError: it did not come.
    """
    headers = {"Accept": "text/calendar"}
    if copy is not None:
        headers |= {"If-None-Match": copy.etag} if copy.etag else {}
        headers |= {"If-Modified-Since": copy.modified} if copy.modified else {}
    timeout = aiohttp.ClientTimeout(total=FETCH_S, connect=CONNECT_S)
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Resolver()), timeout=timeout) as session,
            session.get(url, headers=headers, allow_redirects=False) as response,
        ):
            if response.status == _NOT_MODIFIED and copy is not None:
                return Fetched(None, copy.etag, copy.modified)
            if response.status != _OK:
                raise CalendarError(f"the server answers with HTTP {response.status}")
            text = bytearray()
            while len(text) <= MOST_BYTES and (some := await response.content.readany()):
                text += some
            etag, modified = (response.headers.get(name, "") for name in ("ETag", "Last-Modified"))
            return Fetched(_limited(bytes(text)), etag, modified)
    except TimeoutError:
        raise CalendarError("the server does not answer in time") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:  # their words hold the address
        raise CalendarError(f"it cannot be fetched: {type(error).__name__}") from None


def _limited(text: bytes) -> bytes:
    if len(text) > MOST_BYTES:
        raise CalendarError(f"it is larger than {MOST_BYTES // 1_000_000} MB")
    return text


def kept(file: Path, source: str) -> Copy | None:
    """Return the copy in `file`; None when there is none, or it is damaged, or one of another source."""
    try:
        copy = msgspec.msgpack.decode(file.read_bytes(), type=Copy)
    except (OSError, msgspec.MsgspecError):
        return None
    return copy if copy.source == source else None


def keep(file: Path, copy: Copy) -> None:
    """Write a copy: all of it, or the old one stays.

    Raises:
        OSError: it cannot be written.
    """
    file.parent.mkdir(mode=0o750, exist_ok=True)
    new = file.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "wb") as opened:
        opened.write(msgspec.msgpack.encode(copy))
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)
