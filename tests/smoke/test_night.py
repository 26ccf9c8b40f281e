"""Nights on call, told in minutes: who gets which SMS when, and what stops it."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from telephony.settings import load
from telephony.settings import rules as resolve
from telephony.who import who
from tests.adapters.paging.post import post
from tests.lab.carriers import broken, silent
from tests.lab.waiting import until
from tests.smoke.night import NUMBERS, Night, Provider, night
from tests.telephony.test_command import run

PAGES = "SELECT state FROM entity WHERE kind = 'page'"
MAIL = """
[email]
host = "127.0.0.1"
port = {port}
security = "none"
sender = "bagvagt@example.dk"
"""
PROOFS = """
[proofs]
every_days = 30
hours = "10:00-14:00"
lapse_s = 86400
"""


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service looks at the clock more often than once a second, since the test moves it in jumps."""
    monkeypatch.setattr("telephony.engine.LOOK_AT_TIMERS_S", 0.01)


@pytest.fixture
async def carrier() -> AsyncIterator[Provider]:
    async with Provider(silent) as made:
        yield made


async def test_half_an_hour_of_silence_goes_as_who_says(tmp_path: Path, carrier: Provider) -> None:
    """Two rounds, then the last resort again and again, over the change of the clocks: as `bagvagt who` foretold."""
    async with night(tmp_path, carrier) as site:
        (reach,) = who(resolve(load(site.policy)), site.began).plans
        foretold = [(rung.after_s / 60, person.name) for rung in reach.rungs for person in rung.people]
        await site.press_suicide()
        await site.fast_forward(minutes=30)
        assert foretold == [(0, "anna"), (2, "bo"), (5, "anna"), (7, "bo"), (10, "chief")]
        assert await site.told(9) == [*foretold, (15, "chief"), (20, "chief"), (25, "chief"), (30, "chief")]


async def test_a_reply_stops_it_and_the_others_learn_who_has_it(tmp_path: Path, carrier: Provider) -> None:
    """Bo, who was told second, answers "ja": no more rungs in an hour, and Anna need not get up."""
    async with night(tmp_path, carrier) as site:
        await site.press_suicide()
        await site.fast_forward(minutes=3)
        assert [who_ for _, who_ in await site.told(2)] == ["anna", "bo"]
        await carrier.reply(site.sms("bo"), "Ja!")
        told = await site.told(4)
        assert sorted(name for _, name in told[2:]) == ["anna", "bo"]
        assert "bo" in site.sms("anna").text
        await site.fast_forward(hours=1)
        assert len(carrier.taken) == 4


async def test_delivered_is_not_answered(tmp_path: Path, carrier: Provider) -> None:
    """The provider reports that Anna's phone has it; Bo is told all the same when her time is over."""
    async with night(tmp_path, carrier) as site:
        await site.press_suicide()
        await site.told(1)
        await carrier.report(site.sms("anna"), "delivered")
        assert carrier.answers == [200]
        await site.fast_forward(minutes=2)
        assert [name for _, name in await site.told(2)] == ["anna", "bo"]


async def test_a_phone_that_cannot_be_reached_is_not_waited_for(tmp_path: Path, carrier: Provider) -> None:
    """The provider took it and reports that it will not arrive: Bo at once, and not in two minutes."""
    async with night(tmp_path, carrier) as site:
        await site.press_suicide()
        await site.told(1)
        await carrier.report(site.sms("anna"), "failed")
        assert await site.told(2) == [(0, "anna"), (0, "bo")]


async def test_a_provider_that_says_yes_and_delivers_nothing_is_followed_by_mail(
    tmp_path: Path, carrier: Provider
) -> None:
    """200, and no SMS comes: after half a minute a mail. A scanner opens its link, then Anna, who takes it."""
    async with post() as server:
        mail = MAIL.format(port=server.port)
        async with night(tmp_path, carrier, more=mail, anna='email = "anna@example.dk"', in_turn_s=30) as site:
            await site.press_suicide()
            await site.fast_forward(seconds=29)
            assert not server.mails
            await site.fast_forward(seconds=1)
            await until(lambda: server.mails)
            link = re.search(r"http://\S+/t/\w+", server.only().get_content())
            assert link is not None
            async with aiohttp.ClientSession() as browser:
                async with browser.get(link[0]) as screen:
                    hidden = re.search(r'name="csrf" value="(\w+)"', await screen.text())
                assert hidden is not None
                assert site.rows(PAGES) == [("calling",)]
                form = {"csrf": hidden[1], "does": "take"}
                async with browser.post(link[0], data=form, headers={"Origin": site.url}) as screen:
                    assert screen.status == 200
            assert site.rows(PAGES) == [("answered",)]
            await site.fast_forward(hours=1)
            assert {name for _, name in await site.told(2)} == {"anna"}  # that she has it, and nobody else is told


async def test_a_provider_that_is_down_for_an_hour_loses_nothing(tmp_path: Path, carrier: Provider) -> None:
    """When it is back, everybody who was due gets one SMS, and not one for each round; the alarm goes on."""
    carrier.behaves = broken(10**6)
    async with night(tmp_path, carrier) as site:
        await site.press_suicide()
        await site.fast_forward(hours=1)
        assert not carrier.taken
        carrier.behaves = silent
        await site.fast_forward(seconds=30)
        told = await site.told(3)
        assert sorted(name for _, name in told) == ["anna", "bo", "chief"]
        await site.fast_forward(minutes=5)
        assert [name for _, name in await site.told(4)][3:] == ["chief"]


async def test_a_machine_that_slept_goes_on_where_it_was(tmp_path: Path, carrier: Provider) -> None:
    """The lid was closed for two hours: the next rung is told as soon as it wakes, and the order is kept."""
    async with night(tmp_path, carrier) as site:
        await site.press_suicide()
        await site.told(1)
        site.clock.at += timedelta(hours=2)
        assert await site.told(2) == [(0, "anna"), (120, "bo")]
        await site.fast_forward(minutes=3)
        assert (await site.told(3))[2] == (123, "anna")


async def test_a_clock_that_is_put_back_stops_no_alarm(tmp_path: Path, carrier: Provider) -> None:
    """Somebody sets the machine's clock back by an hour: rungs come later than promised, and none is left out."""
    async with night(tmp_path, carrier) as site:
        await site.press_suicide()
        await site.fast_forward(minutes=3)
        site.clock.at -= timedelta(hours=1)
        await site.fast_forward(minutes=75)
        assert [name for _, name in await site.told(6)][:6] == ["anna", "bo", "anna", "bo", "chief", "chief"]


async def test_a_restart_in_between_forgets_nothing(tmp_path: Path, carrier: Provider) -> None:
    """Stopped after the first rung, started ten minutes later: the next rung at once; a reply to the first counts."""
    async with night(tmp_path, carrier) as site:
        await site.press_suicide()
        await site.told(1)
        await site.stop()
        site.clock.at += timedelta(minutes=10)
        await site.start()
        assert await site.told(2) == [(0, "anna"), (10, "bo")]
        await carrier.reply(site.sms("anna"), "1")
        await until(lambda: site.rows(PAGES) == [("answered",)])


async def test_two_alarms_at_once_are_told_apart(tmp_path: Path, carrier: Provider) -> None:
    """Each SMS asks for its own number; "ok" alone takes neither, and is asked back."""
    async with night(tmp_path, carrier) as site:
        for _ in range(2):
            await site.press_suicide()
            await site.fast_forward(seconds=5)  # two presses within a second are one
        await site.told(2)
        first, second = carrier.taken
        assert "1" in first.text
        assert "2" in second.text
        await carrier.reply(second, "ok")
        await site.told(3)
        open_pages = "SELECT count(*) FROM entity WHERE kind = 'page' AND state <> 'answered'"
        assert site.rows(open_pages) == [(2,)]
        await carrier.reply(second, "2")
        await until(lambda: site.rows(open_pages) == [(1,)])


async def test_the_report_says_how_long_people_waited(tmp_path: Path, carrier: Provider) -> None:
    """Bo takes the page three minutes after it began: so says `bagvagt report`, beside the service."""
    async with night(tmp_path, carrier) as site:
        await site.press_suicide()
        await site.fast_forward(minutes=3)
        await carrier.reply(site.sms("bo"), "1")
        await until(lambda: site.rows(PAGES) == [("answered",)])
        told = run("report", "-c", site.policy, "--since", "2027-03-01", "--until", "2027-03-29", "--json")
        assert "180.0" in told
        assert "bo" not in told.casefold().split('"')


async def test_every_channel_is_proved_once_a_month(tmp_path: Path, carrier: Provider) -> None:
    """By day, to each; who answers is left alone for a month, who does not is asked again."""
    async with night(tmp_path, carrier, more=PROOFS) as site:
        await site.fast_forward(days=3)  # Easter Sunday, Easter Monday, and a working day
        told = await site.told(3)
        assert {name for _, name in told} == set(NUMBERS)
        assert all(is_day(site, minutes) for minutes, _ in told)
        for person in ("anna", "bo"):
            await carrier.reply(site.sms(person), "ok")
        proved = "SELECT id FROM entity WHERE kind = 'proof' AND state = 'proved' ORDER BY id"
        await until(lambda: site.rows(proved) == [("anna/sms",), ("bo/sms",)])
        confirmed = len(await site.told(5))
        await site.fast_forward(days=20)
        assert {name for _, name in (await site.told(confirmed))[confirmed:]} == {"chief"}
        await site.fast_forward(days=14)
        assert {"anna", "bo"} <= {name for _, name in (await site.told(confirmed))[confirmed:]}


def is_day(site: Night, minutes: float) -> bool:
    """Whether it is between ten and two in Copenhagen, which is summer time by then, on a working day."""
    at = site.began + timedelta(minutes=minutes)
    return 8 <= at.hour < 12 and at.weekday() < 5
