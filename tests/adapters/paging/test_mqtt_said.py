"""What people and their programs say over MQTT besides "I take it"; and what is taken back."""

import msgspec
import pytest
from structlog.testing import capture_logs

from adapters.paging.mqtt_codec import OpenPage, PersonPage
from policies.actions import Answer, ReplyTo, StandDown
from policies.events import Delivery, MessageReported, PagePassed, Report
from policies.model import Outcome
from telephony.errors import DeliveryDeferredError
from tests.adapters.paging.conftest import LINKS, PREFIX, Run, Running
from tests.adapters.paging.observer import ACKNOWLEDGE, ANNA, PAGE, observer, retained
from tests.adapters.paging.stage import LIMIT_S, alarm
from tests.lab.mosquitto import Mosquitto
from tests.lab.waiting import until

LAPSED = StandDown(id="a-9", page="p-1-backup", incident="i-7", by="", told=(("mqtt", "anna", "da"),))


def passed(running: Running) -> list[tuple[str, str, str]]:
    return [(e.page, e.by, e.means) for e in running.emitted if isinstance(e, PagePassed)]


def read(running: Running) -> list[tuple[str, Report]]:
    return [(e.message, e.report) for e in running.emitted if isinstance(e, MessageReported)]


async def test_a_message_says_how_it_is_answered(broker: Mosquitto, run: Run) -> None:
    """Proves that a program needs to know no topics, and one that cannot publish has the link; the page has not."""
    running = await run(broker)
    async with observer(broker) as one:
        await running.pager.notify(alarm("mqtt", "anna"))
        await until(lambda: one.at(ANNA), LIMIT_S)
    message = msgspec.json.decode(one.at(ANNA)[0], type=PersonPage)
    assert (message.acknowledge, message.pass_, message.read) == (ACKNOWLEDGE, f"{PAGE}/pass", f"{PAGE}/read")
    assert message.link == LINKS("p-1-backup.0")
    assert b'"pass":' in one.at(ANNA)[0]
    assert LINKS.token("p-1-backup.0").encode() not in one.at(PAGE)[0]


async def test_who_cannot_says_so(broker: Mosquitto, run: Run) -> None:
    """Proves that a name on the pass topic passes the page on, and is no answer; what names nobody is ignored."""
    running = await run(broker)
    with capture_logs() as logs:
        async with observer(broker) as one:
            await one.publish(f"{PAGE}/pass", '{"by": ""}')
            await one.publish(f"{PAGE}/pass", '{"by": "Anna"}')
            await one.publish(f"{PAGE}/pass", "Bo")
            await until(lambda: len(passed(running)) == 2, LIMIT_S)
    assert passed(running) == [("p-1-backup", "Anna", "mqtt"), ("p-1-backup", "Bo", "mqtt")]
    assert running.answers == []
    [ignored] = [entry for entry in logs if entry["event"] == "mqtt_answer_ignored"]
    assert ignored["said"] == "pass"


async def test_a_program_says_that_it_was_seen(broker: Mosquitto, run: Run) -> None:
    """Proves that "seen" is reported for a message of that page, and for no other; it is no answer."""
    running = await run(broker)
    async with observer(broker) as one:
        await one.publish(f"{PAGE}/read", "p-2.0")
        await one.publish(f"{PAGE}/read", '{"message": "p-1-backup.3"}')
        await until(lambda: read(running), LIMIT_S)
    assert read(running) == [("p-1-backup.3", Report.READ)]
    assert running.answers == []


async def test_a_pass_while_we_are_away(broker: Mosquitto, run: Run) -> None:
    """Proves that it is kept by the broker, as an answer is."""
    await (await run(broker)).stop()
    async with observer(broker) as one:
        await one.publish(f"{PAGE}/pass", "Anna")
    again = await run(broker)
    await until(lambda: passed(again) == [("p-1-backup", "Anna", "mqtt")], LIMIT_S)


async def test_what_nobody_has_is_taken_back(broker: Mosquitto, run: Run) -> None:
    """Proves that the page is cleared, nobody is told, and no late attempt shows it again."""
    running = await run(broker)
    async with observer(broker) as one:
        await running.pager.notify(alarm("mqtt", "anna"))
        assert (await running.pager.stand_down(LAPSED)).outcome is Outcome.DONE
        await until(lambda: one.at(PAGE) and one.at(PAGE)[-1] == b"", LIMIT_S)
        assert len(one.at(ANNA)) == 1
        assert (await running.pager.notify(alarm("mqtt", "anna", attempt=2))).delivery is Delivery.SENT
    assert await retained(broker, PAGE) is None


async def test_what_is_taken_back_while_the_broker_is_away(broker: Mosquitto, run: Run) -> None:
    """Proves that it is cleared on the next connection; until then the page would look open for ever."""
    running = await run(broker)
    await running.pager.notify(alarm("mqtt", "anna"))
    kept = await retained(broker, PAGE)
    assert kept is not None
    assert isinstance(msgspec.json.decode(kept, type=OpenPage), OpenPage)
    await broker.kill()
    await until(lambda: not running.mqtt.is_connected, LIMIT_S)
    with pytest.raises(DeliveryDeferredError):
        await running.mqtt.tell_answered(LAPSED, "anna", "da")
    await broker.start()
    await until(lambda: running.mqtt.problems is not None, LIMIT_S)
    assert await retained(broker, PAGE) is None


async def test_nobody_is_replied_to(broker: Mosquitto, run: Run) -> None:
    """Proves that an answer to a reply is refused: what is said by MQTT shows in the page's state."""
    running = await run(broker)
    back = ReplyTo(id="a-9", channel="mqtt", address="anna", language="da", answer=Answer.NOTHING)
    async with observer(broker) as one:
        assert (await running.pager.reply(back)).outcome is Outcome.FAILED
    assert one.at(f"{PREFIX}/person/anna/page") == []
