"""One Bagvagt watches others, over real HTTP: when a person is paged about it, and when not."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from structlog.testing import capture_logs

from adapters.watching.peers import Peer, Peers
from policies.events import Event, PageOpened
from policies.pages import Page, PageState
from policies.rules import Severity
from policies.state import State
from tests.adapters.watching.outside import (
    Behaviour,
    Outside,
    Time,
    drips,
    drops,
    hangs,
    healthy,
    running,
    says,
)
from tests.lab.service import free_port
from tests.policies.story import BACKUP_PLAN, NOON
from tests.telephony.fakes import FakeClock

PATH = "/healthz"
EVERY_S, SILENT_S = 16.0, 48.0  # by the test's own time; an answer may take 10 s of the real one
LOOKS = 4  # until it has been wrong for long enough, the first of them among these
GONE = says(500)
LONG_AGO = NOON - timedelta(minutes=50)


def page(opened_at: datetime, answered_at: datetime | None = None, incident: str = "watch-aarhus") -> Page:
    state = PageState.ANSWERED if answered_at else PageState.CALLING
    return Page("p", incident, "watch", BACKUP_PLAN, Severity.URGENT, state, 0, 0, opened_at, answered_at=answered_at)


class Watcher:
    """One that watches, with a clock moved by hand.

    Attributes:
        opens: whether the engine opens the pages that it is asked for.
        pages: its open and lately answered pages.
    """

    def __init__(self, *peers: Peer, time: Time | None = None) -> None:
        self.time = time or Time()
        self.clock = FakeClock()
        self.opens = True
        self.pages: list[Page] = []
        self.emitted: list[Event] = []
        self.looked: list[tuple[str, bool]] = []
        self.peers = Peers(
            peers,
            self.clock,
            lambda: State(pages={str(n): p for n, p in enumerate(self.pages)}),
            looked=lambda name, on: self.looked.append((name, on)),
            sleep=self.time.sleep,
            now_s=self.time.now_s,
        )

    def emit(self, event: Event) -> None:
        self.emitted.append(event)
        if self.opens:
            self.pages.append(page(event.at))

    async def looks(self, times: int = 1) -> None:
        """Let it look so many times more; the machine's clock goes on with its own."""
        for _ in range(times):
            self.clock.forward(await self.time.goes_on())
            await self.time.slept()

    def answered(self) -> None:
        self.pages = [replace(p, state=PageState.ANSWERED, answered_at=self.clock.now()) for p in self.pages]


def peer(outside: Outside, **more: Any) -> Peer:
    return Peer(
        **{
            "name": "aarhus",
            "url": outside.url + PATH,
            "plan": "backup",
            "every_s": EVERY_S,
            "silent_s": SILENT_S,
            **more,
        }
    )


@asynccontextmanager
async def watching(outside: Outside, **more: Any) -> AsyncIterator[Watcher]:
    """Run a watcher that has looked once."""
    watcher = Watcher(peer(outside, **more))
    async with outside.running(), running(watcher.peers.run(watcher.emit)):
        await watcher.time.slept()
        yield watcher


@pytest.mark.parametrize(
    ("behaves", "what"),
    [
        (drops, "does not answer: ServerDisconnectedError"),
        (says(500), "does not answer as Bagvagt: HTTP 500"),
        (says(302, Location="/panel/"), "does not answer as Bagvagt: HTTP 302"),
        (says(200, "<h1>Log in to the guest network</h1>"), "does not answer as Bagvagt: HTTP 200"),
        (says(200, '{"ok": "no"}'), "does not answer as Bagvagt: HTTP 200"),
        (says(200, "[" * 60_000), "cannot be asked: RecursionError"),
        (healthy("pbx", "pager"), "says that protection is off: pbx, pager"),
        (says(200, '{"ok": false, "why": ["journal"]}'), "says that protection is off: journal"),
        (says(503, '{"ok": true, "why": 7}'), "says that protection is off: no reason given"),
        (says(503, '{"ok": false, "why": ["+4520304051", "Anna!"]}'), "says that protection is off: no reason given"),
    ],
)
async def test_a_person_is_paged_when_it_stays_unwell(behaves: Behaviour, what: str) -> None:
    """Once, after the time that policy gives, and no sooner; what the other machine says is not let into our log."""
    outside = Outside(healthy())
    with capture_logs() as logs:
        async with watching(outside) as w:
            await w.looks(3)
            outside.behaves = behaves
            await w.looks(LOOKS - 1)
            assert not w.emitted
            await w.looks()
            opened = w.emitted[0]
            assert isinstance(opened, PageOpened)
            assert (opened.plan, opened.incident, opened.reason) == ("backup", "watch-aarhus", "watch")
            assert opened.severity is Severity.URGENT
            await w.looks(6)
            assert len(w.emitted) == 1
    assert [(x["event"], x["what"]) for x in logs] == [("watch_unwell", what), ("watch_paged", what)]
    assert set(outside.paths) == {PATH}
    assert w.looked == [("aarhus", True)] * 4 + [("aarhus", False)] * (LOOKS + 6)


@pytest.mark.parametrize("behaves", [hangs, drips])
async def test_an_answer_that_does_not_come_to_its_end_is_none(behaves: Behaviour) -> None:
    """It is given up after half the time that is waited until a person is paged; here in real time."""
    outside = Outside(behaves)
    with capture_logs() as logs:
        async with watching(outside, every_s=0.25, silent_s=1.0) as w:
            await w.looks(5)
    assert len(w.emitted) == 1
    assert {x["what"] for x in logs} == {"does not answer: no answer within 0.5 s"}


async def test_nobody_there_at_all_is_paged_about() -> None:
    """Also when it has never answered since this one started."""
    w = Watcher(Peer(name="aarhus", url=f"http://127.0.0.1:{free_port()}/", plan="backup", silent_s=30))
    async with running(w.peers.run(w.emit)):
        await w.time.slept()
        await w.looks(1)
        assert not w.emitted
        await w.looks(1)
        assert len(w.emitted) == 1


async def test_who_is_back_in_time_wakes_nobody() -> None:
    """A restart takes seconds. What was lost before does not add up with what is lost later."""
    outside = Outside(healthy())
    with capture_logs() as logs:
        async with watching(outside) as w:
            for _ in range(3):
                outside.behaves = GONE
                await w.looks(LOOKS - 1)
                outside.behaves = healthy()
                await w.looks(1)
    assert not w.emitted
    assert [x["event"] for x in logs] == ["watch_unwell", "watch_well"] * 3
    assert logs[1]["unwell_s"] == round((LOOKS - 1) * EVERY_S)


async def test_an_outage_is_one_page_however_long_it_is() -> None:
    """Answered, and forgotten by the core after its hour: the person has it, and is not woken every hour."""
    outside = Outside(healthy())
    async with watching(outside) as w:
        outside.behaves = GONE
        await w.looks(LOOKS + 1)
        w.answered()
        await w.looks(2)
        w.pages.clear()
        await w.looks(20)
        assert len(w.emitted) == 1


async def test_the_next_outage_is_another_page() -> None:
    """Though the page of the last one, answered, is still kept."""
    outside = Outside(healthy())
    async with watching(outside) as w:
        outside.behaves = GONE
        await w.looks(LOOKS + 1)
        w.answered()
        outside.behaves = healthy()
        await w.looks(2)
        outside.behaves = GONE
        await w.looks(LOOKS)
        assert len(w.emitted) == 2


async def test_a_page_that_is_still_open_serves_for_the_next_outage() -> None:
    """Nobody has answered yet: it goes on to ring, and a second one would tell nothing new."""
    outside = Outside(healthy())
    async with watching(outside) as w:
        outside.behaves = GONE
        await w.looks(LOOKS + 1)
        outside.behaves = healthy()
        await w.looks(2)
        outside.behaves = GONE
        await w.looks(1)
        w.answered()  # by somebody who is told now, in this outage
        await w.looks(LOOKS + 3)
        assert len(w.emitted) == 1


@pytest.mark.parametrize("is_answered", [False, True])
async def test_a_restart_of_the_watcher_is_no_second_page(is_answered: bool) -> None:  # noqa: FBT001 -- parametrized
    """The page is read back from the journal; the new process has never seen the other one well."""
    outside = Outside(GONE)
    async with watching(outside) as w:
        w.pages = [page(LONG_AGO, LONG_AGO if is_answered else None)]
        await w.looks(LOOKS + 3)
        assert not w.emitted
        w.pages.clear()
        await w.looks(LOOKS + 3)
        assert not w.emitted


async def test_a_restart_long_after_the_answer_pages_again() -> None:
    """Nothing is left that says that somebody works on it: alarms fail open."""
    outside = Outside(GONE)
    async with watching(outside) as w:
        w.pages = [page(NOON, incident="watch-odense")]
        await w.looks(LOOKS - 1)
        assert len(w.emitted) == 1


async def test_a_page_that_was_not_opened_is_asked_for_again() -> None:
    """A policy that has lost the plan: it is said, once, and the page comes when the plan is back."""
    outside = Outside(GONE)
    with capture_logs() as logs:
        async with watching(outside) as w:
            w.opens = False
            await w.looks(LOOKS - 1 + 4)
            assert len(w.emitted) == 5
            w.opens = True
            await w.looks(4)
            assert len(w.emitted) == 6
    assert [x["event"] for x in logs] == ["watch_unwell", "watch_paged", "watch_not_paged"]


async def test_one_that_hangs_does_not_keep_us_from_another() -> None:
    """Each is looked at in its own time."""
    hanging, other = Outside(hangs), Outside(healthy())
    w = Watcher(peer(hanging, name="one", every_s=30), peer(other, name="two"))
    async with hanging.running(), other.running(), running(w.peers.run(w.emit)):
        await w.looks(5)
        assert w.looked == [("two", True)] * 6


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize(("trusts", "answers"), [("own", True), ("other", False), ("system", False)])
async def test_only_the_named_authority_vouches_for_it(
    tmp_path: Path, authority: trustme.CA, trusts: str, *, answers: bool
) -> None:
    """With ca_file, a site's own authority; a certificate of another one is no answer."""
    file = tmp_path / "ca.pem"
    (authority if trusts == "own" else trustme.CA()).cert_pem.write_to_path(str(file))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    outside = Outside(healthy())
    async with outside.running(server):
        w = Watcher(peer(outside, ca_file=None if trusts == "system" else file))
        with capture_logs() as logs:
            async with running(w.peers.run(w.emit)):
                await w.time.slept()
    assert w.looked == [("aarhus", answers)]
    assert [x["what"] for x in logs] == ([] if answers else ["does not answer: ClientConnectorCertificateError"])


async def test_an_authority_that_cannot_be_read_is_paged_about(tmp_path: Path) -> None:
    """Who cannot look must say so: silence would be taken for health."""
    outside = Outside(healthy())
    with capture_logs() as logs:
        async with watching(outside, ca_file=tmp_path / "none.pem") as w:
            await w.looks(LOOKS - 1)
    assert len(w.emitted) == 1
    assert {x["what"] for x in logs} == {"cannot be asked: FileNotFoundError"}


async def test_an_address_with_a_password_is_not_shown() -> None:
    """Not in the log, not in the page."""
    outside = Outside(GONE)
    url = outside.url.replace("://", "://bagvagt:s3cret@") + PATH
    with capture_logs() as logs:
        async with watching(outside, url=url) as w:
            await w.looks(LOOKS)
    assert w.emitted
    assert "s3cret" not in f"{logs}{w.emitted}{peer(outside, url=url)}"
