"""MQTT over a real mosquitto, which is killed, frozen and made to refuse."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil
import pytest
from structlog.testing import capture_logs

from adapters.paging.mqtt_codec import AnsweredPage, AuditHead, OpenPage, PageTopic, PersonPage, PersonTopic
from adapters.paging.sms import HttpGateway, SmsChannel, SmsConfig
from policies.events import Delivery
from policies.model import Outcome
from policies.rules import Severity
from tests.adapters.paging.conftest import PREFIX, Run, Running
from tests.adapters.paging.observer import ACKNOWLEDGE, ANNA, PAGE, STATUS, observer, retained
from tests.adapters.paging.stage import LIMIT_S, NUMBER, Gateway, HandClock, alarm, never, says, taken
from tests.lab.mosquitto import Mosquitto
from tests.lab.waiting import until

MakeBroker = Callable[..., Mosquitto]


async def test_a_page_is_published_and_seen(broker: Mosquitto, run: Run) -> None:
    """Proves that an independent client sees the person's message and the page's state, as the schema says them."""
    running = await run(broker)
    async with observer(broker) as one:
        assert (await running.pager.notify(alarm("mqtt", "anna"))).delivery is Delivery.SENT
        await until(lambda: one.at(ANNA) and one.at(PAGE), LIMIT_S)
        message = msgspec.json.decode(one.at(ANNA)[0], type=PersonTopic)
        state = msgspec.json.decode(one.at(PAGE)[0], type=PageTopic)
    assert isinstance(message, PersonPage)
    assert isinstance(state, OpenPage)
    assert (message.message, message.attempt, message.acknowledge) == ("p-1-backup.0", 1, ACKNOWLEDGE)
    assert message.text == "Bagvagt: AKUT alarm, hændelse i-7. Tag den her."
    for told in (message, state):
        assert (told.page, told.incident, told.severity, told.step) == ("p-1-backup", "i-7", Severity.ACUTE, 0)
        assert (told.expires_at - told.at).total_seconds() == 3600.0
    assert await retained(broker, PAGE) is not None
    assert await retained(broker, ANNA) is None


async def test_every_attempt_has_the_same_id(broker: Mosquitto, run: Run) -> None:
    """Proves that a repeated message can be known as such."""
    running = await run(broker)
    async with observer(broker) as one:
        await running.pager.notify(alarm("mqtt", "anna"))
        await running.pager.notify(alarm("mqtt", "anna", id="a-2", attempt=2))
        await until(lambda: len(one.at(ANNA)) == 2, LIMIT_S)
        first, second = (msgspec.json.decode(p, type=PersonPage) for p in one.at(ANNA))
    assert (first.message, first.attempt, second.attempt) == (second.message, 1, 2)


async def test_a_person_answers(broker: Mosquitto, run: Run) -> None:
    """Proves that JSON and plain text answer a page; what is malformed is logged without its text, and ignored."""
    running = await run(broker)
    with capture_logs() as logs:
        async with observer(broker) as one:
            await one.publish(ACKNOWLEDGE, '{"by": "anna"')
            await one.publish(ACKNOWLEDGE, b"\xff")
            await one.publish(ACKNOWLEDGE, "")
            await one.publish(ACKNOWLEDGE, '{"by": "Anna"}')
            await one.publish(f"{PREFIX}/page/p-2%2Fnight/acknowledge", "Søren")
            await until(lambda: len(running.answers) == 2, LIMIT_S)
    assert running.answers == [("p-1-backup", "Anna", "mqtt"), ("p-2/night", "Søren", "mqtt")]
    ignored = [entry for entry in logs if entry["event"] == "mqtt_answer_ignored"]
    assert [entry["reason"] for entry in ignored] == ['not JSON with a text in "by"', "not UTF-8"]


async def test_an_answer_while_we_are_away(broker: Mosquitto, run: Run) -> None:
    """Proves that an answer given while the service restarts is not lost: the broker keeps it."""
    await (await run(broker)).stop()
    async with observer(broker) as one:
        await one.publish(ACKNOWLEDGE, "Anna")
    again = await run(broker)
    await until(lambda: again.answers == [("p-1-backup", "Anna", "mqtt")], LIMIT_S)


async def test_a_retained_answer_is_an_answer(broker: Mosquitto, run: Run) -> None:
    """Proves that an answer published with the retain flag counts when we come, and for its own page only."""
    async with observer(broker) as one:
        await one.publish(ACKNOWLEDGE, "Anna", retain=True)
    running = await run(broker)
    await until(lambda: running.answers, LIMIT_S)
    assert set(running.answers) == {("p-1-backup", "Anna", "mqtt")}


async def test_standing_down(broker: Mosquitto, run: Run) -> None:
    """Proves that page and person say who has it, that no late message opens the page again, and that it is cleared."""
    running = await run(broker)
    async with observer(broker) as one:
        await running.pager.notify(alarm("mqtt", "anna"))
        finished = await running.pager.stand_down(taken(("mqtt", "anna", "da")))
        assert finished.outcome is Outcome.DONE
        await running.pager.notify(alarm("mqtt", "anna", attempt=2))
        await until(lambda: len(one.at(ANNA)) == 3, LIMIT_S)
        states = [msgspec.json.decode(p, type=PageTopic) for p in one.at(PAGE)]
        news = msgspec.json.decode(one.at(ANNA)[1], type=PersonTopic)
        assert [type(s) for s in states] == [OpenPage, AnsweredPage]
        assert isinstance(news, AnsweredPage)
        assert (news.by, news.text) == ("Bo", "Bagvagt: Bo har taget hændelse i-7.")
        running.clock.forward(3601)
        await until(lambda: one.at(PAGE)[-1] == b"", LIMIT_S)
    assert await retained(broker, PAGE) is None


async def test_what_a_former_life_left_is_cleared(broker: Mosquitto, run: Run) -> None:
    """Proves that an answered page that was retained before a restart does not stay on the broker for ever."""
    before = await run(broker)
    await before.pager.stand_down(taken(("mqtt", "anna", "da")))
    await before.stop()
    assert await retained(broker, PAGE) is not None
    after = await run(broker)
    async with observer(broker) as one:
        after.clock.forward(3601)
        await until(lambda: one.at(PAGE)[-1:] == [b""], LIMIT_S)


async def test_a_broker_that_is_killed(broker: Mosquitto, run: Run) -> None:
    """Proves that messages are deferred while the broker is dead, and that all that it forgot is retained again."""
    running = await run(broker)
    await running.pager.notify(alarm("mqtt", "anna"))
    await running.mqtt.publish_head("abc123")
    await broker.kill()
    await until(lambda: not running.mqtt.is_connected, LIMIT_S)
    deferred = await running.pager.notify(alarm("mqtt", "anna", attempt=2))
    assert (deferred.delivery, deferred.detail) == (Delivery.DEFERRED, "not connected")
    standing_down = asyncio.create_task(running.pager.stand_down(taken(("mqtt", "anna", "da"))))
    (broker.folder / "mosquitto.db").unlink(missing_ok=True)
    await broker.start()
    await until(lambda: running.mqtt.is_connected, LIMIT_S)
    assert (await standing_down).outcome is Outcome.DONE
    assert (await running.pager.notify(alarm("mqtt", "anna", attempt=3))).delivery is Delivery.SENT
    state, head = await retained(broker, PAGE), await retained(broker, f"{PREFIX}/audit/head")
    assert state is not None
    assert isinstance(msgspec.json.decode(state, type=PageTopic), AnsweredPage)  # as said while it was dead
    assert head is not None
    assert msgspec.json.decode(head, type=AuditHead).head == "abc123"
    assert await retained(broker, STATUS) == b"online"
    async with observer(broker) as one:
        await one.publish(ACKNOWLEDGE, "Anna")
        await until(lambda: running.answers, LIMIT_S)  # subscribed again


async def test_each_connection_is_told(broker: Mosquitto, run: Run) -> None:
    """Proves that whoever keeps deferred messages hears when they can be sent, at the start and after each loss."""
    running = await run(broker)
    await broker.restart()
    await until(lambda: len(running.connections) == 2, LIMIT_S)
    assert running.mqtt.is_connected
    assert (await running.pager.notify(alarm("mqtt", "anna"))).delivery is Delivery.SENT


async def test_a_message_in_flight_when_the_broker_dies(broker: Mosquitto, run: Run) -> None:
    """Proves that a lost connection ends the wait for its confirmation, as unknown, before any deadline."""
    running = await run(broker)
    broker.freeze()
    sending = asyncio.create_task(running.pager.notify(alarm("mqtt", "anna")))
    link = running.mqtt._link
    assert link is not None
    await until(lambda: list(link.client._pending_calls), LIMIT_S, "it waits for the broker's confirmation")
    await broker.kill()
    notified = await sending
    assert notified.delivery is Delivery.UNKNOWN
    assert "connection lost" in notified.detail


async def test_a_frozen_broker_delays_nobody(broker: Mosquitto, run: Run) -> None:
    """Proves that a frozen broker makes MQTT unknown at the deadline, then deferred, and SMS goes out meanwhile."""
    async with Gateway(says(200)) as gateway:
        sms = SmsChannel(SmsConfig(HttpGateway(gateway.url, body='"{text}"')), HandClock())
        running = await run(broker, deadline_s=1.0, others={"sms": sms}, keepalive_s=1)
        broker.freeze()
        by_mqtt = asyncio.create_task(running.pager.notify(alarm("mqtt", "anna")))
        assert (await running.pager.notify(alarm("sms", NUMBER))).delivery is Delivery.SENT
        assert not by_mqtt.done()
        assert (await by_mqtt).delivery is Delivery.UNKNOWN
        await until(lambda: not running.mqtt.is_connected, LIMIT_S, "the keep-alive notices")
        assert (await running.pager.notify(alarm("mqtt", "anna", attempt=2))).delivery is Delivery.DEFERRED
        broker.thaw()
        await until(lambda: running.mqtt.is_connected, LIMIT_S)
        assert (await running.pager.notify(alarm("mqtt", "anna", attempt=3))).delivery is Delivery.SENT


async def test_a_hung_gateway_delays_no_mqtt(broker: Mosquitto, run: Run) -> None:
    """Proves the other direction: while an SMS hangs, MQTT is sent."""
    async with Gateway(never) as gateway:
        sms = SmsChannel(SmsConfig(HttpGateway(gateway.url, body='"{text}"')), HandClock())
        running = await run(broker, others={"sms": sms})
        by_sms = asyncio.create_task(running.pager.notify(alarm("sms", NUMBER)))
        await gateway.has_read.wait()
        assert (await running.pager.notify(alarm("mqtt", "anna"))).delivery is Delivery.SENT
        assert not by_sms.done()
        by_sms.cancel()


async def test_a_broker_that_is_frozen_when_we_come(make_broker: MakeBroker, run: Run) -> None:
    """Proves that a connect without an answer ends, leaves no open socket, and is tried again."""
    broker = await make_broker().start()
    broker.freeze()
    running = await run(broker, wait=False, connect_s=0.3)
    with capture_logs() as logs:
        await until(lambda: sum(entry["event"] == "mqtt_lost" for entry in logs) >= 3, LIMIT_S)
    ours = psutil.Process().net_connections("tcp")
    assert len([c for c in ours if c.raddr and c.raddr.port == broker.port]) <= 1  # the one that is being tried
    broker.thaw()
    await until(lambda: running.mqtt.is_connected, LIMIT_S)


async def test_no_broker_at_start(make_broker: MakeBroker, run: Run) -> None:
    """Proves that we may start before the broker."""
    broker = make_broker()
    running = await run(broker, wait=False)
    assert (await running.pager.notify(alarm("mqtt", "anna"))).delivery is Delivery.DEFERRED
    await broker.start()
    await until(lambda: running.mqtt.is_connected, LIMIT_S)


ALL = f"user bagvagt\ntopic readwrite {PREFIX}/#\n"
# The broker confirms what it drops: person/# is missing.
ALLOWED = ("status", "key", "page/#", "audit/#")
NO_PERSONS = "user bagvagt\n" + "".join(f"topic readwrite {PREFIX}/{t}\n" for t in ALLOWED)


def password_file(folder: Path, password: str) -> Path:
    """A file as an admin writes it, with a line end."""
    file = folder / "password"
    file.write_text(password + "\n")
    return file


async def test_the_probe_finds_what_the_access_list_drops(make_broker: MakeBroker, run: Run, tmp_path: Path) -> None:
    """Proves that messages which the broker confirms and drops are found out, reported, and not called sent."""
    broker = await make_broker(users={"bagvagt": "right"}, acl=NO_PERSONS).start()
    with capture_logs() as logs:
        running = await run(broker, username="bagvagt", password_file=password_file(tmp_path, "right"), probe_s=1.0)
    assert running.mqtt.problems == frozenset({f"{PREFIX}/person/_probe/page"})
    [report] = [entry for entry in logs if entry["event"] == "mqtt_probe_failed"]
    assert report["topics"] == [f"{PREFIX}/person/_probe/page"]
    assert f"{PREFIX}/#" in report["remedy"]
    notified = await running.pager.notify(alarm("mqtt", "anna"))
    assert (notified.delivery, "access list" in notified.detail) == (Delivery.UNKNOWN, True)


async def test_password(make_broker: MakeBroker, run: Run, tmp_path: Path) -> None:
    """Proves that the password is read anew at each try, that a wrong one is deferred, and that it is never logged."""
    broker = await make_broker(users={"bagvagt": "right"}, acl=ALL).start()
    file = password_file(tmp_path, "wr0ng")
    with capture_logs() as logs:
        running = await run(broker, wait=False, username="bagvagt", password_file=file)
        await until(lambda: any(entry["event"] == "mqtt_lost" for entry in logs), LIMIT_S)
        assert (await running.pager.notify(alarm("mqtt", "anna"))).delivery is Delivery.DEFERRED
        file.unlink()
        await until(lambda: any("No such file" in str(entry.get("reason")) for entry in logs), LIMIT_S)
        password_file(tmp_path, "right")
        await until(lambda: running.mqtt.problems is not None, LIMIT_S)
    assert running.mqtt.problems == frozenset()
    assert (await running.pager.notify(alarm("mqtt", "anna"))).delivery is Delivery.SENT
    assert "wr0ng" not in repr(logs)


# paho 2.2 leaves the socket of a failed handshake to the garbage collector, which closes it at once.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
async def test_tls(make_broker: MakeBroker, run: Run, tmp_path: Path) -> None:
    """Proves that with TLS the broker's certificate is checked: with its authority we connect, without we do not."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    name = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    openssl = await asyncio.create_subprocess_exec(
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        *name,
        "-keyout",
        key,
        "-out",
        certificate,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await openssl.wait() == 0
    broker = make_broker()
    with (broker.folder / "mosquitto.conf").open("a") as conf:
        conf.write(f"certfile {certificate}\nkeyfile {key}\n")
    await broker.start()
    trusting = await run(broker, tls=True, ca_file=certificate)
    assert (await trusting.pager.notify(alarm("mqtt", "anna"))).delivery is Delivery.SENT
    with capture_logs() as logs:
        strict = await run(broker, wait=False, tls=True, client_id="other")
        await until(lambda: any("certificate verify failed" in str(e.get("reason")) for e in logs), LIMIT_S)
    assert (await strict.pager.notify(alarm("mqtt", "anna"))).delivery is Delivery.DEFERRED


async def test_the_last_will(broker: Mosquitto) -> None:
    """Proves that a service killed with -9 is shown as offline, by the broker."""
    async with observer(broker) as one:
        arguments = ("-m", "tests.adapters.paging.lonely", str(broker.port), PREFIX)
        process = await asyncio.create_subprocess_exec(sys.executable, *arguments)
        try:
            await until(lambda: b"online" in one.at(STATUS), LIMIT_S)
        finally:
            process.kill()
            await process.wait()
        await until(lambda: one.at(STATUS)[-1] == b"offline", LIMIT_S)
    assert await retained(broker, STATUS) == b"offline"


async def test_leaving_in_order(broker: Mosquitto, run: Run) -> None:
    """Proves that a service that stops says so itself."""
    running = await run(broker)
    await running.stop()
    assert await retained(broker, STATUS) == b"offline"


async def test_an_address_with_a_wildcard_stays_one_person(broker: Mosquitto, run: Run) -> None:
    """Proves that an address cannot name another topic, and that none at all is refused."""
    running: Running = await run(broker)
    async with observer(broker) as one:
        assert (await running.pager.notify(alarm("mqtt", "a/+/#"))).delivery is Delivery.SENT
        await until(lambda: one.at(f"{PREFIX}/person/a%2F%2B%2F%23/page"), LIMIT_S)
    assert (await running.pager.notify(alarm("mqtt", ""))).delivery is Delivery.REFUSED
