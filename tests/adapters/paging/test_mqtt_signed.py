"""What Bagvagt says over MQTT, checked by somebody who has read docs/mqtt.md and nothing else."""

import json
import os
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from structlog.testing import capture_logs

from adapters.paging.mqtt_codec import AnsweredPage, AuditHead, Heartbeat, OpenPage
from adapters.paging.mqtt_signing import Signer
from policies.events import Delivery
from tests.adapters.paging.conftest import PREFIX, SIGNER, Run
from tests.adapters.paging.observer import ANNA, PAGE, observer, retained
from tests.adapters.paging.stage import LIMIT_S, alarm, taken
from tests.lab.mosquitto import Mosquitto
from tests.lab.waiting import until

DOCS = Path(__file__).parents[3] / "docs" / "mqtt.md"
KEY, HEARTBEAT, HEAD = f"{PREFIX}/key", f"{PREFIX}/heartbeat", f"{PREFIX}/audit/head"
Checked = Callable[[str, bytes], dict[str, Any]]


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Callable[[bytes], Checked]]:
    """Return the example of the manual, as it stands there, in a folder with this public key."""
    [example] = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    before = Path.cwd()

    def made(key: bytes) -> Checked:
        (tmp_path / "bagvagt.jwk").write_bytes(key)
        names: dict[str, Any] = {}
        os.chdir(tmp_path)
        exec(compile(example, str(DOCS), "exec"), names)  # noqa: S102 -- our own manual
        checked: Checked = names["checked"]
        return checked

    yield made
    os.chdir(before)


async def test_the_manuals_listener_believes_what_we_say(
    broker: Mosquitto, run: Run, listener: Callable[[bytes], Checked], capsys: pytest.CaptureFixture[str]
) -> None:
    """Proves that every message checks with the key on the broker, and says signed what it says in plain fields."""
    with capture_logs() as logs:
        running = await run(broker)
    running.clock.at = datetime.now(UTC)
    async with observer(broker) as one:
        await running.pager.notify(alarm("mqtt", "anna"))
        await running.pager.stand_down(taken(("mqtt", "anna", "da")))
        await running.mqtt.publish_head("5f0c")
        assert await running.mqtt.publish_heartbeat(True, 60)
        await until(lambda: one.at(HEARTBEAT) and len(one.at(ANNA)) == 2 and len(one.at(PAGE)) == 2, LIMIT_S)
        seen = [(topic, payload) for topic, payload in one.seen if topic in (PAGE, ANNA, HEAD, HEARTBEAT)]
    key = await retained(broker, KEY)
    assert key is not None
    checked = listener(key)
    assert len(seen) == 6
    for topic, payload in seen:
        said, plain = checked(topic, payload), json.loads(payload)
        assert {name: said[name] for name in plain if name != "signed"} == {
            name: value for name, value in plain.items() if name != "signed"
        }
        assert said["topic"] == topic
        assert said["iat"] == int(running.clock.at.timestamp())
        if topic != HEAD:
            assert said["exp"] == int(datetime.fromisoformat(plain["expires_at"]).timestamp())
    [connected] = [entry for entry in logs if entry["event"] == "mqtt_connected"]
    assert capsys.readouterr().out.split()[-1] == connected["key"] == SIGNER.thumbprint


def page(at: datetime, **changed: Any) -> OpenPage:
    values: dict[str, Any] = {"page": "p", "incident": "i", "severity": "acute", "purpose": "call", "step": 0}
    return msgspec.convert(
        {**values, "state": "open", "at": at, "expires_at": at.replace(year=at.year + 1), **changed}, OpenPage
    )


def test_the_manuals_listener_believes_nobody_else(listener: Callable[[bytes], Checked]) -> None:
    """Proves that what is changed, old, from elsewhere, for elsewhere, or not signed is refused."""
    checked, now = listener(SIGNER.public), datetime.now(UTC)
    right = SIGNER.signed(page(now), PAGE)
    assert checked(PAGE, msgspec.json.encode(right))["page"] == "p"
    header, body, signature = right.signed.split(".")
    other = SIGNER.signed(page(now, page="q"), PAGE).signed.split(".")[1]
    none = json.dumps({"alg": "none"}).encode()
    wrong = (
        (ANNA, right),
        (PAGE, msgspec.structs.replace(right, signed=f"{header}.{other}.{signature}")),
        (PAGE, msgspec.structs.replace(right, signed=f"{header}.{body}.")),
        (PAGE, msgspec.structs.replace(right, signed=f"{_b64(none)}.{body}.")),
        (PAGE, SIGNER.signed(page(now.replace(year=2020)), PAGE)),
        (PAGE, Signer(b"another site").signed(page(now), PAGE)),
    )
    for topic, payload in wrong:
        with pytest.raises(JoseError):
            checked(topic, msgspec.json.encode(payload))
    with pytest.raises(KeyError):
        checked(PAGE, b'{"page": "p"}')


def _b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def test_the_published_key_is_public_and_the_sites_own() -> None:
    """Proves that the private part stays here, and that a restart with the same site key signs with the same key."""
    shown = json.loads(SIGNER.public)
    assert "d" not in shown
    assert not ECKey.import_key(shown).is_private
    assert (shown["kid"], shown["alg"], shown["use"]) == (SIGNER.thumbprint, "ES256", "sig")
    assert Signer(b"a").thumbprint == Signer(b"a").thumbprint != Signer(b"b").thumbprint


async def test_a_heartbeat_counts_for_three_beats(broker: Mosquitto, run: Run) -> None:
    """Proves that it is retained, says how we are, until when that counts, and where the audit trail stands."""
    running = await run(broker)
    await running.mqtt.publish_head("5f0c")
    assert await running.mqtt.publish_heartbeat(False, 60)
    payload = await retained(broker, HEARTBEAT)
    assert payload is not None
    beat = msgspec.json.decode(payload, type=Heartbeat)
    assert (beat.ok, beat.head, (beat.expires_at - beat.at).total_seconds()) == (False, "5f0c", 180.0)


async def test_no_heartbeat_comes_late(broker: Mosquitto, run: Run) -> None:
    """Proves that a beat without a connection is lost, and said to be; on the next connection it would be a lie."""
    running = await run(broker)
    await broker.kill()
    await until(lambda: not running.mqtt.is_connected, LIMIT_S)
    assert not await running.mqtt.publish_heartbeat(True, 60)
    await running.mqtt.publish_head("5f0c")
    await broker.start()
    await until(lambda: running.mqtt.problems is not None, LIMIT_S)
    head = await retained(broker, HEAD)
    assert head is not None
    assert msgspec.json.decode(head, type=AuditHead).head == "5f0c"
    assert await retained(broker, HEARTBEAT) is None


async def test_without_a_key_nothing_is_signed(broker: Mosquitto, run: Run) -> None:
    """Proves that a demo without a site key says so by an empty field, and publishes no key."""
    running = await run(broker, signer=None)
    assert (await running.pager.notify(alarm("mqtt", "anna"))).delivery is Delivery.SENT
    await running.pager.stand_down(taken(("mqtt", "anna", "da")))
    payload = await retained(broker, PAGE)
    assert payload is not None
    assert msgspec.json.decode(payload, type=AnsweredPage).signed == ""
    assert await retained(broker, KEY) is None
