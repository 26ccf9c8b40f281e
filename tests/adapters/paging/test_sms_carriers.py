"""46elks and GatewayAPI, played over real sockets, that misbehave: and what the core gets to know."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs

from adapters.paging.pager import ChannelPager
from adapters.paging.sms import SmsChannel, SmsConfig
from adapters.paging.sms_incoming import ELKS, GATEWAYAPI, Fields, ReceiptUrls
from policies.events import Delivery, Notified
from tests.adapters.paging.stage import LIMIT_S, NUMBER, HandClock, alarm
from tests.lab import carriers
from tests.lab.carriers import Behaves, Carrier, Elks, GatewayApi, Webhook, first

MESSAGE = "p-1-backup.0"
SENDER = "4512345678"
KINDS: dict[str, tuple[type[Elks | GatewayApi], Fields]] = {
    "46elks": (Elks, ELKS),
    "GatewayAPI": (GatewayApi, GATEWAYAPI),
}


@dataclass
class Line:
    """A pager, a carrier, and the webhook between them."""

    pager: ChannelPager
    carrier: Carrier
    webhook: Webhook
    clock: HandClock

    async def notify(self, attempt: int = 1, message: str = MESSAGE) -> Notified:
        return await self.pager.notify(alarm("sms", NUMBER, attempt=attempt, message=message))


Lay = Callable[..., Awaitable[Line]]


@pytest.fixture(params=KINDS)
async def lay(request: pytest.FixtureRequest) -> AsyncIterator[Lay]:
    """Makes lines to a carrier that behaves like that; each test runs with both kinds."""
    kind, fields = KINDS[request.param]
    async with AsyncExitStack() as stack:

        async def made(behaves: Behaves, deadline_s: float = LIMIT_S) -> Line:
            clock = HandClock()
            webhook = await stack.enter_async_context(Webhook(fields, clock))
            carrier = await stack.enter_async_context(kind(behaves, webhook.url))
            config = SmsConfig(
                kind.gateway(carrier.url),
                SENDER,
                can_reply=True,
                receipt_url=ReceiptUrls(carriers.SECRET, webhook.url),
            )
            return Line(
                ChannelPager({"sms": SmsChannel(config, clock)}, clock, deadline_s=deadline_s), carrier, webhook, clock
            )

        yield made


async def test_sent_delivered_and_answered(lay: Lay) -> None:
    """Proves the plain way: the text asks for a reply, the receipt names our message, the reply names the person."""
    line = await lay(carriers.silent)
    assert (await line.notify()).delivery is Delivery.SENT
    [sms] = line.carrier.taken
    assert (sms.to, sms.text) == (
        NUMBER,
        "Bagvagt: AKUT alarm, hændelse i-7. Svar 1 (eller ok) for at tage den, nej for at give den videre.",
    )
    await line.carrier.report(sms, "sent")
    await line.carrier.report(sms, "delivered")
    await line.carrier.reply(sms, "1")
    assert line.webhook.reports == [(MESSAGE, "delivered")]
    assert line.webhook.replies == [(NUMBER, "take", 1)]
    assert line.carrier.answers == [200, 200, 200]


async def test_two_hundred_and_nothing_comes(lay: Lay) -> None:
    """Proves that a carrier's 200 is "sent" and nothing more: no receipt, no answer is made up."""
    line = await lay(carriers.silent)
    assert (await line.notify()).delivery is Delivery.SENT
    assert line.webhook.emitted == []


async def test_a_time_out_after_it_was_taken(lay: Lay) -> None:
    """Proves that this is unknown, that the second attempt carries the same id, and that both receipts name it."""
    line = await lay(carriers.hangs, deadline_s=0.3)
    assert (await line.notify()).delivery is Delivery.UNKNOWN
    line.carrier.behaves = carriers.silent
    assert (await line.notify(attempt=2)).delivery is Delivery.SENT
    one, two = line.carrier.taken
    assert (one.callback, one.ref) == (two.callback, two.ref)
    for sms in (one, two):
        await line.carrier.report(sms, "delivered")
    assert line.webhook.reports == [(MESSAGE, "delivered")] * 2


async def test_it_fails_later(lay: Lay) -> None:
    """Proves that a failure after "sent" is reported, with the carrier's reason where it gives one."""
    line = await lay(carriers.silent)
    assert (await line.notify()).delivery is Delivery.SENT
    await line.carrier.report(line.carrier.taken[0], "failed")
    assert line.webhook.reports == [(MESSAGE, "failed")]
    [event] = line.webhook.emitted
    assert event.detail in ("failed", "UNDELIVERABLE Absent Subscriber")  # type: ignore[attr-defined]  # it is a report


async def test_receipts_twice_and_out_of_order(lay: Lay) -> None:
    """Proves that each is handed over as it comes, whatever came before, and that "under way" says nothing."""
    line = await lay(carriers.silent)
    await line.notify()
    for status in ("delivered", "sent", "delivered", "failed", "delivered"):
        await line.carrier.report(line.carrier.taken[0], status)
    assert [report for _, report in line.webhook.reports] == ["delivered", "delivered", "failed", "delivered"]
    assert set(line.carrier.answers) == {200}


async def test_a_receipt_before_the_answer_to_the_message(lay: Lay) -> None:
    """Proves that a receipt is understood although nobody has told us the carrier's own id yet."""
    line = await lay(first("delivered"))
    assert (await line.notify()).delivery is Delivery.SENT
    assert line.webhook.reports == [(MESSAGE, "delivered")]


async def test_a_receipt_of_a_message_whose_answer_never_comes(lay: Lay) -> None:
    """Proves that a message counts as delivered by its receipt even where its sending is unknown for ever."""
    line = await lay(first("delivered", then=carriers.hangs), deadline_s=1.0)
    assert (await line.notify()).delivery is Delivery.UNKNOWN
    assert line.webhook.reports == [(MESSAGE, "delivered")]


async def test_a_reply_before_the_receipt_and_again(lay: Lay) -> None:
    """Proves that a person who is faster than the network is heard, and that repeating harms nobody."""
    line = await lay(first("ok", "delivered", "ok"))
    assert (await line.notify()).delivery is Delivery.SENT
    assert line.webhook.replies == [(NUMBER, "take", 0)] * 2
    assert line.webhook.reports == [(MESSAGE, "delivered")]


async def test_down_for_a_while(lay: Lay) -> None:
    """Proves that errors of the carrier are put off, not given up, and that it works once the carrier does."""
    line = await lay(carriers.broken(3))
    assert [(await line.notify(n)).delivery for n in range(1, 5)] == [Delivery.DEFERRED] * 3 + [Delivery.SENT]
    assert len(line.carrier.taken) == 1


async def test_too_many(lay: Lay) -> None:
    """Proves that the time after which the carrier wants us again reaches the core."""
    line = await lay(carriers.broken(1, 429, Retry_After="7"))
    notified = await line.notify()
    assert (notified.delivery, notified.retry_after_s) == (Delivery.DEFERRED, 7.0)


async def test_a_body_that_never_ends(lay: Lay) -> None:
    """Proves that a 200 is believed at once, and that nobody waits for what comes after it."""
    line = await lay(carriers.drips)
    assert (await line.notify()).delivery is Delivery.SENT


async def test_a_wrong_key(lay: Lay) -> None:
    """Proves that the carrier got the key that we were given, and that refusing it is final."""
    line = await lay(carriers.broken(1, 401))
    assert (await line.notify()).delivery is Delivery.REFUSED


async def test_many_at_once_keep_apart(lay: Lay) -> None:
    """Proves that each of many messages has a receipt of its own."""
    line = await lay(first("delivered"))
    ids = [f"p-{n}-ø/&?=.0" for n in range(20)]
    notified = await asyncio.gather(*(line.notify(message=message) for message in ids))
    assert {n.delivery for n in notified} == {Delivery.SENT}
    assert sorted(line.webhook.reports) == sorted((message, "delivered") for message in ids)


async def test_a_reply_of_yesterday_takes_nothing(lay: Lay) -> None:
    """Proves that a reply which lay at the provider while we were away does not take today's page; a fresh one does."""
    line = await lay(carriers.silent)
    await line.notify()
    now = line.clock.now().timestamp()
    for age_s in (3600, 60, -60):
        await line.carrier.reply(line.carrier.taken[0], "1", sent=now - age_s)
    assert line.webhook.replies == [(NUMBER, "unclear", 0), (NUMBER, "take", 1), (NUMBER, "take", 1)]


async def test_a_service_that_cannot_take_it_gets_it_again(lay: Lay) -> None:
    """Proves that only what was handed over is confirmed: else the carrier keeps it and comes again."""
    line = await lay(carriers.silent)
    await line.notify()
    line.webhook.refused = True
    with capture_logs() as logs:
        await line.carrier.reply(line.carrier.taken[0], "1")
    line.webhook.refused = False
    await line.carrier.reply(line.carrier.taken[0], "1")
    assert line.carrier.answers == [500, 200]
    assert line.webhook.replies == [(NUMBER, "take", 1)]
    assert [entry["event"] for entry in logs] == ["http_failed"]


async def test_nothing_of_it_is_logged(lay: Lay) -> None:
    """Proves that neither numbers, texts, keys nor the webhook's secret reach the log."""
    line = await lay(first("delivered", "failed", "nej"))
    with capture_logs() as logs:
        await line.notify()
        line.carrier.behaves = carriers.broken(1, 400)
        await line.notify()
    told = repr(logs) + repr(line.carrier.taken[0].callback)
    for secret in (NUMBER[1:], "Svar 1", carriers.PASSWORD, carriers.API_TOKEN, carriers.SECRET, "nej"):
        assert secret not in told
