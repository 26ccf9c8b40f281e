"""SMS through gateways that misbehave, over real sockets."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.paging.pager import ChannelPager
from adapters.paging.sms import AppriseGateway, HttpGateway, SmsChannel, SmsConfig
from adapters.paging.sms_http import RETRY_AFTER_MOST_S, retry_after_s
from adapters.paging.sms_number import e164
from adapters.paging.sms_template import Content
from policies.actions import Answer as Told
from policies.actions import ReplyTo
from policies.events import Delivery, Notified
from policies.model import Outcome
from telephony.errors import DeliveryRefusedError
from tests.adapters.paging.stage import (
    LIMIT_S,
    NUMBER,
    Answer,
    Gateway,
    HandClock,
    alarm,
    dawdles,
    never,
    resets,
    says,
    taken,
)

# Apprise 2.2 imports pgpy, which imports imghdr.
IMGHDR = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
KEY = "Bearer s3cr3t-key"
BODY = '{"to": "{to}", "text": "{text}", "ref": "{id}", "from": "{from}"}'


def pager(url: str, deadline_s: float = LIMIT_S, **changed: Any) -> ChannelPager:
    """A pager with SMS alone."""
    clock = HandClock()
    values: dict[str, Any] = {"headers": {"Authorization": KEY}, "body": BODY, **changed}
    channel = SmsChannel(SmsConfig(HttpGateway(url, **values)), clock)
    return ChannelPager({"sms": channel}, clock, deadline_s=deadline_s)


async def outcome(answer: Answer, deadline_s: float = LIMIT_S, **changed: Any) -> tuple[Notified, Gateway]:
    """One message to a gateway that answers like that."""
    async with Gateway(answer) as gateway:
        return await pager(gateway.url, deadline_s, **changed).notify(alarm("sms", NUMBER)), gateway


async def test_a_message_that_is_taken() -> None:
    """Proves that the gateway gets number, text, the message's id and our name, and that 2xx means sent."""
    notified, gateway = await outcome(says(202))
    assert (notified.delivery, notified.action, notified.page) == (Delivery.SENT, "a-1", "p-1-backup")
    [seen] = gateway.seen
    assert json.loads(seen.body) == {
        "to": NUMBER,
        "text": "Bagvagt: AKUT alarm, hændelse i-7. Tag den ved vagtbordet; svar på denne besked læses ikke.",
        "ref": "p-1-backup.0",
        "from": "Bagvagt",
    }
    assert seen.method == "POST"
    assert seen.headers["Authorization"] == KEY
    assert seen.headers["Content-Type"] == "application/json"


async def test_a_form_and_a_get() -> None:
    """Proves the two other ways gateways want it: a form, and a query without a body."""
    notified, gateway = await outcome(says(200), body="n={to_digits}&t={text}", content=Content.FORM)
    assert notified.delivery is Delivery.SENT
    assert gateway.seen[0].body.startswith(b"n=4520304050&t=Bagvagt%3A+AKUT")
    async with Gateway(says(200)) as gateway:
        by_query = pager(f"{gateway.url}?to={{to}}&id={{id}}", method="GET", body="")
        assert (await by_query.notify(alarm("sms", NUMBER))).delivery is Delivery.SENT
    assert (gateway.seen[0].query, gateway.seen[0].body) == ("to=%2B4520304050&id=p-1-backup.0", b"")


@pytest.mark.parametrize(
    ("answer", "delivery"),
    [
        (says(500), Delivery.DEFERRED),
        (says(503), Delivery.DEFERRED),
        (says(408), Delivery.DEFERRED),
        (says(429), Delivery.DEFERRED),
        (says(400), Delivery.REFUSED),
        (says(401), Delivery.REFUSED),
        (says(404), Delivery.REFUSED),
        (resets, Delivery.UNKNOWN),
        (dawdles, Delivery.SENT),
    ],
)
async def test_what_an_answer_means(answer: Answer, delivery: Delivery) -> None:
    """Proves each row of the table in `adapters.paging.sms_http`."""
    notified, gateway = await outcome(answer)
    assert notified.delivery is delivery
    assert len(gateway.seen) == 1  # never sent twice by itself


async def test_a_status_that_the_site_names() -> None:
    """Proves that with named statuses those are taken, and another 2xx is not believed."""
    assert (await outcome(says(201), ok=frozenset({201})))[0].delivery is Delivery.SENT
    assert (await outcome(says(200), ok=frozenset({201})))[0].delivery is Delivery.UNKNOWN


async def test_come_again_later() -> None:
    """Proves that Retry-After in seconds reaches the core."""
    notified, _ = await outcome(says(429, Retry_After="17"))
    assert (notified.delivery, notified.retry_after_s) == (Delivery.DEFERRED, 17.0)


def test_retry_after_in_all_its_forms() -> None:
    """Proves seconds, dates and nonsense; and that no gateway puts an alarm off for long."""
    now = HandClock().now()
    assert retry_after_s(format_datetime(now + timedelta(seconds=30), usegmt=True), now) == 30.0
    assert retry_after_s(format_datetime(now - timedelta(seconds=30), usegmt=True), now) == 0.0
    assert retry_after_s("86400", now) == RETRY_AFTER_MOST_S
    assert retry_after_s(format_datetime(now + timedelta(days=9), usegmt=True), now) == RETRY_AFTER_MOST_S
    for nonsense in ("", "soon", "-1", "1.5", "²", "Sun, 99 Foo"):
        assert retry_after_s(nonsense, now) is None


async def test_nobody_listens() -> None:
    """Proves that a refused connection is tried again: nothing was sent."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    notified = await pager(f"http://127.0.0.1:{port}/").notify(alarm("sms", NUMBER))
    assert notified.delivery is Delivery.DEFERRED


async def test_a_gateway_that_reads_and_says_nothing() -> None:
    """Proves that a time-out after the request was read is unknown, not lost and not sent."""
    notified, gateway = await outcome(never, deadline_s=0.5)
    assert notified.delivery is Delivery.UNKNOWN
    assert gateway.has_read.is_set()


@pytest.fixture
async def deaf() -> AsyncIterator[str]:
    """A server that takes connections and reads nothing."""
    open_ends: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: open_ends.append(writer), "127.0.0.1", 0, limit=1)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    server.close()
    for writer in open_ends:
        writer.close()


async def test_a_gateway_that_does_not_even_read(deaf: str) -> None:
    """Proves that a gateway that hangs before reading is unknown too: the request may lie in its buffer."""
    notified = await pager(deaf, deadline_s=0.5).notify(alarm("sms", NUMBER))
    assert notified.delivery is Delivery.UNKNOWN


async def test_a_redirect_is_not_followed() -> None:
    """Proves that number, text and key do not go where a redirect points."""
    async with Gateway(says(200)) as elsewhere:
        notified, _ = await outcome(says(307, Location=elsewhere.url))
        assert notified.delivery is Delivery.REFUSED
        assert elsewhere.seen == []


async def test_what_is_kept_holds_no_secret_and_no_number() -> None:
    """Proves that a gateway that repeats our key and number gets neither into the journal nor the log."""
    async with Gateway(says(400, f"key s3cr3t-key is wrong for {NUMBER} / 45 20 30 40 50\n\x1b[31m")) as gateway:
        with capture_logs() as logs:
            notified = await pager(gateway.url).notify(alarm("sms", NUMBER))
    assert notified.detail.startswith("HTTP 400 key … is wrong for")
    for text in (notified.detail, repr(logs), repr(HttpGateway(gateway.url, headers={"K": KEY}, body=KEY))):
        assert "s3cr3t" not in text
        assert "20304050" not in text
        assert "30 40 50" not in text
    assert notified.detail.isprintable()


async def test_the_address_of_receipts_is_not_kept() -> None:
    """Proves that a gateway which repeats the signed address of a message does not get it into the journal."""
    url = "https://v.example/r?signature=0a1b2c"
    async with Gateway(says(400, f"cannot reach {url}!")) as gateway:
        config = SmsConfig(HttpGateway(gateway.url, body=BODY), receipt_url=lambda _: url)
        channel = SmsChannel(config, HandClock())
        with pytest.raises(DeliveryRefusedError) as caught:
            await channel.tell(alarm("sms", NUMBER))
    assert caught.value.detail == "HTTP 400 cannot reach …!"


@pytest.mark.parametrize(
    "address", ["", "20304050", "004520304050", "+45", "+0123456789", "+45²0304050", "anna", "112"]
)
def test_addresses_that_are_no_number(address: str) -> None:
    """Proves that only full numbers go out, and that the refusal does not repeat what was given."""
    with pytest.raises(DeliveryRefusedError) as caught:
        e164(address)
    assert not address or address not in caught.value.detail.replace("+4520304050", "")


def test_a_number_as_people_write_it() -> None:
    """Proves that spaces and the like are no mistake."""
    assert e164("+45 20-30 (40).50") == NUMBER


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: HttpGateway("ftp://x/"), "https"),
        (lambda: HttpGateway("https://x/{number}"), "unknown placeholder"),
        (lambda: HttpGateway("https://x/", headers={"K": "a\r\nb"}), "line break"),
        (lambda: AppriseGateway("json://x/"), "{to}"),
        (lambda: AppriseGateway("json://x/{to}/{bo}"), "unknown placeholder"),
    ],
)
def test_a_description_that_cannot_work_is_found_at_start(
    make: Callable[[], HttpGateway | AppriseGateway], match: str
) -> None:
    """Proves that a mistake in a gateway's description shows when it is loaded, not at night."""
    with pytest.raises(ValueError, match=match):
        SmsChannel(SmsConfig(make()), HandClock())


async def test_standing_down_by_sms() -> None:
    """Proves that each who was told hears who has it, in their language, and that one failure shows in the outcome.

    Each message has an id of its own, so that no gateway takes the second one for the first one again.
    """
    async with Gateway(says(200)) as gateway:
        finished = await pager(gateway.url).stand_down(taken(("sms", NUMBER, "da"), ("sms", "+46701234567", "sv")))
        assert (finished.outcome, finished.action) == (Outcome.DONE, "a-9")
        texts = {json.loads(seen.body)["to"]: json.loads(seen.body)["text"] for seen in gateway.seen}
        assert texts == {
            NUMBER: "Bagvagt: Bo har taget hændelse i-7.",
            "+46701234567": "Bagvagt: Bo har tagit händelse i-7.",
        }
        assert len({json.loads(seen.body)["ref"] for seen in gateway.seen}) == 2
        finished = await pager(gateway.url).stand_down(taken(("sms", NUMBER, "da"), ("sms", "nobody", "sv")))
        assert finished.outcome is Outcome.FAILED


async def test_standing_down_where_nobody_has_it() -> None:
    """Proves that a test which nobody answered is taken back without a word."""
    async with Gateway(says(200)) as gateway:
        stand_down = replace(taken(("sms", NUMBER, "da")), by="")
        assert (await pager(gateway.url).stand_down(stand_down)).outcome is Outcome.DONE
        assert gateway.seen == []


async def test_a_reply_is_answered() -> None:
    """Proves that the answer goes to who replied, in their language, with an id of its own."""
    async with Gateway(says(200)) as gateway:
        action = ReplyTo(id="a-5", channel="sms", address=NUMBER, language="fi", answer=Told.NOTHING)
        assert (await pager(gateway.url).reply(action)).outcome is Outcome.DONE
        sent = json.loads(gateway.seen[0].body)
    assert (sent["to"], sent["ref"]) == (NUMBER, "a-5")
    assert sent["text"] == "Bagvagt: Sinua ei odota yksikään hälytys."


@pytest.mark.parametrize(
    ("config", "ends"),
    [
        ({}, "svar på denne besked læses ikke."),
        ({"answer_at": "+4570112233"}, "Tag den: +4570112233"),
        (
            {"answer_at": "+4570112233", "link": "https://v.example/t/{}".format},
            "Tag den: https://v.example/t/p-1-backup.0",
        ),
        ({"can_reply": True, "link": "https://v.example/t/{}".format}, "Tag den: https://v.example/t/p-1-backup.0"),
        ({"answer_at": "+4570112233", "link": lambda _: ""}, "Tag den: +4570112233"),
        ({"can_reply": True, "sender": "+4512345678"}, "Svar 3 for at tage den, nej for at give den videre."),
        (
            {"can_reply": True, "sender": "1204", "link": "https://v.example/t/{}".format, "answer_at": "x"},
            "Svar 3 for at tage den, nej for at give den videre.",
        ),
    ],
    ids=["desk", "number", "link", "name cannot be answered", "no links", "reply", "reply before all"],
)
async def test_how_the_page_is_taken(config: dict[str, Any], ends: str) -> None:
    """Proves that the text asks for a reply where one can come, else gives the message's own link, else the site's."""
    async with Gateway(says(200)) as gateway:
        channel = SmsChannel(SmsConfig(HttpGateway(gateway.url, body=BODY), **config), HandClock())
        await channel.tell(alarm("sms", NUMBER, code=3))
        assert json.loads(gateway.seen[0].body)["text"].endswith(ends)


async def test_replies_to_a_name_are_reported_at_start() -> None:
    """Proves that an admin is told when replies are set up and the sender is a name, to which none can come."""
    with capture_logs() as logs:
        for sender in ("Bagvagt", "+4512345678"):
            config = SmsConfig(HttpGateway("https://gw.example/", body=BODY), sender, can_reply=True)
            await SmsChannel(config, HandClock()).run(lambda _: None)
    assert [entry["event"] for entry in logs] == ["sms_sender_is_a_name"]


async def test_where_receipts_go() -> None:
    """Proves that a gateway which is described can be told where to report, message by message."""
    async with Gateway(says(200)) as gateway:
        body = '{"n": "{to}", "t": "{text}", "u": "{receipts}"}'
        config = SmsConfig(HttpGateway(gateway.url, body=body), receipt_url="https://v.example/r?m={}".format)
        await SmsChannel(config, HandClock()).tell(alarm("sms", NUMBER))
        assert json.loads(gateway.seen[0].body)["u"] == "https://v.example/r?m=p-1-backup.0"


def apprise_pager(url: str, deadline_s: float = LIMIT_S) -> ChannelPager:
    """A pager with SMS by Apprise."""
    clock = HandClock()
    return ChannelPager({"sms": SmsChannel(SmsConfig(AppriseGateway(url)), clock)}, clock, deadline_s=deadline_s)


@IMGHDR
async def test_apprise_sends() -> None:
    """Proves the way through Apprise: the number in its URL, the text in its message, two at once unthrottled."""
    async with Gateway(says(200)) as gateway:
        sender = apprise_pager(f"json://127.0.0.1:{gateway.port}/{{to_digits}}/")
        both = await asyncio.gather(
            sender.notify(alarm("sms", NUMBER)), sender.notify(alarm("sms", "+46701234567", language="sv"))
        )
    assert [n.delivery for n in both] == [Delivery.SENT, Delivery.SENT]
    texts = {seen.path.strip("/"): json.loads(seen.body)["message"] for seen in gateway.seen}
    assert texts["4520304050"].startswith("Bagvagt: AKUT alarm, hændelse i-7.")
    assert texts["46701234567"].startswith("Bagvagt: AKUT larm, händelse i-7.")


@IMGHDR
async def test_apprise_says_no(caplog: pytest.LogCaptureFixture) -> None:
    """Proves that a URL which Apprise cannot use is refused, that its "no" is unknown, and that it logs no key."""
    logging.getLogger("apprise").disabled = False
    with caplog.at_level(1, "apprise"):
        refused = await apprise_pager("nosuchservice://s3cr3t-key/{to}").notify(alarm("sms", NUMBER))
        async with Gateway(says(500)) as gateway:
            url = f"json://u:s3cr3t-key@127.0.0.1:{gateway.port}/{{to}}"
            failed = await apprise_pager(url).notify(alarm("sms", NUMBER))
    assert refused.delivery is Delivery.REFUSED
    assert failed.delivery is Delivery.UNKNOWN
    assert len(gateway.seen) == 1
    assert "s3cr3t" not in caplog.text + refused.detail + failed.detail


@IMGHDR
async def test_an_apprise_url_that_is_wrong_is_reported_at_start() -> None:
    """Proves that a mistake in the URL shows when the service starts, without its key; and a right one does not."""
    with capture_logs() as logs:
        for url in ("nosuchservice://s3cr3t-key/{to}", "json://127.0.0.1:1/{to}"):
            await SmsChannel(SmsConfig(AppriseGateway(url)), HandClock()).run(lambda _: None)
    assert [entry["event"] for entry in logs] == ["apprise_url_unknown"]
    assert "s3cr3t" not in repr(logs)


@IMGHDR
async def test_apprise_hangs() -> None:
    """Proves that a service that hangs in its thread ends at our deadline, as unknown, after it got the message."""
    async with Gateway(never) as gateway:
        sender = apprise_pager(f"json://127.0.0.1:{gateway.port}/{{to}}?rto=60", 3.0)
        notified = await sender.notify(alarm("sms", NUMBER))
        assert (notified.delivery, notified.detail) == (Delivery.UNKNOWN, "no answer within 3 s")
        assert gateway.has_read.is_set()
