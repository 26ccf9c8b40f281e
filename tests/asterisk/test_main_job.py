"""The user's one sentence, on a real Asterisk, with phones that listen."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.prompts.library import PromptLibrary
from tests.asterisk.house import Mobile, pause_of
from tests.conftest import MakeAsterisk
from tests.lab import listening
from tests.lab.asterisk import Asterisk
from tests.lab.audio import Audio, read_wav, spoken, tone
from tests.lab.mosquitto import Mosquitto
from tests.lab.service import Service, SmsGateway, fake_clock
from tests.lab.waiting import until

pytestmark = pytest.mark.asterisk

SUNDAY_NIGHT = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)  # 02:30 in Copenhagen
BREAK_S = 25

POLICY = f"""
    [site]
    name = "Eksempel Kommune"
    zone = "Europe/Copenhagen"
    language = "da"
    country = "DK"

    [pbx]
    ami_port = {{ami_port}}
    ami_secret_file = "ami.secret"
    ari_url = "http://127.0.0.1:{{ari_port}}"
    ari_secret_file = "ari.secret"

    [http]
    port = {{http_port}}
    tokens_file = "tokens.toml"

    [mqtt]
    port = {{mqtt_port}}
    prefix = "bagvagt/test"

    [sms.gateway]
    url = "http://127.0.0.1:{{sms_port}}/sms"
    body = '{{"to": "{{to}}", "text": "{{text}}", "id": "{{id}}"}}'

    [keys.warn]
    does = "warn"
    kind = "abuse"
    code = "*91"

    [kinds.abuse]
    may_end = true
    wait_s = 2
    break_s = {BREAK_S}
    page = "backup"

    [office_hours]
    mon = ["08:00-16:00"]

    [people.chief]
    sms = "+4520304050"

    [people.anna]
    mqtt = "anna"
    sms = "+4520304051"

    [people.bo]
    mqtt = "bo"
    sms = "+4520304052"

    [pages.backup]
    last_resort = "chief"

    [[pages.backup.steps]]
    people = ["chief"]
    wait_s = 10
    when = "office"

    [[pages.backup.steps]]
    people = ["anna"]
    wait_s = 30
    when = "outside"

    [[pages.backup.steps]]
    people = ["bo"]
    wait_s = 60
"""


def prompt(name: str) -> Audio:
    """Return what a caller should hear."""
    return read_wav(PromptLibrary(None).find(name, "da").path)


@pytest.fixture
async def service(tmp_path: Path, broker: Mosquitto, gateway: SmsGateway) -> AsyncIterator[Service]:
    made = Service(tmp_path, POLICY)
    made.token("anna-phone", "person", person="anna")
    made.environment.update(fake_clock(SUNDAY_NIGHT))
    yield made
    await made.kill()
    for line in made.lines:  # shown when the test fails
        print(line)  # noqa: T201


@pytest.mark.timeout(180)
async def test_main_job(
    asterisk_lab: MakeAsterisk, service: Service, broker: Mosquitto, gateway: SmsGateway, mobile: Mobile
) -> None:
    """Warned, ended, on a break, the backup told on a Sunday night, the next one too; killed -9, nothing is lost."""
    service.write(ami_port=5038, ari_port=8088, mqtt_port=broker.port, sms_port=gateway.port)
    pbx = await asterisk_lab(
        members=("agent1", "agent2"),
        extra=await service.snippets(),
        before_queue=("Set(__DYNAMIC_FEATURES=bagvagt)",),
    )
    service.write(ami_port=pbx.ami[1], ari_port=pbx.slot.http, mqtt_port=broker.port, sms_port=gateway.port)
    await service.start()

    # A caller rings and shouts; the agent listens.
    agent = await pbx.phone("agent1", audio=tone(600, level_dbfs=-32))
    caller = await pbx.caller(audio=spoken(7, 3.0, level_dbfs=-28))
    at_caller = await caller.dial("1000")
    at_agent = await agent.takes()
    await at_caller.is_answered()
    await listening.hears(at_caller, 600, time.monotonic())

    # One key: both hear the whole warning.
    since = time.monotonic()
    await at_agent.press("*91")
    await until(lambda: service.moved_to("warned"), 12, "evidence that the caller was warned")
    await until(lambda: listening.heard_whole(at_caller, prompt("warning"), since), 3, "the caller hears it whole")
    await until(lambda: listening.heard_whole(at_agent, prompt("warning"), since), 3, "the agent hears it whole")

    # At once again: not yet, the call goes on.
    await at_agent.press("*91")
    await until(lambda: any("wait" in x["told"] for x in service.said("decided")), 5, "the agent is told to wait")
    assert not at_agent.ended.is_set()

    # The caller goes on; the same key ends it. The agent is free, the caller hears the closing, then is disconnected.
    await asyncio.sleep(2.5)  # the policy's own wait_s
    since = time.monotonic()
    await at_agent.press("*91")
    await at_agent.is_ended(3)
    assert not at_caller.ended.is_set()
    await at_caller.is_ended(15)
    assert listening.heard_whole(at_caller, prompt("closing"), since)

    # The break has begun by itself, with our name on it.
    await until(lambda: _is_ours(pbx), 3, "the agent is paused")

    # At 02:30 on a Sunday: not the chief, but who is on call outside office hours, by MQTT and SMS.
    await until(lambda: mobile.told("anna") and gateway.to("+4520304051"), 5, "Anna is told")
    assert not gateway.to("+4520304050")
    assert not mobile.told("bo")

    # Killed in the middle. Anna does not answer; after the restart it is Bo's turn.
    await service.kill()
    assert await _is_ours(pbx)
    await service.start()
    await until(lambda: mobile.told("bo") and gateway.to("+4520304052"), 40, "Bo is told")
    page = json.loads(mobile.told("bo")[0])["page"]
    assert json.loads(mobile.told("anna")[0])["page"] == page

    # Bo takes it; nobody else is woken.
    await mobile.client.publish(f"bagvagt/test/page/{page}/acknowledge", json.dumps({"by": "bo"}), qos=1)
    await until(lambda: service.moved_to("answered"), 5, "Bo has it")

    # The break ends by itself, and the audit trail holds.
    await until(lambda: _is_free(pbx), BREAK_S + 10, "the agent is back")
    assert "unbroken" in await service.command("audit", "verify", "-c", str(service.policy_file))
    assert not gateway.to("+4520304050")


async def _is_ours(pbx: Asterisk) -> bool:
    return (await pause_of(pbx)).startswith("bagvagt:")


async def _is_free(pbx: Asterisk) -> bool:
    return not await pause_of(pbx)
