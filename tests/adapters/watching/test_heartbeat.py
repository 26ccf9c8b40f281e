"""Signs of life, over real HTTP, to somebody who misbehaves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.watching.heartbeat import Addresses, Heartbeat, HeartbeatConfig
from telephony.errors import BagvagtError
from tests.adapters.watching.outside import Behaviour, Outside, Time, drips, drops, hangs, running, says
from tests.lab.service import free_port
from tests.lab.waiting import until

SECRET = "9f6c-the-secret"


class Site:
    """A Bagvagt, as its heartbeat sees it, with a clock moved by hand."""

    def __init__(self, url: str, *, every_s: float = 60.0, **more: Any) -> None:
        self.time = Time()
        self.why: list[str] = []
        self.counted: list[str] = []
        self.asked = 0
        self.answering = asyncio.Event()
        self.answering.set()
        self.fails: Exception | None = None
        config = HeartbeatConfig(Addresses.read(url) if url else None, every_s, answer_s=0.05)
        self.heartbeat = Heartbeat(
            config,
            self.health,
            self.answers,
            counted=self.counted.append,
            sleep=self.time.sleep,
            now_s=self.time.now_s,
            **more,
        )

    def health(self) -> dict[str, Any]:
        return {"ok": not self.why, "why": self.why}

    async def answers(self) -> None:
        self.asked += 1
        await self.answering.wait()
        if self.fails is not None:
            raise self.fails


@asynccontextmanager
async def beating(outside: Outside, **more: Any) -> AsyncIterator[Site]:
    site = Site(f"{outside.url}/{SECRET}", **more)
    async with outside.running(), running(site.heartbeat.run()):
        yield site


async def test_a_sign_of_life_comes_every_interval_while_all_is_well() -> None:
    """The address is fetched at once, and again after each interval; nothing else is."""
    outside = Outside()
    async with beating(outside) as site:
        for _ in range(3):
            assert await site.time.goes_on() == 60
        await until(lambda: len(outside.asked) == 4)
        assert {(a.method, a.path) for a in outside.asked} == {("GET", f"/{SECRET}")}
        await site.time.slept()
        assert site.counted == ["alive"] * 4


async def test_protection_that_is_off_is_said_with_the_reasons() -> None:
    """Once it is still off on a second look; the reasons are words of the code, as in /healthz."""
    outside = Outside()
    async with beating(outside) as site:
        await site.time.slept()
        site.why = ["pbx", "pager"]
        assert await site.time.goes_on() == 60
        assert await site.time.slept() == 10
        assert outside.paths == [f"/{SECRET}"]
        assert await site.time.goes_on() == 10
        assert await site.time.slept() == 50  # the interval is kept
        last = outside.asked[-1]
        assert (last.method, last.path, last.body) == ("POST", f"/{SECRET}/fail", "Protection is off: pbx, pager.")
        assert site.counted == ["alive", "off"]


async def test_a_trouble_that_is_over_at_the_second_look_wakes_nobody() -> None:
    """A PBX that reloads is away for some seconds: the sign of life comes a little later."""
    outside = Outside()
    async with beating(outside) as site:
        await site.time.slept()
        site.why = ["pbx"]
        await site.time.goes_on()
        await site.time.slept()
        site.why = []
        await site.time.goes_on()
        await site.time.slept()
        assert outside.paths == [f"/{SECRET}"] * 2


async def test_nothing_is_sent_while_engine_or_store_hang() -> None:
    """The silence is the alarm; the question is asked once, not over and over, and an answer brings the signs back."""
    outside = Outside()
    async with beating(outside) as site:
        await site.time.slept()
        site.answering.clear()
        for _ in range(3):
            await site.time.goes_on()
            assert await site.time.slept() == 60
        assert len(outside.asked) == 1
        assert site.asked == 2
        assert site.counted == ["alive", "withheld", "withheld", "withheld"]
        site.answering.set()
        await site.time.goes_on()
        await site.time.slept()
        assert site.counted[-1] == "alive"


async def test_a_store_that_answers_with_an_error_is_said() -> None:
    """An error is an answer, as for systemd's watchdog; but without a journal protection is off."""
    outside = Outside()
    async with beating(outside) as site:
        await site.time.slept()
        site.fails = BagvagtError("disk full")
        await site.time.goes_on()
        await site.time.goes_on()
        await site.time.slept()
        assert outside.asked[-1].body == "Protection is off: journal."


async def test_a_service_that_starts_says_nothing() -> None:
    """A restart is no alarm; one that never gets to its end is silent for longer than the grace."""
    outside = Outside()
    async with beating(outside) as site:
        await site.time.slept()
        site.why = ["starting"]
        await site.time.goes_on()
        assert await site.time.slept() == 60
        assert (len(outside.asked), site.counted) == (1, ["alive", "withheld"])


@pytest.mark.parametrize(
    ("behaves", "tries", "requests", "every_s"),
    [
        (says(500), 3, 3, 90),
        (hangs, 3, 3, 4.5),  # half a second of real time for an answer
        (drips, 3, 3, 4.5),
        (drops, 3, 6, 90),  # aiohttp itself asks once more when the connection is dropped
        (says(302, Location="/elsewhere"), 1, 1, 90),
        (says(404), 1, 1, 90),
        (says(429), 1, 1, 90),
        (says(200, "OK (not found)"), 1, 1, 90),
        (says(200, "OK (rate limited)"), 1, 1, 90),
    ],
)
async def test_a_sign_that_is_not_taken_is_tried_again_where_that_may_help(
    behaves: Behaviour, tries: int, requests: int, every_s: float
) -> None:
    """At most three times, within the interval; it is said once, counted each time, and never with the address."""
    outside = Outside(behaves)
    with capture_logs() as logs:
        async with beating(outside, every_s=every_s) as site:
            for beat in (1, 2):
                pause_s = every_s / 18
                for _ in range(tries - 1):
                    assert await site.time.goes_on() == pytest.approx(pause_s)
                assert await site.time.slept() == pytest.approx(every_s - (tries - 1) * pause_s)
                assert outside.paths == [f"/{SECRET}"] * requests * beat
                await site.time.goes_on()
            outside.behaves = says(200)
            while site.counted[-1] != "alive":
                await site.time.goes_on()
                await site.time.slept()
    assert site.counted[:2] == ["failed"] * 2
    said = [(x["event"], x["log_level"]) for x in logs]
    assert said == [("heartbeat_failed", "warning"), ("heartbeat_alive", "info")]
    assert SECRET not in str(logs)
    assert str(outside.port) not in str(logs)


async def test_nobody_at_the_address_is_no_alive() -> None:
    """No connection: tried three times, counted as failed, and nothing but the kind of error is said."""
    with capture_logs() as logs:
        site = Site(f"http://127.0.0.1:{free_port()}/{SECRET}")
        async with running(site.heartbeat.run()):
            await site.time.goes_on()
            await site.time.goes_on()
            await site.time.slept()
    assert site.counted == ["failed"]
    assert [x["reason"] for x in logs] == ["ClientConnectorError"]


class Broker:
    """Notes what it is told; hangs or fails when told."""

    def __init__(self) -> None:
        self.told: list[tuple[bool, float]] = []
        self.then: Callable[[], Any] = lambda: asyncio.sleep(0)

    async def __call__(self, ok: bool, every_s: float) -> None:  # noqa: FBT001 -- the channel's own
        self.told.append((ok, every_s))
        await self.then()


async def test_the_broker_is_told_the_same() -> None:
    """Whether protection is on, and when the next word comes; with no address at all, too."""
    broker = Broker()
    site = Site("", mqtt=broker)
    async with running(site.heartbeat.run()):
        await site.time.slept()
        site.why = ["pbx"]
        await site.time.goes_on()
        await site.time.goes_on()
        await site.time.slept()
    assert broker.told == [(True, 60.0), (False, 60.0)]


async def bursts() -> None:
    raise RuntimeError("a bug")


@pytest.mark.parametrize("then", [asyncio.Event().wait, bursts])
async def test_a_broker_that_hangs_or_bursts_keeps_no_ping_back(then: Callable[[], Any]) -> None:
    """Ping after ping goes out."""
    outside, broker = Outside(), Broker()
    broker.then = then
    async with beating(outside, every_s=4, mqtt=broker) as site:
        await until(lambda: site.counted == ["alive"])
        await site.time.goes_on()
        await until(lambda: site.counted == ["alive"] * 2)
    assert outside.paths == [f"/{SECRET}"] * 2


async def test_an_address_that_hangs_keeps_nothing_from_the_broker() -> None:
    """The broker hears it while the ping still waits."""
    outside, broker = Outside(hangs), Broker()
    async with beating(outside, mqtt=broker) as site:
        await until(lambda: broker.told and outside.asked)
        assert site.counted == []


async def test_a_bug_in_the_judgement_ends_nothing_and_says_no_alive() -> None:
    """Who watches must not stop the work; outside, the silence is noticed."""
    outside = Outside()
    async with beating(outside) as site:
        await site.time.slept()
        site.fails = RuntimeError("a bug")
        await site.time.goes_on()
        await site.time.slept()
        assert (len(outside.asked), site.counted[-1]) == (1, "withheld")
        site.fails = None
        await site.time.goes_on()
        await site.time.slept()
        assert site.counted[-1] == "alive"


async def test_it_ends_when_cancelled_and_leaves_nothing() -> None:
    """While engine and store hang, too."""
    site = Site("")
    site.answering.clear()
    async with running(site.heartbeat.run()):
        await site.time.slept()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize(
    ("file", "method", "path", "body"),
    [
        ("{}/uuid", "POST", "/uuid/fail", "Protection is off: pbx, pager."),
        ("{}/key/slug/?create=1", "POST", "/key/slug/fail?create=1", "Protection is off: pbx, pager."),
        (
            "# Uptime Kuma\n{0}/push/tok?status=up&ping=\n\n {0}/push/tok?status=down&msg={{why}}\n",
            "GET",
            "/push/tok?status=down&msg=pbx,%20pager",
            "",
        ),
    ],
)
async def test_how_off_is_said_to_each_kind_of_service(file: str, method: str, path: str, body: str) -> None:
    """healthchecks.io has /fail; who has something else says so on the second line of the file."""
    outside = Outside()
    async with outside.running():
        site = Site(file.format(outside.url))
        site.why = ["pbx", "pager"]
        async with running(site.heartbeat.run()):
            await site.time.goes_on()
            await site.time.slept()
    assert [(a.method, a.path, a.body) for a in outside.asked] == [(method, path, body)]


async def test_to_a_service_that_knows_silence_alone_nothing_is_said() -> None:
    """With `none` on the second line; what it does not get is its alarm."""
    outside = Outside()
    async with outside.running():
        site = Site(f"{outside.url}/tok\nnone\n")
        site.why = ["pbx"]
        async with running(site.heartbeat.run()):
            await site.time.goes_on()
            await site.time.slept()
            site.why = []
            await site.time.goes_on()
            await site.time.slept()
    assert outside.paths == ["/tok"]
    assert site.counted == ["withheld", "alive"]


@pytest.mark.parametrize("text", ["", "# only a comment", f"https://a.example/{SECRET}\n" * 3])
def test_a_file_that_holds_something_else_is_refused_without_a_word_of_it(text: str) -> None:
    """An error goes into the log."""
    with pytest.raises(ValueError, match="one address, or two") as error:
        Addresses.read(text)
    assert SECRET not in str(error.value)


def test_the_addresses_are_not_shown() -> None:
    """Who has them could keep the alarm from being raised."""
    assert SECRET not in repr(HeartbeatConfig(Addresses.read(f"https://example.org/{SECRET}")))
