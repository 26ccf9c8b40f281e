"""The pager itself: what channels do to it."""

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from adapters.paging.pager import ChannelPager, DeliveryUncertainError
from policies.actions import Answer, Notify, ReplyTo
from policies.events import Delivery, Event, PageAnswered
from policies.model import Outcome
from policies.rules import Severity
from telephony.errors import DeliveryDeferredError, DeliveryRefusedError
from telephony.ports import Pager
from tests.adapters.paging.stage import LIMIT_S, HandClock, alarm, taken
from tests.lab.waiting import until


class Waits(list[float]):
    """Waits no time, and keeps for how long it should have."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


class Fake:
    """A channel that does as told: raises, hangs (None), or says what the carrier said."""

    def __init__(self, does: Exception | str | None) -> None:
        self.does = does
        self.runs = 0

    async def run(self, emit: Callable[[Event], None]) -> None:
        self.runs += 1
        if self.runs == 1:
            raise RuntimeError("+4520304050")
        emit(PageAnswered(id="e", at=HandClock().now(), page="p", by="Anna", means="fake"))
        await asyncio.Event().wait()

    async def tell(self, action: Notify) -> str:  # noqa: ARG002 -- the protocol's
        return await self._do()

    async def tell_answered(self, *_: object) -> str:
        return await self._do()

    async def reply(self, _: ReplyTo) -> str:
        return await self._do()

    async def _do(self) -> str:
        if self.does is None:
            await asyncio.Event().wait()
        if isinstance(self.does, Exception):
            raise self.does
        return str(self.does)


ROWS = [
    ("taken", Delivery.SENT, "taken", None, Outcome.DONE),
    (DeliveryDeferredError("x", "busy", 7.0), Delivery.DEFERRED, "busy", 7.0, Outcome.FAILED),
    (DeliveryRefusedError("x", "bad address"), Delivery.REFUSED, "bad address", None, Outcome.FAILED),
    (DeliveryUncertainError("lost"), Delivery.UNKNOWN, "lost", None, Outcome.UNKNOWN),
    (TimeoutError(), Delivery.UNKNOWN, "no answer within 0.05 s", None, Outcome.UNKNOWN),
    (None, Delivery.UNKNOWN, "no answer within 0.05 s", None, Outcome.UNKNOWN),
    (RuntimeError("+4520304050"), Delivery.UNKNOWN, "RuntimeError", None, Outcome.UNKNOWN),
]


@pytest.mark.parametrize(("does", "delivery", "detail", "retry_after_s", "outcome"), ROWS)
async def test_what_a_channel_does_becomes_a_delivery(
    does: Exception | str | None, delivery: Delivery, detail: str, retry_after_s: float | None, outcome: Outcome
) -> None:
    """Proves each row, for a message and for a stand-down, and that no error's text gets into the log."""
    pager: Pager = ChannelPager({"x": Fake(does)}, HandClock(), deadline_s=0.05, sleep=Waits())
    with capture_logs() as logs:
        notified = await pager.notify(alarm("x", "anna"))
        finished = await pager.stand_down(taken(("x", "anna", "da")))
    assert (notified.delivery, notified.detail, notified.retry_after_s) == (delivery, detail, retry_after_s)
    assert (notified.action, notified.page, notified.at) == ("a-1", "p-1-backup", HandClock().now())
    assert (finished.outcome, finished.action) == (outcome, "a-9")
    assert notified.id != finished.id
    assert "20304050" not in repr(logs)


async def test_a_channel_that_is_not_set_up() -> None:
    """Proves that a message for an unknown channel is refused, so that the page goes on at once."""
    notified = await ChannelPager({}, HandClock()).notify(alarm("pigeon", "anna"))
    assert (notified.delivery, notified.detail) == (Delivery.REFUSED, "no channel 'pigeon' is set up")


async def test_the_worst_of_a_stand_down_is_its_outcome() -> None:
    """Proves that one who could not be told shows, and which channel it was; and that nobody to tell is done."""
    pager = ChannelPager({"good": Fake("ok"), "bad": Fake(DeliveryRefusedError("bad", "no"))}, HandClock())
    finished = await pager.stand_down(taken(("good", "a", "da"), ("bad", "b", "da")))
    assert (finished.outcome, finished.detail) == (Outcome.FAILED, "bad: no")
    assert (await pager.stand_down(taken())).outcome is Outcome.DONE


async def test_a_stand_down_is_tried_again_until_it_is_taken() -> None:
    """Proves that a carrier that was away is asked again, when it says or with growing pauses, and for an hour."""
    channel, waits = Fake(DeliveryDeferredError("x", "busy", 9.0)), Waits()

    async def wait(seconds: float) -> None:
        await waits(seconds)
        channel.does = DeliveryDeferredError("x", "busy") if len(waits) < 3 else "taken"

    pager = ChannelPager({"x": channel}, HandClock(), sleep=wait)
    assert (await pager.stand_down(taken(("x", "anna", "da")))).outcome is Outcome.DONE
    assert waits == [9.0, 18.0, 36.0]
    waits.clear()
    given_up = ChannelPager({"x": Fake(DeliveryDeferredError("x", "busy"))}, HandClock(), sleep=waits)
    assert (await given_up.stand_down(taken(("x", "anna", "da")))).outcome is Outcome.FAILED
    assert waits[:5] == [5.0, 10.0, 20.0, 40.0, 60.0]
    assert 3500 < sum(waits) <= 3600


async def test_a_stand_down_of_unknown_fate_is_tried_once_more() -> None:
    """Proves that it is repeated, since no harm is in that, and not for ever, since it may arrive each time."""
    waits = Waits()
    pager = ChannelPager({"x": Fake(DeliveryUncertainError("lost"))}, HandClock(), sleep=waits)
    assert (await pager.stand_down(taken(("x", "anna", "da")))).outcome is Outcome.UNKNOWN
    assert waits == [5.0]


async def test_a_channel_that_breaks_is_run_again() -> None:
    """Proves that a bug in one channel stops neither it for good nor another, and that its text is not logged."""
    emitted: list[Event] = []
    one, other = Fake("ok"), Fake("ok")
    waits = Waits()
    pager = ChannelPager({"one": one, "other": other}, HandClock(), sleep=waits)
    with capture_logs() as logs:
        task = asyncio.create_task(pager.run(emitted.append))
        await until(lambda: len(emitted) == 2, LIMIT_S)
    assert (one.runs, other.runs, waits) == (2, 2, [5.0, 5.0])
    assert "20304050" not in repr(logs)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelling_goes_through() -> None:
    """Proves that the engine can stop a message that hangs."""
    task = asyncio.create_task(ChannelPager({"x": Fake(None)}, HandClock()).notify(alarm("x", "anna")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Crowded(Fake):
    """A channel on which every message takes until it is let go."""

    def __init__(self) -> None:
        super().__init__("taken")
        self.told: list[Severity] = []
        self.go_on = asyncio.Event()

    async def tell(self, action: Notify) -> str:
        self.told.append(action.severity)
        await self.go_on.wait()
        return "taken"


async def test_an_acute_message_waits_for_no_place() -> None:
    """Three places, all taken, and more waiting: the acute one goes out at once, and the others when there is room."""
    channel = Crowded()
    pager = ChannelPager({"x": channel}, HandClock(), at_once=3)
    normal = [asyncio.create_task(pager.notify(alarm("x", "anna", severity=Severity.NORMAL))) for _ in range(5)]
    await until(lambda: len(channel.told) == 3, LIMIT_S)
    acute = asyncio.create_task(pager.notify(alarm("x", "anna", severity=Severity.ACUTE)))
    await until(lambda: len(channel.told) == 4, LIMIT_S)
    assert channel.told[3] is Severity.ACUTE
    channel.go_on.set()
    assert [n.delivery for n in await asyncio.gather(acute, *normal)] == [Delivery.SENT] * 6


@pytest.mark.parametrize(("does", "outcome"), [(row[0], row[4]) for row in ROWS])
async def test_a_reply_is_answered_once(does: Exception | str | None, outcome: Outcome) -> None:
    """What became of it is said, and it is not tried again: who does not get it asks again."""
    channel = Fake(does)
    pager = ChannelPager({"x": channel}, HandClock(), deadline_s=0.05)
    action = ReplyTo(id="a-1", channel="x", address="anna", language="da", answer=Answer.WHICH)
    finished = await pager.reply(action)
    assert (finished.action, finished.outcome) == ("a-1", outcome)
