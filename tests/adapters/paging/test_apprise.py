"""Apprise to services of its own kind on loopback: one URL for each person."""

import asyncio
import json
import logging

import pytest
from structlog.testing import capture_logs

from adapters.paging.apprise import MOST_THREADS, AppriseChannel
from adapters.paging.links import Links
from adapters.paging.pager import ChannelPager
from policies.actions import Answer, ReplyTo, StandDown
from policies.events import Delivery
from policies.model import Outcome
from tests.adapters.paging.stage import LIMIT_S, Gateway, HandClock, alarm, never, says, taken

# Apprise 2.2 imports pgpy, which imports imghdr.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

LINKS = Links("https://vagt.example", b"of the tests, and of nobody else")
ANNA, BO = "secrets/anna-apprise", "secrets/bo-apprise"


def pager(deadline_s: float = LIMIT_S, **urls: str) -> tuple[ChannelPager, AppriseChannel]:
    """A pager with Apprise alone; `anna` and `bo` are their URLs."""
    channel = AppriseChannel({f"secrets/{name}-apprise": url for name, url in urls.items()}, LINKS)
    return ChannelPager({"apprise": channel}, HandClock(), deadline_s=deadline_s, sleep=_at_once), channel


async def _at_once(_: float) -> None:
    await asyncio.sleep(0)


def url_of(gateway: Gateway, name: str) -> str:
    return f"json://127.0.0.1:{gateway.port}/{name}/"


def texts(gateway: Gateway) -> dict[str, list[str]]:
    """Return what each has got."""
    found: dict[str, list[str]] = {}
    for seen in gateway.seen:
        found.setdefault(seen.path.strip("/"), []).append(json.loads(seen.body)["message"])
    return found


async def test_each_is_told_by_their_own_service() -> None:
    """Proves that an alarm goes to the URL of its person alone, with the link, two at once and unthrottled."""
    async with Gateway(says(200)) as gateway:
        sender, _ = pager(anna=url_of(gateway, "anna"), bo=url_of(gateway, "bo"))
        both = await asyncio.gather(
            sender.notify(alarm("apprise", ANNA)),
            sender.notify(alarm("apprise", BO, language="sv", message="p-1-backup.1")),
        )
    assert [n.delivery for n in both] == [Delivery.SENT, Delivery.SENT]
    assert texts(gateway) == {
        "anna": [f"Bagvagt: AKUT alarm, hændelse i-7. Tag den: {LINKS('p-1-backup.0')}"],
        "bo": [f"Bagvagt: AKUT larm, händelse i-7. Ta det: {LINKS('p-1-backup.1')}"],
    }


async def test_standing_down() -> None:
    """Proves that who was told hears who has it; that nobody is told of a test that lapsed; and that none replies."""
    gone = StandDown(id="a-9", page="t-1", incident="t-1", by="", told=(("apprise", ANNA, "da"),))
    back = ReplyTo(id="a-9", channel="apprise", address=ANNA, language="da", answer=Answer.NOTHING)
    async with Gateway(says(200)) as gateway:
        sender, _ = pager(anna=url_of(gateway, "anna"))
        assert (await sender.stand_down(gone)).outcome is Outcome.DONE
        assert (await sender.reply(back)).outcome is Outcome.FAILED
        assert gateway.seen == []
        assert (await sender.stand_down(taken(("apprise", ANNA, "da")))).outcome is Outcome.DONE
    assert texts(gateway) == {"anna": ["Bagvagt: Bo har taget hændelse i-7."]}


async def test_what_cannot_be_sent(caplog: pytest.LogCaptureFixture) -> None:
    """Proves that no URL, and one that Apprise cannot use, are refused; its "no" is unknown; and no key is told."""
    logging.getLogger("apprise").disabled = False
    async with Gateway(says(500)) as gateway:
        sender, _ = pager(anna="nosuchservice://s3cr3t-key/", bo=f"json://u:s3cr3t-key@127.0.0.1:{gateway.port}/")
        with caplog.at_level(1, "apprise"):
            found = [await sender.notify(alarm("apprise", who)) for who in ("secrets/eve", ANNA, BO)]
    assert [n.delivery for n in found] == [Delivery.REFUSED, Delivery.REFUSED, Delivery.UNKNOWN]
    assert len(gateway.seen) == 1
    assert "s3cr3t" not in caplog.text + "".join(n.detail for n in found)


async def test_a_wrong_url_is_reported_at_start() -> None:
    """Proves that a mistake in one of the files shows at the start, by the file's name and without its key."""
    _, channel = pager(anna="nosuchservice://s3cr3t-key/", bo="json://127.0.0.1:1/")
    with capture_logs() as logs:
        await channel.run(lambda _: None)
    assert [(entry["event"], entry["file"]) for entry in logs] == [("apprise_url_unknown", ANNA)]
    assert "s3cr3t" not in repr(logs)


async def test_a_reloaded_policy_has_other_addresses() -> None:
    """Proves that a person who is new, or has another URL, is reached without a restart."""
    async with Gateway(says(200)) as gateway:
        sender, channel = pager()
        assert (await sender.notify(alarm("apprise", ANNA))).delivery is Delivery.REFUSED
        channel.replace({ANNA: url_of(gateway, "anna")})
        assert (await sender.notify(alarm("apprise", ANNA))).delivery is Delivery.SENT


async def test_a_service_that_hangs() -> None:
    """Proves that it is unknown at our deadline, and that hung messages fill neither the loop nor all threads."""
    async with Gateway(never) as gateway:
        sender, _ = pager(deadline_s=1.5, anna=url_of(gateway, "anna"))
        many = [sender.notify(alarm("apprise", ANNA, message=f"p.{n}")) for n in range(MOST_THREADS + 1)]
        found = [n.delivery for n in await asyncio.gather(*many)]
    assert sorted(found) == [Delivery.DEFERRED, *[Delivery.UNKNOWN] * MOST_THREADS]
