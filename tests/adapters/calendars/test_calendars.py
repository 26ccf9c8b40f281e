"""Calendars beside the running service: fetched, kept, and the last good copy when the source is away or broken."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapters.calendars import Calendars, source
from policies.rota import on_call_at
from telephony.settings import Settings, load, rules
from tests.adapters.calendars.test_ics import calendar
from tests.telephony.fakes import FakeClock
from tests.telephony.site_folder import SMALL, changed, site

NOW = datetime(2027, 1, 6, 10, tzinfo=UTC)  # a Wednesday
ANNA = calendar("DTSTART:20270106T000000Z\nDTEND:20270107T000000Z\nSUMMARY:Anna")
BO = ANNA.replace(b"Anna", b"Bo")
POLICY = changed(SMALL, "pages.backup", 'steps = [{rotas = ["cal"], wait_s = 60}]')


@dataclass
class Host:
    """Where a calendar is fetched.

    Attributes:
        body: the calendar.
        status: what it answers with.
        tag: ETag of the body, "" for none.
        asked: headers of each request.
        came: set with the first request.
        stalls: when cleared, no answer comes.
    """

    body: bytes = ANNA
    status: int = 200
    tag: str = '"1"'
    asked: list[dict[str, str]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    stalls: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.headers))
        self.came.set()
        await self.stalls.wait()
        if self.status == 302:
            return web.Response(status=302, headers={"Location": "/elsewhere"})
        if self.tag and request.headers.get("If-None-Match") == self.tag:
            return web.Response(status=304)
        headers = {"ETag": self.tag, "Last-Modified": "Wed, 06 Jan 2027 08:00:00 GMT"} if self.tag else {}
        return web.Response(status=self.status, body=self.body, headers=headers)


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    made = Host()
    made.stalls.set()
    app = web.Application()
    app.router.add_get("/{any:.*}", made.answer)
    async with TestServer(app, host="127.0.0.1") as server:
        made.url = str(server.make_url("/secret/cal.ics"))
        yield made


def settings(folder: Path, url: str = "", more: str = "") -> Settings:
    policy = site(folder, POLICY)
    (folder / "secrets" / "cal").write_text(url)
    (folder / "secrets" / "cal").chmod(0o600)
    where = 'calendar_url_file = "secrets/cal"' if url else 'calendar_file = "cal.ics"'
    policy.write_text(f"{POLICY}\n[rotas.cal]\n{where}\n{more}")
    return load(policy)


def on_call(calendars: Calendars, made: Settings, at: datetime = NOW) -> tuple[str, ...]:
    policy = calendars.into(rules(made, NOW.date()))
    return on_call_at(policy.rotas["cal"], at, policy.office)


async def test_a_calendar_is_fetched_and_not_fetched_again_while_it_is_the_same(host: Host, tmp_path: Path) -> None:
    """The second request asks for what is newer (ETag, Last-Modified); 304 keeps the shifts and makes them fresh."""
    made, clock = settings(tmp_path, host.url), FakeClock(NOW)
    calendars = Calendars(made, clock)
    assert on_call(calendars, made) == ()
    assert await calendars.refresh()
    assert on_call(calendars, made) == ("anna",)
    clock.forward(900)
    assert not await calendars.refresh()
    assert "If-None-Match" not in host.asked[0]
    assert host.asked[1]["If-None-Match"] == '"1"'
    assert host.asked[1]["If-Modified-Since"] == "Wed, 06 Jan 2027 08:00:00 GMT"
    (state,) = calendars.states()
    assert (state.good_at, state.problem) == (NOW + timedelta(seconds=900), "")
    host.body, host.tag = BO, '"2"'
    assert await calendars.refresh()
    assert on_call(calendars, made) == ("bo",)


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (503, b"", "the server answers with HTTP 503"),
        (404, b"", "the server answers with HTTP 404"),
        (302, b"", "the server answers with HTTP 302"),
        (200, b"<html>Log in</html>", "it is not iCalendar"),
        (200, ANNA[:60], "it is not iCalendar"),
        (200, b" " * 2_000_001, "it is larger than 2 MB"),
    ],
)
async def test_the_last_good_copy_serves_when_the_source_is_broken(
    status: int, body: bytes, problem: str, host: Host, tmp_path: Path
) -> None:
    """Also after a restart; its age is known, and the address is in no word of it."""
    made, clock = settings(tmp_path, host.url), FakeClock(NOW)
    calendars = Calendars(made, clock)
    await calendars.refresh()
    host.status, host.body, host.tag = status, body, '"2"'
    clock.forward(3600)
    assert not await calendars.refresh()
    for serving in (calendars, Calendars(made, clock)):
        assert on_call(serving, made) == ("anna",)
        await serving.refresh()
        (state,) = serving.states()
        assert (state.good_at, state.problem) == (NOW, problem)
        (doubt,) = serving.doubts()
        assert doubt.message == f"{problem}; the copy of 2027-01-06 10:00 UTC serves"
        assert (doubt.key, doubt.severity) == ("rotas.cal.calendar_url_file", "warning")
        assert doubt.line == made.line_near("rotas.cal.calendar_url_file")
        assert "secret" not in doubt.message


async def test_a_server_that_is_gone_or_silent_is_waited_for_and_no_longer(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy serves; when it comes back, so does the calendar."""
    made, clock = settings(tmp_path, host.url), FakeClock(NOW)
    calendars = Calendars(made, clock)
    await calendars.refresh()
    monkeypatch.setattr(source, "FETCH_S", 0.05)
    host.stalls.clear()
    await calendars.refresh()
    assert calendars.states()[0].problem == "the server does not answer in time"
    assert on_call(calendars, made) == ("anna",)
    host.stalls.set()
    monkeypatch.setattr(source, "FETCH_S", 30.0)
    host.body, host.tag = BO, '"2"'
    assert await calendars.refresh()
    assert (on_call(calendars, made), calendars.states()[0].problem) == (("bo",), "")


async def test_nothing_listens_and_there_is_no_copy(tmp_path: Path) -> None:
    """Nobody is on call by it, which is said."""
    made = settings(tmp_path, "http://127.0.0.1:9/secret/cal.ics")
    calendars = Calendars(made, FakeClock(NOW))
    assert not await calendars.refresh()
    assert on_call(calendars, made) == ()
    (doubt,) = calendars.doubts()
    assert doubt.message == "it cannot be fetched: ClientConnectorError; nothing serves"


async def test_a_copy_of_another_address_does_not_serve(host: Host, tmp_path: Path) -> None:
    """A new address is a new calendar: neither old shifts nor the old ETag."""
    clock = FakeClock(NOW)
    await Calendars(settings(tmp_path, host.url), clock).refresh()
    host.asked.clear()
    host.body = BO
    made = settings(tmp_path, host.url + "?other")
    calendars = Calendars(made, clock)
    assert on_call(calendars, made) == ()
    await calendars.refresh()
    assert "If-None-Match" not in host.asked[0]
    assert on_call(calendars, made) == ("bo",)


async def test_a_file_serves_from_its_copy_when_it_is_gone(tmp_path: Path) -> None:
    """And a damaged copy is as none."""
    (tmp_path / "cal.ics").write_bytes(ANNA)
    made = settings(tmp_path)
    calendars = Calendars(made, FakeClock(NOW))
    await calendars.refresh()
    assert on_call(calendars, made) == ("anna",)
    (tmp_path / "cal.ics").unlink()
    after = Calendars(made, FakeClock(NOW))
    await after.refresh()
    assert on_call(after, made) == ("anna",)
    assert after.states()[0].problem == "the file cannot be read: No such file or directory"
    copy = tmp_path / "bagvagt.calendars" / "cal.copy"
    copy.write_bytes(copy.read_bytes()[:-40])
    damaged = Calendars(made, FakeClock(NOW))
    assert (on_call(damaged, made), damaged.states()[0].good_at) == ((), None)


async def test_a_command_that_only_looks_writes_nothing(tmp_path: Path) -> None:
    """The copies belong to the service, which could not replace those of another account."""
    (tmp_path / "cal.ics").write_bytes(ANNA)
    made = settings(tmp_path)
    calendars = Calendars(made, FakeClock(NOW), keeps=False)
    await calendars.refresh()
    assert on_call(calendars, made) == ("anna",)
    assert not (tmp_path / "bagvagt.calendars").exists()


async def test_a_copy_that_cannot_be_written_serves_from_memory(tmp_path: Path) -> None:
    """A full or forbidden disk: also over a reload of the policy, while the process lives."""
    (tmp_path / "bagvagt.calendars").write_text("a file where the folder should be")
    (tmp_path / "cal.ics").write_bytes(ANNA)
    made = settings(tmp_path)
    calendars = Calendars(made, FakeClock(NOW))
    await calendars.refresh()
    (tmp_path / "cal.ics").unlink()
    calendars.follow(made)
    await calendars.refresh()
    assert on_call(calendars, made) == ("anna",)


async def test_the_weeks_that_are_read_move_with_the_time(tmp_path: Path) -> None:
    """A series goes on for ever; three months later the shifts of then are there, also from the copy alone."""
    daily = "DTSTART:20270106T000000Z\nDTEND:20270107T000000Z\nRRULE:FREQ=DAILY\nSUMMARY:Anna"
    (tmp_path / "cal.ics").write_bytes(calendar(daily))
    made, clock = settings(tmp_path), FakeClock(NOW)
    calendars = Calendars(made, clock)
    await calendars.refresh()
    before = calendars.into(rules(made)).version
    clock.forward(24 * 3600)
    assert not await calendars.refresh()  # the same week: the same shifts, the same version
    assert calendars.into(rules(made)).version == before
    (tmp_path / "cal.ics").unlink()
    clock.forward(150 * 24 * 3600)
    assert on_call(calendars, made, clock.now()) == ()
    assert await calendars.refresh()
    assert on_call(calendars, made, clock.now()) == ("anna",)
    calendars.read(NOW)  # as a command does that asks for another time
    assert on_call(calendars, made, NOW + timedelta(days=1)) == ("anna",)


async def test_names_of_the_calendar_and_what_nobody_is_called(tmp_path: Path) -> None:
    """An unknown name is a doubt with the event and its time; a known one is who the policy says."""
    events = (
        "DTSTART:20270106T000000Z\nDTEND:20270107T000000Z\nSUMMARY:Bo Bosen",
        "DTSTART:20270107T080000Z\nDTEND:20270108T000000Z\nSUMMARY:Kalle",
    )
    (tmp_path / "cal.ics").write_bytes(calendar(*events))
    made = settings(tmp_path, more='[rotas.cal.names]\n"Bo Bosen" = "bo"\n')
    calendars = Calendars(made, FakeClock(NOW))
    await calendars.refresh()
    assert on_call(calendars, made) == ("bo",)
    (doubt,) = calendars.doubts()
    assert doubt.message == 'event "Kalle" at 2027-01-07 08:00 UTC: "Kalle" is nobody of [people]'
    assert "[rotas.cal.names]" in doubt.remedy


async def test_it_runs_beside_the_service_and_looks_when_asked(host: Host, tmp_path: Path) -> None:
    """First at once, then when somebody asks or the policy is another one; told only when shifts are others."""
    made = settings(tmp_path, host.url)
    calendars = Calendars(made, FakeClock(NOW))
    seen: asyncio.Queue[tuple[str, ...]] = asyncio.Queue()
    task = asyncio.create_task(calendars.run(lambda: seen.put_nowait(on_call(calendars, made))))
    async with asyncio.timeout(10):
        assert await seen.get() == ("anna",)
        host.came.clear()
        calendars.request()
        await host.came.wait()  # the same as before: nobody is told
        host.body, host.tag = BO, '"2"'
        calendars.request()
        assert await seen.get() == ("bo",)
        host.body, host.tag = ANNA, '"3"'
        calendars.follow(made)
        assert await seen.get() == ("anna",)
    assert seen.empty()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_policy_that_changes_while_a_calendar_is_fetched(host: Host, tmp_path: Path) -> None:
    """The rota is gone when the answer comes: nothing breaks, and what is old is not taken."""
    made = settings(tmp_path, host.url)
    calendars = Calendars(made, FakeClock(NOW))
    host.stalls.clear()
    fetching = asyncio.create_task(calendars.refresh())
    async with asyncio.timeout(10):
        await host.came.wait()
        plain = load(site(tmp_path, SMALL))
        calendars.follow(plain)
        host.stalls.set()
        assert not await fetching
    assert calendars.states() == ()
    assert calendars.into(rules(plain)) == rules(plain)
