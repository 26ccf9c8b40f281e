"""SMS through gammu-smsd: the real daemon with its dummy phone, and a modem that fails, played by hand."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from adapters.paging.pager import ChannelPager, DeliveryUncertainError
from adapters.paging.sms import GammuSpool, SmsChannel, SmsConfig
from adapters.paging.sms_gammu import KEEP_SENT_S, GammuSender
from adapters.paging.sms_template import Sms
from policies.actions import StandDown
from policies.events import Delivery, Event, MessageReported, PageReplied, Report, Says
from policies.rules import Severity
from tests.adapters.paging.stage import LIMIT_S, NUMBER, HandClock, alarm
from tests.lab import gammu
from tests.lab.gammu import FOLDERS, Gammu
from tests.lab.waiting import until

LONG_ID = "p-01JQC4T0000000000000000000-a-plan-with-a-name-that-is-long/and strange.12"


@pytest.fixture
async def modem() -> AsyncIterator[Gammu]:
    """A daemon that is not started yet."""
    if gammu.program() is None:
        pytest.skip("gammu-smsd is not installed: apt-get install gammu-smsd")
    made = Gammu()
    yield made
    if made.process is not None:
        await made.close()
    shutil.rmtree(made.folder, ignore_errors=True)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """The four folders without a daemon."""
    for folder in FOLDERS:
        (tmp_path / folder).mkdir()
    return tmp_path


class Service:
    """A pager with this channel alone, at work."""

    def __init__(self, folder: Path, wait_s: float = LIMIT_S, look_s: float = 0.02) -> None:
        self.clock = HandClock()
        self.channel = SmsChannel(SmsConfig(GammuSpool(folder, wait_s, look_s), can_reply=True), self.clock)
        self.pager = ChannelPager({"sms": self.channel}, self.clock, deadline_s=LIMIT_S)
        self.emitted: list[Event] = []
        self.task = asyncio.create_task(self.channel.run(self.take))

    def take(self, event: Event) -> None:
        self.emitted.append(event)

    @property
    def replies(self) -> list[tuple[str, Says, int]]:
        return [(e.address, e.says, e.code) for e in self.emitted if isinstance(e, PageReplied)]

    @property
    def failed(self) -> list[str]:
        return [e.message for e in self.emitted if isinstance(e, MessageReported) and e.report is Report.FAILED]

    async def stop(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Service]]:
    """Runs services over a folder."""
    made: list[Service] = []

    def start(folder: Path, **more: float) -> Service:
        made.append(Service(folder, **more))
        return made[-1]

    yield start
    for one in made:
        await one.stop()


Serve = Callable[..., Service]


def files(spool: Path, folder: str) -> list[Path]:
    return sorted(p for p in (spool / folder).iterdir() if not p.name.startswith("."))


def move(spool: Path, to: str) -> None:
    """What a daemon does with the only file in its outbox."""
    [path] = files(spool, "outbox")
    path.rename(spool / to / path.name)


def arrives(spool: Path, text: str | bytes, sender: str = NUMBER, second: int = 0, part: str = "00") -> Path:
    """What a daemon does with an SMS from the phone."""
    path = spool / "inbox" / f"IN20270328_0230{second:02}_00_{sender}_{part}.txt"
    path.write_bytes(text if isinstance(text, bytes) else b"\xfe\xff" + text.encode("utf-16-be"))
    return path


async def test_an_alarm_goes_out_and_is_answered(modem: Gammu, serve: Serve) -> None:
    """Proves the whole way through the real daemon: the text as written, asking for a reply; and the reply back."""
    service = serve((await modem.start()).spool)
    notified = await service.pager.notify(alarm("sms", NUMBER, code=2))
    assert (notified.delivery, notified.detail) == (Delivery.SENT, "sent by the modem")
    text = "Bagvagt: AKUT alarm, hændelse i-7. Svar 2 for at tage den, nej for at give den videre."
    assert modem.texts == [(NUMBER, text)]
    modem.receive(NUMBER, "2")
    modem.receive("+358401234567", "Kyllä")
    await until(lambda: len(service.replies) == 2, LIMIT_S, "both replies came in")
    assert sorted(service.replies) == [("+358401234567", Says.TAKE, 0), (NUMBER, Says.TAKE, 2)]
    await until(lambda: not files(modem.spool, "inbox"), LIMIT_S, "what was handed over is gone")


async def test_a_killed_daemon_loses_nothing(modem: Gammu, serve: Serve) -> None:
    """Proves that what is sent, and what arrives, while the daemon is dead comes through once it is back, once each."""
    service = serve((await modem.start()).spool, wait_s=0.2)
    await modem.kill()
    modem.receive(NUMBER, "1")
    first = await service.pager.notify(alarm("sms", NUMBER))
    service.clock.forward(60)
    again = await service.pager.notify(alarm("sms", NUMBER, attempt=2, id="a-2"))
    assert [first.delivery, again.delivery] == [Delivery.UNKNOWN, Delivery.UNKNOWN]
    assert first.detail == "it waits for the modem"
    await modem.start()
    await until(lambda: files(modem.spool, "sent") and service.replies, LIMIT_S, "both came through")
    assert service.replies == [(NUMBER, Says.TAKE, 1)]
    third = await service.pager.notify(alarm("sms", NUMBER, attempt=3, id="a-3"))
    assert third.delivery is Delivery.SENT
    assert len(modem.transmitted) == 1


async def test_acute_goes_first_and_a_long_id_does_no_harm(modem: Gammu, serve: Serve) -> None:
    """Proves the order in which a daemon takes what waited, and that it survives any id (it copies names unchecked)."""
    service = serve(modem.spool, wait_s=0.05)
    for n, severity in enumerate((Severity.NORMAL, Severity.URGENT, Severity.ACUTE)):
        await service.pager.notify(alarm("sms", NUMBER, severity=severity, message=f"{LONG_ID}{n}.0", language="en"))
        service.clock.forward(1)
    assert all(len(path.name) < 100 for path in files(modem.spool, "outbox"))
    await modem.start()
    await until(lambda: len(modem.transmitted) == 3, LIMIT_S, "all went out")
    assert [text.split()[1] for _, text in modem.texts] == ["ACUTE", "URGENT", "Alarm,"]


@settings(deadline=None)  # it writes files
@given(
    message=st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.from_regex(r"[a-z.-]{1,60}\.[0-9]{1,9}")
)
def test_a_files_name_is_short_and_its_own(message: str) -> None:
    """Proves that any id makes a name that the daemon can hold and that is known again, and no two ids share one."""
    with TemporaryDirectory() as folder:
        spool = Path(folder)
        for name in FOLDERS:
            (spool / name).mkdir()
        sender = GammuSender(GammuSpool(spool), HandClock())
        for one in (message, f"{message}x"):
            sender._put(Sms("+123456789012345", "", one, ""), sender._note(one))
            assert sender._where(sender._note(one)) == "outbox"
        names = {path.name for path in (spool / "outbox").iterdir()}
    assert len(names) == 2
    assert all(len(name.encode()) < 100 for name in names)


async def test_a_modem_that_cannot_send(spool: Path, serve: Serve) -> None:
    """Proves that an error while we wait is tried again and is told once, and that the next attempt is a new one."""
    service = serve(spool, look_s=0.5)  # so that the watching task sees the error first
    sending = asyncio.create_task(service.pager.notify(alarm("sms", NUMBER)))
    await until(lambda: files(spool, "outbox"), LIMIT_S)
    move(spool, "error")
    notified = await sending
    assert (notified.delivery, notified.detail) == (Delivery.DEFERRED, "the modem could not send it")
    assert (files(spool, "error"), service.failed) == ([], [])
    sending = asyncio.create_task(service.pager.notify(alarm("sms", NUMBER, attempt=2)))
    await until(lambda: files(spool, "outbox"), LIMIT_S)
    move(spool, "sent")
    assert (await sending).delivery is Delivery.SENT


@pytest.mark.parametrize("message", ["p-1-backup.0", LONG_ID])
async def test_a_modem_that_fails_later(spool: Path, serve: Serve, message: str) -> None:
    """Proves that an error after we stopped waiting is reported with the message's own id, and not twice."""
    service = serve(spool, wait_s=0.05)
    assert (await service.pager.notify(alarm("sms", NUMBER, message=message))).delivery is Delivery.UNKNOWN
    move(spool, "error")
    await until(lambda: service.failed, LIMIT_S, "the failure was reported")
    await until(lambda: not files(spool, "error"), LIMIT_S)
    arrives(spool, "1")
    await until(lambda: service.replies, LIMIT_S, "it has looked again")
    assert service.failed == [message]


async def test_a_second_attempt_after_a_restart_finds_the_first(spool: Path, serve: Serve) -> None:
    """Proves that neither a message that waits nor one that was sent is sent again by a service that knows nothing."""
    await serve(spool, wait_s=0.05).pager.notify(alarm("sms", NUMBER))
    later = serve(spool, wait_s=0.05)
    later.clock.forward(60)
    assert (await later.pager.notify(alarm("sms", NUMBER, attempt=2))).delivery is Delivery.UNKNOWN
    assert len(files(spool, "outbox")) == 1
    move(spool, "sent")
    assert (await later.pager.notify(alarm("sms", NUMBER, attempt=3))).delivery is Delivery.SENT
    assert files(spool, "outbox") == []


@pytest.mark.parametrize("page", ["p-1-backup", LONG_ID])
async def test_what_still_waits_is_taken_back(spool: Path, serve: Serve, page: str) -> None:
    """Proves that a modem which comes back late sends no alarm that somebody has taken, and only the last of the rest.

    Other pages' alarms and other people's stay, and the news of who has it goes out.
    """
    service = serve(spool, wait_s=0.02)
    for message, number in (
        (f"{page}.0", NUMBER),
        (f"{page}.1", NUMBER),
        (f"{page}.2", "+4520304051"),
        ("p-2.0", NUMBER),
    ):
        await service.pager.notify(alarm("sms", number, message=message))
    assert [path.read_bytes()[2:].decode("utf-16-le")[:13] for path in files(spool, "outbox")] == ["Bagvagt: AKUT"] * 3
    down = StandDown(id="a-9", page=page, incident="i-7", by="Bo", told=(("sms", NUMBER, "da"),))
    await service.channel.tell_answered(replace(down, by=""), NUMBER, "da")
    assert sorted(path.name.split("_")[3] for path in files(spool, "outbox")) == [NUMBER, "+4520304051"]
    with pytest.raises(DeliveryUncertainError):
        await service.channel.tell_answered(down, NUMBER, "da")
    assert len(files(spool, "outbox")) == 3


async def test_what_was_sent_is_forgotten_after_a_day(spool: Path, serve: Serve) -> None:
    """Proves that numbers do not stay in the folder for ever, and that others' files are left alone."""
    ours = spool / "sent" / f"OUTA20270327_020000_00_{NUMBER}_bagvagt-p-1.0.txt"
    fresh = spool / "sent" / f"OUTA20270328_020000_00_{NUMBER}_bagvagt-p-2.0.txt"
    others = spool / "sent" / f"OUTC20270327_020000_00_{NUMBER}_sms0.txt"
    for path in (ours, fresh, others):
        path.touch()
    for path in (ours, others):
        os.utime(path, (0, path.stat().st_mtime - KEEP_SENT_S - 60))
    serve(spool)
    await until(lambda: not ours.exists(), LIMIT_S, "the old one is gone")
    assert fresh.exists()
    assert others.exists()


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"\xfe\xff\0o\0k", Says.TAKE),
        (b"ok", Says.TAKE),
        ("kyllä".encode(), Says.TAKE),
        ("kyllä".encode("latin-1"), Says.TAKE),
        # What gammu-smsd 1.42 wrote for "kyllä", and what follows where its buffer was used before.
        (bytes.fromhex("feff006b0079006c006c00e40000"), Says.TAKE),
        (bytes.fromhex("feff006b0079006c006c00e400000065006c"), Says.TAKE),
        (b"\xfe\xff\0", Says.UNCLEAR),
    ],
)
async def test_replies_in_every_encoding(spool: Path, serve: Serve, raw: bytes, says: Says) -> None:
    """Proves that a reply is read whatever the daemon's settings and locale made of it."""
    arrives(spool, raw)
    service = serve(spool)
    await until(lambda: service.replies, LIMIT_S)
    assert service.replies == [(NUMBER, says, 0)]


async def test_what_waited_in_the_inbox_is_taken_in_once(spool: Path, serve: Serve) -> None:
    """Proves that replies from before the start come in, in their order, and not again after a restart."""
    arrives(spool, "nej", second=1)
    arrives(spool, "1", second=2)
    arrives(spool, "of a long message", second=2, part="01")
    service = serve(spool)
    await until(lambda: not files(spool, "inbox"), LIMIT_S)
    assert service.replies == [(NUMBER, Says.PASS, 0), (NUMBER, Says.TAKE, 1)]
    await service.stop()
    again = serve(spool)
    arrives(spool, "2")
    await until(lambda: again.replies, LIMIT_S)
    assert again.replies == [(NUMBER, Says.TAKE, 2)]


async def test_what_lay_in_the_inbox_for_an_hour_takes_nothing(spool: Path, serve: Serve) -> None:
    """Proves that a reply to what went on before the service was down does not take a page of now."""
    path = arrives(spool, "1")
    os.utime(path, (0, path.stat().st_mtime - 3600))
    service = serve(spool)
    await until(lambda: service.replies, LIMIT_S)
    assert service.replies == [(NUMBER, Says.UNCLEAR, 0)]


async def test_a_reply_that_could_not_be_handed_over_stays(spool: Path) -> None:
    """Proves that a file is removed only after its reply was handed over: nothing is lost on the way."""
    path = arrives(spool, "1")
    channel = SmsChannel(SmsConfig(GammuSpool(spool)), HandClock())

    def refuse(_: Event) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await channel.run(refuse)
    assert path.exists()


async def test_an_empty_file_is_waited_for_and_names_are_left(spool: Path, serve: Serve) -> None:
    """Proves that a file that is just being written is not read as an empty reply, and that adverts stay in place."""
    writing = arrives(spool, b"", second=1)
    advert = arrives(spool, "Tilbud!", sender="TDC", second=2)
    with capture_logs() as logs:
        arrives(spool, "nej", second=3)
        service = serve(spool)
        await until(lambda: service.replies, LIMIT_S)
        writing.write_bytes(b"1")
        await until(lambda: len(service.replies) == 2, LIMIT_S)
    assert service.replies == [(NUMBER, Says.PASS, 0), (NUMBER, Says.TAKE, 1)]
    assert advert.exists()
    assert [entry["event"] for entry in logs].count("sms_from_a_name_left_in_inbox") == 1
    assert "20304050" not in repr(logs)


async def test_folders_that_are_not_there(tmp_path: Path, serve: Serve) -> None:
    """Proves that a missing folder is reported, and that a message is tried again rather than refused."""
    with capture_logs() as logs:
        service = serve(tmp_path)
        notified = await service.pager.notify(alarm("sms", NUMBER))
        await until(lambda: any(entry["event"] == "gammu_folders_missing" for entry in logs), LIMIT_S)
    assert notified.delivery is Delivery.DEFERRED
    [missing] = [entry["folders"] for entry in logs if entry["event"] == "gammu_folders_missing"]
    assert sorted(missing) == sorted(FOLDERS)
